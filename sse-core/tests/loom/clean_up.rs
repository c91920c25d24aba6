//! Clean-up callbacks that other threads than the connection's add and remove.

use std::{
    sync::{Arc, Mutex},
    time::{Instant, SystemTime},
};

use loom::thread;
use sse_core::{
    lifecycle::{CleanUp, CleanUpOwner, CloseReason},
    server::{Connection, ConnectionConfig, ConnectionEvent, ResponseBody, StreamOptions},
};

use crate::tasks::model;

/// The callbacks that ran, by their names, each with its reason. The lock is not the model's: it orders
/// nothing that is tested.
#[derive(Clone, Default)]
struct Ran(Arc<Mutex<Vec<(&'static str, CloseReason)>>>);

impl Ran {
    fn add_to(&self, clean_up: &CleanUp, name: &'static str) -> sse_core::lifecycle::CallbackId {
        let ran = self.clone();
        clean_up.add(move |reason| ran.0.lock().unwrap().push((name, reason.clone())))
    }

    fn names(&self) -> Vec<&'static str> {
        let ran = self.0.lock().unwrap();
        ran.iter().map(|(name, _)| *name).collect()
    }

    /// Returns whether each got this reason.
    fn all_for(&self, expected: &CloseReason) -> bool {
        let ran = self.0.lock().unwrap();
        ran.iter().all(|(_, reason)| reason == expected)
    }
}

#[test]
fn a_callback_that_is_added_at_the_end_runs_once() {
    model(|| {
        let (owner, ran) = (CleanUpOwner::new(), Ran::default());
        let (clean_up, added) = (owner.handle(), ran.clone());
        let adds = thread::spawn(move || {
            added.add_to(&clean_up, "first");
            added.add_to(&clean_up, "second");
        });
        owner.run(CloseReason::StreamEnded);
        drop(owner);
        adds.join().unwrap();
        let mut names = ran.names();
        names.sort();
        assert_eq!(names, ["first", "second"]);
        assert!(ran.all_for(&CloseReason::StreamEnded));
    });
}

#[test]
fn a_callback_that_is_taken_back_at_the_end_runs_or_was_taken_back() {
    model(|| {
        let (owner, ran) = (CleanUpOwner::new(), Ran::default());
        let clean_up = owner.handle();
        ran.add_to(&clean_up, "first");
        let id = ran.add_to(&clean_up, "second");
        let removes = thread::spawn(move || clean_up.remove(id));
        owner.run(CloseReason::StreamEnded);
        let expected: &[_] = match removes.join().unwrap() {
            true => &["first"],
            false => &["first", "second"],
        };
        assert_eq!(ran.names(), expected);
    });
}

#[test]
fn a_callback_adds_another_while_one_is_added_elsewhere() {
    model(|| {
        let (owner, ran) = (CleanUpOwner::new(), Ran::default());
        let clean_up = owner.handle();
        let (within, added) = (owner.handle(), ran.clone());
        clean_up.add(move |_| {
            added.add_to(&within, "within");
        });
        let added = ran.clone();
        let adds = thread::spawn(move || {
            added.add_to(&clean_up, "elsewhere");
        });
        drop(owner);
        adds.join().unwrap();
        let mut names = ran.names();
        names.sort();
        assert_eq!(names, ["elsewhere", "within"]);
        assert!(ran.all_for(&CloseReason::TaskDropped));
    });
}

#[test]
fn a_callbacks_captures_are_freed_in_either_order_of_ends() {
    model(|| {
        let (owner, held) = (CleanUpOwner::new(), Arc::new(()));
        let (clean_up, copy) = (owner.handle(), held.clone());
        let adds = thread::spawn(move || {
            // It holds its own connection's handle.
            let own = clean_up.clone();
            clean_up.add(move |_| drop((own, copy)));
        });
        drop(owner);
        adds.join().unwrap();
        assert_eq!(Arc::strong_count(&held), 1);
    });
}

/// A handler passes its handle to a thread of its own, and responds.
#[test]
fn a_callback_that_is_added_while_the_response_begins_waits_for_the_end() {
    model(|| {
        let mut connection = connection();
        let (clean_up, ran) = (connection.clean_up(), Ran::default());
        let added = ran.clone();
        let adds = thread::spawn(move || {
            added.add_to(&clean_up, "added");
        });
        let response = http::Response::new(ResponseBody::EventStream(StreamOptions::default()));
        connection.respond(Instant::now(), response).unwrap();
        adds.join().unwrap();
        assert_eq!(ran.names(), [""; 0], "the stream is open");
        drop(connection);
        assert_eq!(ran.names(), ["added"]);
    });
}

/// A connection with a request.
fn connection() -> Connection {
    let now = Instant::now();
    let config = Arc::<ConnectionConfig>::default();
    let mut connection = Connection::new(now, SystemTime::UNIX_EPOCH, config);
    connection.handle_input(now, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let event = connection.poll_event(now);
    assert!(matches!(event, Some(ConnectionEvent::Request(_))));
    connection
}
