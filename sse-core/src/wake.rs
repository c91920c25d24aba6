//! A set of tasks that wait for the same thing.

use std::{mem, num::NonZeroU64, task::Waker};

/// The wakers of waiting tasks, each in a slot of its own for as long as the task waits.
///
/// Waking all of them costs in proportion to the tasks that wait, however many waited before.
#[derive(Debug)]
pub struct WakerSet {
    slots: Vec<Option<Waker>>,
    free: Vec<usize>,
    /// Increases whenever all tasks are woken: slots of an earlier generation do not exist any more.
    generation: NonZeroU64,
}

/// A place in a [`WakerSet`].
#[derive(Debug)]
pub struct SlotId {
    index: usize,
    generation: NonZeroU64,
}

impl WakerSet {
    /// Puts `waker` into the slot of `id`, or into a new one whose ID it stores in `id`. Returns the
    /// waker that was in the slot. Drop it when no lock is held any more: it may be the last handle of
    /// its task.
    #[must_use]
    pub fn register(&mut self, id: &mut Option<SlotId>, waker: &Waker) -> Option<Waker> {
        let generation = self.generation;
        let index = match id {
            Some(slot) if slot.generation == generation => slot.index,
            _ => {
                let index = self.free.pop().unwrap_or_else(|| {
                    self.slots.push(None);
                    self.slots.len() - 1
                });
                *id = Some(SlotId { index, generation });
                index
            }
        };
        match self.slots.get_mut(index) {
            Some(Some(known)) if known.will_wake(waker) => None,
            Some(slot) => slot.replace(waker.clone()),
            None => None,
        }
    }

    /// Frees a slot, and returns the waker in it. Drop it when no lock is held any more.
    #[must_use]
    pub fn remove(&mut self, id: SlotId) -> Option<Waker> {
        if id.generation != self.generation {
            return None;
        }
        let waker = self.slots.get_mut(id.index)?.take();
        self.free.push(id.index);
        waker
    }

    /// Removes and returns all wakers. Wake them when no lock is held any more, because the woken tasks
    /// may run at once.
    pub fn take_all(&mut self) -> impl Iterator<Item = Waker> + use<> {
        if !self.slots.is_empty() {
            self.generation = self.generation.saturating_add(1);
            self.free.clear();
        }
        mem::take(&mut self.slots).into_iter().flatten()
    }
}

impl Default for WakerSet {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            generation: NonZeroU64::MIN,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, task::Wake};

    use super::*;
    use crate::sync::{AtomicUsize, Ordering};

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn counter() -> (Arc<Count>, Waker) {
        let count = Arc::new(Count::default());
        (count.clone(), Waker::from(count))
    }

    #[test]
    fn a_slot_from_before_a_waking_belongs_to_no_other_task() {
        let (mut set, (first, a), (second, b)) = (WakerSet::default(), counter(), counter());
        let (mut a_slot, mut b_slot) = (None, None);
        drop(set.register(&mut a_slot, &a));
        set.take_all().for_each(Waker::wake);

        // `b` has the index that `a` had.
        drop(set.register(&mut b_slot, &b));
        drop(set.remove(a_slot.take().unwrap()));
        drop(set.register(&mut a_slot, &a));
        set.take_all().for_each(Waker::wake);
        assert_eq!(first.0.load(Ordering::Relaxed), 2);
        assert_eq!(second.0.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn slots_that_were_given_back_are_used_again() {
        let (mut set, (count, waker)) = (WakerSet::default(), counter());
        for _ in 0..100 {
            let mut slot = None;
            drop(set.register(&mut slot, &waker));
            assert!(set.remove(slot.unwrap()).is_some());
        }
        assert_eq!(set.slots.len(), 1);
        set.take_all().for_each(Waker::wake);
        assert_eq!(count.0.load(Ordering::Relaxed), 0);
    }
}
