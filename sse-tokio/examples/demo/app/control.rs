//! The run of the server that is on, and what follows it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::on::adapter::ServerHandle;

#[derive(Clone, Debug, Default)]
pub(super) struct Control {
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    handle: Option<ServerHandle>,
    /// Another run follows this one.
    again: bool,
    /// Ctrl-C was pressed.
    stopping: bool,
}

impl Control {
    /// Begins a run.
    pub(super) fn begin(&self, handle: ServerHandle) {
        let mut shared = self.shared();
        shared.again = false;
        if shared.stopping {
            handle.shut_down();
        }
        shared.handle = Some(handle);
    }

    /// Ends the run gracefully; another one follows.
    pub(super) fn restart(&self) {
        let mut shared = self.shared();
        shared.again = !shared.stopping;
        if let Some(handle) = &shared.handle {
            handle.shut_down();
        }
    }

    /// Ends the last run: gracefully, and at once when it is called again. Returns whether it was the
    /// first call.
    pub(super) fn stop(&self) -> bool {
        let mut shared = self.shared();
        let is_first = !shared.stopping;
        shared.stopping = true;
        shared.again = false;
        match &shared.handle {
            Some(handle) if is_first => handle.shut_down(),
            Some(handle) => handle.cut(),
            None => {}
        }
        is_first
    }

    /// Returns whether another run follows.
    pub(super) fn goes_on(&self) -> bool {
        self.shared().again
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
