//! The signals of a shutdown.

use std::pin::Pin;

use loom::thread;
use sse_core::lifecycle::Shutdown;

use crate::tasks::{join, model, poll_once, wait_for};

#[test]
fn every_signal_that_is_waited_for_is_ready_once_the_shutdown_begins() {
    model(|| {
        let shutdown = Shutdown::new();
        let signal = shutdown.signal();
        let threads = [signal.clone(), signal].map(|signal| thread::spawn(|| wait_for(signal)));
        shutdown.begin();
        join(threads);
    });
}

#[test]
fn a_shutdown_that_two_threads_begin_wakes_all_waiting_tasks() {
    model(|| {
        let shutdown = Shutdown::new();
        let signal = shutdown.signal();
        let threads = [shutdown.clone(), shutdown].map(|shutdown| {
            thread::spawn(move || {
                shutdown.begin();
                assert!(shutdown.has_begun());
            })
        });
        wait_for(signal);
        join(threads);
    });
}

#[test]
fn a_signal_that_is_dropped_takes_no_wake_up_from_another() {
    model(|| {
        let shutdown = Shutdown::new();
        let mut dropped = shutdown.signal();
        assert!(poll_once(|cx| Pin::new(&mut dropped).poll(cx)).is_pending());
        let signal = shutdown.signal();

        let waits = thread::spawn(|| wait_for(signal));
        let drops = thread::spawn(|| drop(dropped));
        shutdown.begin();
        waits.join().unwrap();
        drops.join().unwrap();
    });
}
