//! The error of a call in the wrong phase, on both state machines.

use core::{error::Error, fmt};

/// The error of a method called in a phase that does not allow it. The call changed nothing.
///
/// `P` is the machine's phase: [`server::Phase`](crate::server::Phase) or
/// [`client::Phase`](crate::client::Phase).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrongPhase<P> {
    /// The method.
    pub call: &'static str,
    /// The phase that the machine is in.
    pub phase: P,
}

impl<P> WrongPhase<P> {
    pub(crate) fn new(call: &'static str, phase: P) -> Self {
        Self { call, phase }
    }
}

impl<P: fmt::Debug> fmt::Display for WrongPhase<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { call, phase } = self;
        write!(
            f,
            "`{call}` was called in the phase {phase:?}, which does not allow it; \
             look at `phase()` and `poll_event()` first"
        )
    }
}

impl<P: fmt::Debug> Error for WrongPhase<P> {}
