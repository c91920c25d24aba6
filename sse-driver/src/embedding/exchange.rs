//! One request and its response, as far as their end goes.

use crate::server::Place;
use sse_core::lifecycle::{CleanUp, CleanUpOwner, CloseReason};

/// Runs clean-up, at the latest when it is dropped, and holds a place among what is open.
#[derive(Debug)]
pub(super) struct Exchange {
    clean_up: CleanUpOwner,
    /// Why it ends, if it is dropped from here on.
    foreseen: Option<CloseReason>,
    place: Place,
}

impl Exchange {
    pub(super) fn new(place: Place) -> Self {
        place.asked();
        Self {
            clean_up: CleanUpOwner::new(),
            foreseen: None,
            place,
        }
    }

    pub(super) fn clean_up(&self) -> CleanUp {
        self.clean_up.handle()
    }

    /// Its part in what the embedding counts, and in its shutdown.
    pub(super) fn place(&mut self) -> &mut Place {
        &mut self.place
    }

    /// Whether everything is to end at once.
    pub(super) fn is_cut(&self) -> bool {
        self.place.connections().is_cut()
    }

    /// Whenever it is over from here on, it is for this reason. The first one named counts.
    pub(super) fn foresee(&mut self, reason: CloseReason) {
        self.foreseen.get_or_insert(reason);
    }

    /// It is over, for this reason unless another was foreseen.
    pub(super) fn end(mut self, reason: CloseReason) {
        self.foresee(reason);
    }
}

/// Nobody takes what is left: the client went away, as far as one can see from here.
impl Drop for Exchange {
    fn drop(&mut self) {
        let reason = match self.foreseen.take() {
            Some(reason) => reason,
            None if self.is_cut() => CloseReason::Shutdown,
            None => CloseReason::ClientWentAway,
        };
        self.place.closed(&reason);
        self.clean_up.run(reason);
    }
}
