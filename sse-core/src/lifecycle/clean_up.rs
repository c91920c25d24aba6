//! Callbacks that run exactly once when a connection is over.

use std::{collections::VecDeque, fmt, mem};

use super::CloseReason;
use crate::{
    panics::catch,
    sync::{Arc, Mutex, MutexGuard, PoisonError, lock, unique_number},
};

type Callback<R> = Box<dyn FnOnce(&R) + Send>;

/// The reason for which something with a [`CleanUp`] ended: a [`CloseReason`] for a connection.
///
/// The trait is sealed.
pub trait EndReason: Clone + fmt::Debug + Send + 'static {
    /// No type outside this crate can name this type, so that none can implement the trait.
    #[doc(hidden)]
    const SEALED: Sealed;

    /// Returns the reason used where none was named, because the task was dropped.
    #[doc(hidden)]
    fn dropped() -> Self;
}

impl EndReason for CloseReason {
    const SEALED: Sealed = Sealed;

    fn dropped() -> Self {
        Self::TaskDropped
    }
}

#[cfg(feature = "topic")]
impl EndReason for crate::topic::resumable::StreamEnd {
    const SEALED: Sealed = Sealed;

    fn dropped() -> Self {
        Self::Dropped
    }
}

/// The supertrait that seals [`EndReason`]. It cannot be named outside this crate.
mod sealed {
    #[derive(Debug)]
    pub struct Sealed;
}

use sealed::Sealed;

/// Registers callbacks that run when a handler's connection is over.
///
/// Each callback runs exactly once, in the order of adding, with the [`CloseReason`], whatever ended the
/// connection: the stream's end, the client, a time-out, an error, a panic or a shutdown. By then the
/// handler's stream has been dropped and the socket is closed. If a callback panics, the others run
/// nevertheless.
///
/// Clones are handles to the same connection. Callbacks run in the connection's task: they should be
/// quick and must not block.
///
/// Other things that end have a `CleanUp` with a reason of their own: `R` is a `StreamEnd` for the
/// producer of a stream that outlives its connections.
///
/// ```
/// use sse_core::lifecycle::{CleanUpOwner, CloseReason};
///
/// let owner = CleanUpOwner::new(); // The connection has this.
/// let clean_up = owner.handle(); // The handler gets this.
///
/// let (log, told) = std::sync::mpsc::channel();
/// clean_up.add(move |reason| log.send(reason.to_string()).unwrap());
///
/// owner.run(CloseReason::ClientWentAway);
/// assert_eq!(told.recv().unwrap(), "the client went away");
/// ```
pub struct CleanUp<R = CloseReason> {
    shared: Arc<Mutex<State<R>>>,
}

/// The connection's side of [`CleanUp`]. It runs the callbacks, at the latest when it is dropped.
///
/// A program that serves connections without [`server::Connection`](crate::server::Connection) keeps one
/// of these for as long as the connection lasts.
///
/// ```
/// use sse_core::lifecycle::{CleanUpOwner, CloseReason};
///
/// let connection: CleanUpOwner = CleanUpOwner::new();
/// connection.handle().add(|reason| assert_eq!(*reason, CloseReason::ClientWentAway));
/// connection.run(CloseReason::ClientWentAway);
/// assert_eq!(connection.handle().reason(), Some(CloseReason::ClientWentAway));
/// ```
pub struct CleanUpOwner<R: EndReason = CloseReason> {
    handle: CleanUp<R>,
}

/// Identifies a callback, to remove it with [`CleanUp::remove`]. The ID is unique in the process.
///
/// ```
/// use sse_core::lifecycle::CleanUpOwner;
///
/// let owner: CleanUpOwner = CleanUpOwner::new();
/// let clean_up = owner.handle();
/// let id = clean_up.add(|_| println!("the upload was not finished"));
/// // The upload is finished: nothing is left to do at the end of the connection.
/// assert!(clean_up.remove(id));
/// assert!(!clean_up.remove(id), "it was removed before");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CallbackId(u64);

impl CallbackId {
    fn next() -> Self {
        Self(unique_number())
    }
}

enum State<R> {
    Pending(Vec<(CallbackId, Callback<R>)>),
    /// The connection is over; a callback that is added now runs at once.
    Over(R),
    /// The connection is over, and some callbacks are still to run.
    Running(Box<Running<R>>),
}

struct Running<R> {
    reason: R,
    left: VecDeque<(CallbackId, Callback<R>)>,
}

impl<R: EndReason> CleanUp<R> {
    /// Adds a callback that runs once, when the connection is over. If it is over already, `callback`
    /// runs now, on the caller's thread, before `add` returns. If `add` is called within another
    /// callback, it runs before those that are still to run.
    pub fn add(&self, callback: impl FnOnce(&R) + Send + 'static) -> CallbackId {
        let id = CallbackId::next();
        let reason = match &mut *self.lock() {
            State::Pending(callbacks) => {
                callbacks.push((id, Box::new(callback)));
                return id;
            }
            State::Over(reason) => reason.clone(),
            State::Running(running) => running.reason.clone(),
        };
        run(Box::new(callback), &reason);
        id
    }

    /// Removes a callback, so that it does not run, and returns `true`. That is possible until the
    /// callback begins to run, also from within an earlier one. Returns `false` where the callback has
    /// begun, was removed before, or belongs to another connection.
    pub fn remove(&self, id: CallbackId) -> bool {
        let is_it = |(other, _): &(CallbackId, Callback<R>)| *other == id;
        let callback = match &mut *self.lock() {
            State::Pending(callbacks) => {
                let index = callbacks.iter().position(is_it);
                index.map(|index| callbacks.remove(index))
            }
            State::Running(running) => {
                let index = running.left.iter().position(is_it);
                index.and_then(|index| running.left.remove(index))
            }
            State::Over(_) => None,
        };
        // The callback's captures are dropped here, after the lock is released.
        callback.is_some()
    }

    /// Returns the reason for which the connection ended, or `None` if it has not ended. It is set before
    /// the first callback runs.
    #[must_use]
    pub fn reason(&self) -> Option<R> {
        match &*self.lock() {
            State::Pending(_) => None,
            State::Over(reason) => Some(reason.clone()),
            State::Running(running) => Some(running.reason.clone()),
        }
    }

    /// Returns the next callback to run. Without one, the state holds nothing any more.
    fn next(&self) -> Option<Callback<R>> {
        let mut state = self.lock();
        let State::Running(running) = &mut *state else {
            return None;
        };
        match running.left.pop_front() {
            Some((_, callback)) => Some(callback),
            None => {
                let reason = running.reason.clone();
                *state = State::Over(reason);
                None
            }
        }
    }

    /// No callback runs under the lock, so a poisoned lock never hides a half-done change.
    fn lock(&self) -> MutexGuard<'_, State<R>> {
        lock(&self.shared)
    }
}

impl CleanUpOwner {
    /// Creates an owner without callbacks. Dropping it runs them, if [`run`](Self::run) was not called.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl<R: EndReason> CleanUpOwner<R> {
    /// Returns a handle for the handler. All handles of an owner add to the same callbacks.
    #[must_use]
    pub fn handle(&self) -> CleanUp<R> {
        self.handle.clone()
    }

    /// Returns whether there are no callbacks, and no other handle to add one.
    pub(crate) fn is_unused(&mut self) -> bool {
        // Sole access comes first: between a look at the callbacks and a look at the handles, the last
        // handle could add a callback and be dropped.
        let Some(state) = Arc::get_mut(&mut self.handle.shared) else {
            return false;
        };
        let state = state.get_mut().unwrap_or_else(PoisonError::into_inner);
        matches!(state, State::Pending(callbacks) if callbacks.is_empty())
    }

    /// Runs every callback, in the order of adding, on this thread, with `reason`. The panic of a
    /// callback is caught, and the others run nevertheless. A second call does nothing.
    pub fn run(&self, reason: R) {
        {
            let mut state = self.handle.lock();
            let State::Pending(callbacks) = &mut *state else {
                return;
            };
            let left = VecDeque::from(mem::take(callbacks));
            let reason = reason.clone();
            *state = match left.is_empty() {
                true => State::Over(reason),
                false => State::Running(Box::new(Running { reason, left })),
            };
        }
        while let Some(callback) = self.handle.next() {
            run(callback, &reason);
        }
    }
}

impl<R> Clone for CleanUp<R> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
        }
    }
}

/// Creates an owner without callbacks.
impl<R: EndReason> Default for CleanUpOwner<R> {
    fn default() -> Self {
        Self {
            handle: CleanUp {
                shared: Arc::new(Mutex::new(State::Pending(Vec::new()))),
            },
        }
    }
}

/// No reason was named, because the task that drove the connection was dropped.
impl<R: EndReason> Drop for CleanUpOwner<R> {
    fn drop(&mut self) {
        self.run(R::dropped());
    }
}

/// Runs a callback, and catches its panic, which the panic hook has reported by then.
fn run<R>(callback: Callback<R>, reason: &R) {
    let _ = catch(|| callback(reason));
}

impl<R: EndReason> fmt::Debug for CleanUp<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("CleanUp");
        match &*self.lock() {
            State::Pending(callbacks) => debug.field("callbacks", &callbacks.len()),
            State::Over(reason) => debug.field("reason", reason),
            State::Running(running) => debug
                .field("callbacks", &running.left.len())
                .field("reason", &running.reason),
        };
        debug.finish()
    }
}

impl<R: EndReason> fmt::Debug for CleanUpOwner<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CleanUpOwner").field(&self.handle).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Log = Arc<Mutex<Vec<String>>>;

    fn note(log: &Log, name: &'static str) -> impl FnOnce(&CloseReason) + Send + 'static {
        let log = log.clone();
        move |reason| log.lock().unwrap().push(format!("{name}: {reason}"))
    }

    fn lines(log: &Log) -> Vec<String> {
        log.lock().unwrap().clone()
    }

    #[test]
    fn callbacks_run_once_in_order_and_are_told_why() {
        let (owner, log) = (CleanUpOwner::new(), Log::default());
        owner.handle().add(note(&log, "a"));
        owner.handle().add(note(&log, "b"));
        assert_eq!(owner.handle().reason(), None);
        owner.run(CloseReason::StreamEnded);
        assert_eq!(lines(&log), ["a: the stream ended", "b: the stream ended"]);
    }

    #[test]
    fn a_dropped_owner_runs_them_too() {
        let (owner, log) = (CleanUpOwner::new(), Log::default());
        let handle = owner.handle();
        handle.add(note(&log, "a"));
        drop(owner);
        assert_eq!(handle.reason(), Some(CloseReason::TaskDropped));
        assert_eq!(lines(&log), ["a: the connection's task was dropped"]);
    }

    #[test]
    fn a_panic_does_not_stop_the_others() {
        let (owner, log) = (CleanUpOwner::new(), Log::default());
        owner.handle().add(|_| panic!("expected in this test"));
        owner.handle().add(note(&log, "b"));
        owner.run(CloseReason::Shutdown);
        assert_eq!(lines(&log), ["b: the server was shut down"]);
    }

    #[test]
    fn neither_does_what_it_panics_with() {
        struct PanicsOnDrop;
        impl Drop for PanicsOnDrop {
            fn drop(&mut self) {
                panic!("expected in this test, too");
            }
        }
        let (owner, log) = (CleanUpOwner::new(), Log::default());
        let panics = |_: &CloseReason| std::panic::panic_any(PanicsOnDrop);
        owner.handle().add(panics);
        owner.handle().add(note(&log, "b"));
        owner.run(CloseReason::Shutdown);
        assert_eq!(lines(&log), ["b: the server was shut down"]);
    }

    #[test]
    fn a_callback_that_is_added_after_the_end_runs_at_once() {
        let (owner, log) = (CleanUpOwner::new(), Log::default());
        let handle = owner.handle();
        owner.run(CloseReason::ClientWentAway);
        let id = handle.add(note(&log, "late"));
        assert_eq!(lines(&log), ["late: the client went away"]);
        assert!(!handle.remove(id));
    }

    #[test]
    fn a_callback_may_add_another() {
        let (owner, log) = (CleanUpOwner::new(), Log::default());
        let handle = owner.handle();
        let (inner, note) = (handle.clone(), note(&log, "inner"));
        handle.add(move |_| {
            inner.add(note);
        });
        owner.run(CloseReason::StreamEnded);
        assert_eq!(lines(&log), ["inner: the stream ended"]);
    }

    #[test]
    fn a_callback_that_was_taken_back_does_not_run() {
        let (owner, log) = (CleanUpOwner::new(), Log::default());
        let handle = owner.handle();
        let a = handle.add(note(&log, "a"));
        handle.add(note(&log, "b"));
        assert!(handle.remove(a));
        assert!(!handle.remove(a));
        owner.run(CloseReason::StreamEnded);
        assert_eq!(lines(&log), ["b: the stream ended"]);
    }

    #[test]
    fn a_callback_may_take_back_one_that_is_still_to_run() {
        let (owner, log) = (CleanUpOwner::new(), Log::default());
        let handle = owner.handle();
        let ids = Arc::new(Mutex::new(Vec::new()));
        let (within, others, told) = (handle.clone(), ids.clone(), log.clone());
        let first = handle.add(move |reason| {
            assert_eq!(within.reason().as_ref(), Some(reason));
            let removed = others.lock().unwrap().clone().into_iter();
            let removed: Vec<bool> = removed.map(|id| within.remove(id)).collect();
            told.lock().unwrap().push(format!("{removed:?}"));
        });
        let second = handle.add(note(&log, "second"));
        handle.add(note(&log, "third"));
        // A callback that runs now, one that is still to run, and the same one again.
        ids.lock().unwrap().extend([first, second, second]);
        owner.run(CloseReason::StreamEnded);
        assert_eq!(
            lines(&log),
            ["[false, true, false]", "third: the stream ended"]
        );
        assert!(!handle.remove(second));
    }

    #[test]
    fn a_callbacks_captures_are_freed_once_it_is_over() {
        let owner = CleanUpOwner::new();
        let (handle, held) = (owner.handle(), Arc::new(()));
        // A callback that holds its own connection's handle does not leak.
        let (own, copy) = (handle.clone(), held.clone());
        handle.add(move |_| drop((own, copy)));
        drop(owner);
        assert_eq!(Arc::strong_count(&held), 1);
    }
}
