//! A client decodes exactly what was sent to it, whatever the topic, the other clients and the network
//! do.

use proptest::{collection::vec, prelude::*};
use sse_core::{server::StreamCompression::*, topic::WhenTooSlow};

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Publish {
        len: usize,
        count: usize,
        is_noise: bool,
    },
    /// The client takes this many pieces.
    Read(usize, usize),
    Send(usize, usize),
    Idle(usize),
    /// The client disconnects, and comes back after this event.
    Resume(usize, u64),
}

fn step() -> impl Strategy<Value = Step> {
    let len = prop_oneof![4 => 0..300_usize, 1 => 0..5000_usize];
    let publish = (len.clone(), 1..60_usize, prop::bool::weighted(0.2));
    prop_oneof![
        6 => publish.prop_map(|(len, count, is_noise)| Step::Publish { len, count, is_noise }),
        6 => (0..3_usize, 1..20_usize).prop_map(|(client, pieces)| Step::Read(client, pieces)),
        1 => (0..3_usize, len).prop_map(|(client, len)| Step::Send(client, len)),
        1 => (0..3_usize).prop_map(Step::Idle),
        1 => (0..3_usize, 0..800_u64).prop_map(|(client, event)| Step::Resume(client, event)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_client_decodes_what_it_was_sent(
        steps in vec(step(), 0..60),
        max_bytes in prop_oneof![Just(8 * 1024), Just(100 * 1024), Just(4 << 20)],
    ) {
        let mut config = compressing();
        config.max_bytes = max_bytes;
        config.when_too_slow = WhenTooSlow::SkipAhead;
        let topic = topic(config);
        let new = |client| match client {
            0 => Client::new(Shared, true),
            1 => Client::new(Own, true),
            _ => Client::new(Shared, false),
        };
        let mut clients: Vec<_> = (0..3).map(|n| (new(n), topic.subscribe())).collect();
        for (seed, step) in steps.into_iter().enumerate() {
            match step {
                Step::Publish { len, count, is_noise } => {
                    let len = len.min(max_bytes / 8);
                    for n in 0..count {
                        topic.publish(payload((seed + n) as u64, len, is_noise)).unwrap();
                    }
                    prop_assert!(topic.retained_bytes() <= max_bytes);
                }
                Step::Read(n, pieces) => {
                    let (client, subscriber) = &mut clients[n];
                    for _ in 0..pieces {
                        if let Some(events) = next(subscriber) {
                            client.send_encoded(events);
                        }
                    }
                }
                Step::Send(n, len) => clients[n].0.send(&payload(seed as u64, len, false)),
                Step::Idle(n) => clients[n].0.idle(),
                Step::Resume(n, event) => {
                    let id = format!("0-{event}");
                    let (client, _) = std::mem::replace(
                        &mut clients[n],
                        (new(n), topic.resume_from(Some(&id))),
                    );
                    client.finish();
                }
            }
        }
        for (client, _) in clients {
            client.finish();
        }
    }
}

/// Every client of these joins at another event, and gets an event of its own before another one.
#[test]
fn a_client_joins_and_is_interrupted_at_every_event_and_every_segment_bound() {
    const EVENTS: usize = 40;

    for join in 0..EVENTS {
        let mut config = compressing();
        config.max_bytes = 768 * 1024;
        // Segments have some twelve events, and each begins with a restart point.
        let topic = topic(config);
        let publish = |n: usize| topic.publish(payload(n as u64, 3000, false)).unwrap();
        (0..join).for_each(|n| {
            publish(n);
        });
        let mut clients: Vec<_> = (join..EVENTS)
            .map(|_| (Client::new(Shared, true), topic.subscribe(), 0))
            .collect();
        for n in join..EVENTS {
            publish(n);
            for (interrupted_at, (client, subscriber, shared)) in (join..).zip(&mut clients) {
                if n == interrupted_at {
                    client.send("of the handler");
                }
                let events = next(subscriber).expect("an event");
                let plain = events.as_bytes().len();
                *shared += usize::from(2 * client.send_encoded(events) < plain);
            }
        }
        for (interrupted_at, (client, _, shared)) in (join..).zip(clients) {
            // Two segments at most are not shared: that of the joining, and that of the interruption.
            assert!(
                shared + 28 >= EVENTS - join,
                "{shared} shared, joined at {join}, interrupted at {interrupted_at}"
            );
            client.finish();
        }
    }
}
