//! Many tasks that wait for the same thing.

use std::{mem, task::Waker};

/// The wakers of those who wait, each in a slot of its own for as long as it waits.
#[derive(Debug, Default)]
pub(crate) struct WakerSet {
    slots: Vec<Option<Waker>>,
    free: Vec<usize>,
}

/// A place in a [`WakerSet`].
#[derive(Debug)]
pub(crate) struct SlotId(usize);

impl WakerSet {
    /// Puts `waker` into the slot that `id` names, or into a new one that it names from here on.
    /// Gives back the one that was there, to be dropped when no lock is held any more: it may be
    /// the last to hold its task.
    #[must_use]
    pub(crate) fn register(&mut self, id: &mut Option<SlotId>, waker: &Waker) -> Option<Waker> {
        let index = match id {
            Some(SlotId(index)) => *index,
            None => {
                let index = self.free.pop().unwrap_or_else(|| {
                    self.slots.push(None);
                    self.slots.len() - 1
                });
                *id = Some(SlotId(index));
                index
            }
        };
        match self.slots.get_mut(index) {
            Some(Some(known)) if known.will_wake(waker) => None,
            Some(slot) => slot.replace(waker.clone()),
            None => None,
        }
    }

    /// Gives a slot back, and gets the waker in it, to be dropped when no lock is held any more.
    #[must_use]
    pub(crate) fn remove(&mut self, id: SlotId) -> Option<Waker> {
        let waker = self.slots.get_mut(id.0)?.take();
        self.free.push(id.0);
        waker
    }

    /// Takes out every waker. They are to be woken when no lock is held any more, since what
    /// they wake may run at once.
    #[must_use]
    pub(crate) fn take_all(&mut self) -> Vec<Waker> {
        self.slots.iter_mut().filter_map(mem::take).collect()
    }
}
