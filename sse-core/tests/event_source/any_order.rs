//! Any order of calls is allowed, and the events are consistent in each.

use std::io::ErrorKind::ConnectionReset;

use proptest::prelude::*;
use sse_core::{
    client::{EventSourceConfig, Phase},
    http::StatusCode,
};

use crate::{
    harness::{Client, OPEN, cases, millis, secs},
    trial::{Call, INPUTS, Trial, calls},
};

/// Returns ways to each phase, some with events that were not taken.
fn ways() -> Vec<(Phase, Vec<Call>)> {
    use Call::{Close, Connected, Eof, Input, NextDeadline, Poll, PollOne, Response, TakeRequest};
    let open = || Input(OPEN.as_bytes());
    let (refusal, redirect) = (Input(INPUTS[15]), Input(INPUTS[13]));
    vec![
        (Phase::Connecting, vec![]),
        (Phase::Connecting, vec![Poll]),
        (Phase::Connecting, vec![Poll, Connected, redirect.clone()]),
        (Phase::Connecting, vec![Poll, Connected, redirect, PollOne]),
        (Phase::Connecting, vec![Poll, Eof, NextDeadline]),
        (Phase::Connecting, vec![Poll, Eof, PollOne, NextDeadline]),
        (Phase::Requesting, vec![Poll, Connected]),
        (
            Phase::Requesting,
            vec![Poll, Connected, Input(b"HTTP/1.1 200")],
        ),
        (Phase::Requesting, vec![Poll, TakeRequest]),
        (Phase::Unexpected, vec![Poll, Connected, refusal]),
        (Phase::Unexpected, vec![Poll, TakeRequest, Response(404)]),
        (Phase::Open, vec![Poll, Connected, open()]),
        (Phase::Open, vec![Poll, Connected, open(), Poll]),
        (
            Phase::Open,
            vec![Poll, Connected, open(), Input(INPUTS[6]), PollOne],
        ),
        (
            Phase::Open,
            vec![Poll, Connected, open(), Input(INPUTS[6]), Eof],
        ),
        (Phase::Open, vec![Poll, TakeRequest, Response(200)]),
        (Phase::Waiting, vec![Poll, Eof]),
        (Phase::Waiting, vec![Poll, Eof, PollOne]),
        (Phase::Waiting, vec![Poll, Connected, Eof, Poll]),
        (Phase::Waiting, vec![Poll, Connected, open(), Eof, Poll]),
        (Phase::Paused, vec![Call::Pause]),
        (Phase::Paused, vec![Poll, Call::Pause, Poll]),
        (Phase::Paused, vec![Poll, Eof, Call::Pause]),
        (
            Phase::Paused,
            vec![Poll, Connected, open(), Call::Pause, Poll],
        ),
        (
            Phase::Open,
            vec![
                Poll,
                Connected,
                open(),
                Input(INPUTS[6]),
                Call::Pause,
                PollOne,
            ],
        ),
        (
            Phase::Waiting,
            vec![Poll, Connected, open(), Call::Reconnect, Poll],
        ),
        (Phase::Closed, vec![Close]),
        (Phase::Closed, vec![Poll, Close]),
        (Phase::Closed, vec![Poll, Connected, open(), Close, Poll]),
        (Phase::Closed, vec![Poll, Connected, Input(INPUTS[12])]),
        (Phase::Closed, vec![Poll, Eof, Close]),
    ]
}

#[test]
fn every_call_is_legal_in_every_phase_and_after_every_other() {
    for (phase, way) in ways() {
        for first in calls() {
            for second in calls() {
                let mut trial = Trial::new(EventSourceConfig::default());
                way.iter().for_each(|call| trial.call(call));
                assert_eq!(trial.client.source.phase(), phase, "{way:?}");
                trial.call(&first);
                trial.call(&second);
                trial.settle();
            }
        }
    }
}

/// Returns ways of an event source that asks before each attempt.
fn prepared_ways() -> Vec<(Phase, Vec<Call>)> {
    use Call::{Connected, Eof, Input, NextDeadline, Poll, Send, Wait};
    vec![
        (Phase::Preparing, vec![]),
        (Phase::Preparing, vec![Poll]),
        (Phase::Preparing, vec![Poll, Wait(secs(1)), NextDeadline]),
        (
            Phase::Preparing,
            vec![Poll, Send(None), Poll, Eof, Poll, NextDeadline],
        ),
        (Phase::Connecting, vec![Poll, Send(None)]),
        (Phase::Connecting, vec![Poll, Send(Some("3")), Poll]),
        (Phase::Waiting, vec![Poll, Wait(secs(1))]),
        (Phase::Waiting, vec![Poll, Call::PreparationError]),
        (
            Phase::Waiting,
            vec![Poll, Send(None), Poll, Connected, Input(INPUTS[15]), Eof],
        ),
    ]
}

#[test]
fn every_call_is_legal_also_where_attempts_are_prepared() {
    for (phase, way) in prepared_ways() {
        for first in calls() {
            for second in calls() {
                let mut trial = Trial::prepared(EventSourceConfig::default());
                way.iter().for_each(|call| trial.call(call));
                assert_eq!(trial.client.source.phase(), phase, "{way:?}");
                trial.call(&first);
                trial.call(&second);
                trial.settle();
            }
        }
    }
}

#[test]
fn closing_ends_it_from_everywhere() {
    for (phase, way) in ways() {
        let mut trial = Trial::new(EventSourceConfig::default());
        way.iter().for_each(|call| trial.call(call));
        trial.client.close();
        assert_eq!(trial.client.source.phase(), Phase::Closed);
        assert!(trial.client.source.poll_transmit().is_empty());
        assert_eq!(trial.client.source.poll_timeout(), None);
        trial.settle();
        if phase != Phase::Closed {
            assert_eq!(trial.client.told().last().unwrap(), "closed Closed");
        }
    }
}

#[test]
fn closing_drops_events_that_were_not_taken() {
    let mut client = Client::open(EventSourceConfig::default());
    client.source.handle_input(client.now, b"data: a\n\n");
    client.close();
    assert_eq!(client.told(), ["disconnect", "closed Closed"]);
}

#[test]
fn closing_before_anything_was_asked_for_leaves_nothing_to_disconnect() {
    let mut client = Client::new(EventSourceConfig::default());
    client.close();
    assert_eq!(client.told(), ["closed Closed"]);
}

#[test]
fn input_from_an_old_connection_makes_no_difference() {
    let stale = |client: &mut Client| {
        let (source, now) = (&mut client.source, client.now);
        source.handle_connected(now);
        source.handle_input(now, OPEN.as_bytes());
        source.handle_input(now, b"id: stale\ndata: stale\n\n");
        source.handle_transmitted(now, 1000);
        source.handle_eof(now);
        source.handle_transport_error(now, ConnectionReset.into());
    };
    // A redirect: the next connection is wanted at once.
    let mut client = Client::new(EventSourceConfig::default());
    client.connect();
    client.told();
    let redirect = b"HTTP/1.1 302 Found\r\nlocation: /there\r\n\r\n";
    client.source.handle_input(client.now, redirect);
    stale(&mut client);
    assert_eq!(client.poll_one().unwrap(), "disconnect");
    stale(&mut client);
    assert_eq!(client.told(), ["disconnect", "connect http example.org 80"]);
    assert!(client.connect().starts_with("GET /there "));

    // A loss: the next connection is wanted after a wait, of which the caller has not been told yet.
    let mut client = Client::open(EventSourceConfig::default());
    client.end();
    let mut silent = Client::open(EventSourceConfig::default());
    silent.source.handle_eof(silent.now);
    silent.poll_one();
    stale(&mut silent);
    assert_eq!(silent.source.phase(), Phase::Waiting);
    silent.now += secs(10);
    silent.source.handle_timeout(silent.now);
    stale(&mut silent);
    assert_eq!(silent.source.phase(), Phase::Connecting);
    silent.poll();
    client.wait();
    assert_eq!(silent.told(), client.told());
    assert!(!silent.connect().contains("stale"));
}

fn config() -> impl Strategy<Value = EventSourceConfig> {
    let attempts = prop::option::of(1..4_u32);
    let idle = prop::option::of((0..3_u64).prop_map(secs));
    (any::<bool>(), attempts, idle, 0..3_u32, 0..30_usize).prop_map(
        |(once, attempts, idle, redirects, size)| {
            let mut config = EventSourceConfig::default();
            if once {
                config.reconnection = None;
            } else {
                config.reconnection.as_mut().unwrap().max_attempts = attempts;
            }
            config.idle_timeout = idle;
            config.max_redirects = redirects;
            config.max_unexpected_body = size;
            config.high_water_mark = size;
            config.retry_statuses = vec![StatusCode::SERVICE_UNAVAILABLE];
            config.body = "body".into();
            config
        },
    )
}

/// Returns most often a call that a caller would make, and sometimes another one.
fn call() -> impl Strategy<Value = Call> {
    let plausible = prop_oneof![
        4 => Just(Call::Connected),
        6 => prop::sample::select(INPUTS.to_vec()).prop_map(Call::Input),
        2 => Just(Call::Input(OPEN.as_bytes())),
        5 => Just(Call::Poll),
        3 => Just(Call::PollOne),
        2 => Just(Call::NextDeadline),
        1 => (0..5000_u64).prop_map(|time| Call::Timeout(millis(time))),
        1 => (0..300_usize).prop_map(Call::Transmitted),
        1 => Just(Call::TakeRequest),
        1 => prop::sample::select(vec![200, 200, 302, 404, 503]).prop_map(Call::Response),
        1 => Just(Call::Body(b"id: 4\ndata: x\n\n")),
        1 => Just(Call::BodyEnd),
        2 => prop::sample::select(vec![None, None, Some("3"), Some("")]).prop_map(Call::Send),
    ];
    prop_oneof![9 => plausible, 1 => prop::sample::select(calls())]
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn the_events_are_consistent_in_any_order_of_calls(
        config in config(),
        prepares in any::<bool>(),
        calls in prop::collection::vec(call(), 0..80),
    ) {
        let mut trial = match prepares {
            false => Trial::new(config),
            true => Trial::prepared(config),
        };
        for call in &calls {
            trial.call(call);
        }
        trial.settle();
        trial.call(&Call::Close);
        trial.settle();
        prop_assert!(trial.law.closed);
        let ends = trial.client.told();
        let ends = ends.iter().filter(|line| line.starts_with("closed") || line.starts_with("failed"));
        prop_assert_eq!(ends.count(), 1);
    }
}
