//! The time of the next connection: the reconnection time, the back-off, and the server's request to
//! wait.

use std::{
    io::ErrorKind::{ConnectionRefused, ConnectionReset},
    time::Duration,
};

use sse_core::{
    client::{EventSourceConfig, Phase, Reconnection},
    http::StatusCode,
};

use crate::harness::{CHUNKED, Client, OPEN, millis, secs};

fn reconnection(change: impl FnOnce(&mut Reconnection)) -> EventSourceConfig {
    let mut settings = Reconnection::default();
    change(&mut settings);
    let mut config = EventSourceConfig::default();
    config.reconnection = Some(settings);
    config
}

/// Returns the waits after this many attempts in a row that were refused.
fn waits(config: EventSourceConfig, seed: u64, attempts: usize) -> Vec<Duration> {
    let mut client = Client::seeded("http://a/", config, seed);
    for _ in 0..attempts {
        client.poll();
        client.fail(ConnectionRefused);
        client.wait();
    }
    client.waits
}

/// Returns the wait after an event stream with this content that ended, for each of many seeds.
fn waits_after(config: &EventSourceConfig, stream: &str) -> Vec<Duration> {
    let wait = |seed| {
        let mut client = Client::seeded("http://a/", config.clone(), seed);
        client.connect();
        client.lose_after(stream);
        client.waits[0]
    };
    (0..100).map(wait).collect()
}

fn assert_between(waits: &[Duration], shortest: Duration, longest: Duration) {
    let outside = waits
        .iter()
        .find(|wait| !(shortest..=longest).contains(wait));
    assert_eq!(outside, None, "is not between {shortest:?} and {longest:?}");
}

#[test]
fn the_first_wait_is_told_and_kept() {
    let mut client = Client::open(EventSourceConfig::default());
    client.end();
    assert_eq!(client.told(), ["disconnect", "lost Ended"]);
    assert_eq!(client.source.phase(), Phase::Waiting);
    let wait = client.waits[0];
    assert_between(&[wait], secs(3), secs(6));
    client.advance(wait - Duration::from_nanos(1));
    assert_eq!(client.told(), [""; 0]);
    client.advance(Duration::from_nanos(1));
    assert_eq!(client.told(), ["connect http example.org 80"]);
}

#[test]
fn the_end_of_the_wait_doubles_with_each_loss_up_to_the_ceiling() {
    let ends = [6, 12, 24, 48, 96, 192, 300, 300, 300];
    let runs: Vec<_> = (0..200)
        .map(|seed| waits(EventSourceConfig::default(), seed, 9))
        .collect();
    for (loss, end) in ends.into_iter().enumerate() {
        let waits: Vec<_> = runs.iter().map(|run| run[loss]).collect();
        assert_between(&waits, secs(3), secs(end));
        // They are spread over the whole range.
        for tenth in 0..10 {
            let tenth = secs(3) + (secs(end) - secs(3)) * tenth / 10;
            let next = tenth + (secs(end) - secs(3)) / 10;
            let there = waits.iter().any(|wait| (tenth..=next).contains(wait));
            assert!(
                there,
                "after {loss} losses: none from {tenth:?} to {next:?}"
            );
        }
    }
}

#[test]
fn the_same_seed_waits_the_same_and_another_one_does_not() {
    let with = |seed| waits(EventSourceConfig::default(), seed, 5);
    assert_eq!(with(1), with(1));
    assert_ne!(with(1), with(2));
    // Any number is a valid seed, such as one from a clock.
    assert_ne!(with(u64::MAX), with(u64::MAX - 1));
}

#[test]
fn the_waits_end_does_not_overflow() {
    let config = reconnection(|settings| {
        settings.time = Duration::MAX;
        settings.ceiling = Duration::MAX;
    });
    let mut client = Client::new(config);
    for _ in 0..40 {
        client.poll();
        client.fail(ConnectionRefused);
        assert!(
            client.source.poll_timeout().is_some(),
            "it would never come back"
        );
        client.wait();
    }
    let config = reconnection(|settings| settings.ceiling = Duration::MAX);
    assert!(waits(config, 1, 70).iter().all(|&wait| wait >= secs(3)));
}

#[test]
fn the_servers_reconnection_time_is_the_shortest_wait() {
    let config = EventSourceConfig::default();
    assert_between(&waits_after(&config, "retry: 10000\n"), secs(10), secs(20));
    // The last one counts.
    let waits = waits_after(&config, "retry: 10000\n\nretry: 1500\ndata: x\n\n");
    assert_between(&waits, millis(1500), secs(3));
    // Values that are not a number do not count.
    for stream in [
        "retry: x\n",
        "retry\n",
        "retry: -1\n",
        "retry: 1.5\n",
        "retry: 7",
    ] {
        assert_between(&waits_after(&config, stream), secs(3), secs(6));
    }
}

#[test]
fn the_servers_reconnection_time_is_kept_over_later_losses() {
    let mut client = Client::new(EventSourceConfig::default());
    client.connect();
    client.lose_after("retry: 20000\n");
    client.lose_after("data: x\n\n");
    client.fail(ConnectionRefused);
    assert_between(&client.waits, secs(20), secs(160));
}

#[test]
fn the_servers_reconnection_time_is_held_between_floor_and_ceiling() {
    let config = EventSourceConfig::default();
    assert_between(&waits_after(&config, "retry: 0\n"), secs(1), secs(2));
    for huge in [
        "retry: 18446744073709551615\n",
        "retry: 99999999999999999999999\n",
    ] {
        assert_between(&waits_after(&config, huge), secs(300), secs(300));
    }
    let lowered = reconnection(|settings| settings.floor = millis(10));
    assert_between(&waits_after(&lowered, "retry: 0\n"), millis(10), millis(20));
}

#[test]
fn waits_of_nothing_grow_nevertheless() {
    let mut config = reconnection(|settings| {
        settings.floor = Duration::ZERO;
        settings.time = Duration::ZERO;
    });
    assert_between(&waits_after(&config, "retry: 0\n"), millis(1), millis(2));
    // Each attempt fails at once.
    config.connect_timeout = Duration::ZERO;
    let mut client = Client::new(config);
    client.advance(secs(60));
    let waits = client.waits.len();
    assert!((5..100).contains(&waits), "{waits} attempts in a minute");
}

#[test]
fn a_ceiling_below_the_floor_means_the_floor() {
    let config = reconnection(|settings| {
        settings.floor = secs(5);
        settings.ceiling = secs(2);
    });
    assert!(waits(config, 1, 5).iter().all(|&wait| wait == secs(5)));
}

/// Returns the waits of a server whose streams each live this long.
fn waits_of_streams_that_live(time: Duration) -> Vec<Duration> {
    let mut client = Client::seeded("http://a/", EventSourceConfig::default(), 3);
    client.connect();
    for _ in 0..12 {
        client.receive(OPEN);
        client.advance(time);
        client.end();
        client.reconnect();
    }
    client.waits
}

#[test]
fn a_stream_that_lived_for_a_while_makes_up_for_the_losses_before() {
    let short = waits_of_streams_that_live(secs(60) - Duration::from_nanos(1));
    assert!(short.iter().any(|&wait| wait > secs(60)), "{short:?}");
    assert_between(&waits_of_streams_that_live(secs(60)), secs(3), secs(6));
}

/// Returns the waits of a server whose streams each have this content and are then lost in this way.
fn waits_of_streams_that_say(stream: &str, lose: fn(&mut Client)) -> Vec<Duration> {
    let mut client = Client::seeded("http://a/", EventSourceConfig::default(), 3);
    client.connect();
    for _ in 0..12 {
        client.receive(OPEN);
        client.receive(stream);
        lose(&mut client);
        client.reconnect();
    }
    client.waits
}

#[test]
fn a_stream_that_gave_an_event_and_ended_properly_does_not_count_as_a_loss() {
    let one_event = "retry: 1000\ndata: x\n\n";
    assert_between(
        &waits_of_streams_that_say(one_event, Client::end),
        secs(1),
        secs(2),
    );
    // The same where events alone are taken.
    let mut client = Client::seeded("http://a/", EventSourceConfig::default(), 3);
    client.connect();
    for _ in 0..12 {
        client.receive(OPEN);
        client.source.handle_input(client.now, one_event.as_bytes());
        client.take_received_event().expect("an event");
        client.end();
        client.reconnect();
    }
    assert_between(&client.waits, secs(1), secs(2));
    // Earlier losses are forgotten, too.
    let mut client = Client::new(EventSourceConfig::default());
    for _ in 0..9 {
        client.connect();
        client.end();
        client.wait();
    }
    client.connect();
    client.waits.clear();
    client.lose_after("data: x\n\n");
    client.fail(ConnectionRefused);
    assert_between(&client.waits, secs(3), secs(6));
}

#[test]
fn a_stream_without_an_event_or_a_proper_end_counts_as_a_loss() {
    let reset = |client: &mut Client| client.fail(ConnectionReset);
    for (stream, lose) in [
        ("", Client::end as fn(&mut Client)),
        (": comment\n\n", Client::end),
        ("retry: 3000\n\n", Client::end),
        ("id: 1\n\n", Client::end),
        ("data: half", Client::end),
        ("data: x\n\n", reset),
    ] {
        let waits = waits_of_streams_that_say(stream, lose);
        assert!(
            waits.iter().any(|&wait| wait > secs(60)),
            "{stream:?}: {waits:?}"
        );
    }
    // A body that is cut short has no proper end.
    let mut client = Client::seeded("http://a/", EventSourceConfig::default(), 3);
    client.connect();
    for _ in 0..12 {
        client.receive(CHUNKED);
        client.receive("9\r\ndata: x\n\n\r\n");
        client.end();
        client.reconnect();
    }
    assert!(client.waits.iter().any(|&wait| wait > secs(60)));
}

#[test]
fn only_time_with_an_open_stream_makes_up_for_losses() {
    let mut config = EventSourceConfig::default();
    config.head_timeout = secs(10_000);
    let mut client = Client::new(config);
    for _ in 0..9 {
        client.connect();
        client.advance(secs(100));
        client.end();
        client.wait();
    }
    assert!(
        client.waits.iter().any(|&wait| wait > secs(60)),
        "{:?}",
        client.waits
    );
}

#[test]
fn so_many_attempts_in_a_row_may_fail() {
    for (most, attempts) in [(0, 1), (1, 1), (3, 3)] {
        let mut client = Client::new(reconnection(|s| s.max_attempts = Some(most)));
        for _ in 1..attempts {
            client.connect();
            client.end();
            client.wait();
        }
        client.told();
        client.fail(ConnectionRefused);
        let told = client.told();
        assert_eq!(told[0], "disconnect");
        assert!(told[1].starts_with("failed GaveUp(Transport("), "{told:?}");
        assert_eq!(client.source.phase(), Phase::Closed);
    }
}

#[test]
fn an_open_stream_starts_the_count_of_attempts_again() {
    let mut client = Client::new(reconnection(|s| s.max_attempts = Some(2)));
    for _ in 0..5 {
        client.connect();
        client.end();
        client.reconnect();
        client.receive(OPEN);
        client.end();
        client.wait();
    }
    client.fail(ConnectionRefused);
    client.wait();
    client.told();
    client.fail(ConnectionRefused);
    assert!(client.told()[1].starts_with("failed GaveUp"));
}

fn retrying(statuses: &[u16]) -> EventSourceConfig {
    let mut config = EventSourceConfig::default();
    let statuses = statuses
        .iter()
        .map(|&code| StatusCode::from_u16(code).unwrap());
    config.retry_statuses = statuses.collect();
    config
}

/// Returns the wait after a 503 with these fields.
fn wait_after_503(fields: &str) -> Duration {
    let mut client = Client::new(retrying(&[429, 503]));
    client.connect();
    client.told();
    client.receive(format!(
        "HTTP/1.1 503 Later\r\n{fields}\r\ncontent-length: 5\r\n\r\nlater"
    ));
    assert_eq!(client.told(), ["disconnect", r#"lost Status 503 "later""#]);
    client.waits[0]
}

#[test]
fn chosen_statuses_are_losses_and_the_others_are_not() {
    assert_between(&[wait_after_503("x: y")], secs(3), secs(6));
    let mut client = Client::new(retrying(&[429, 503]));
    client.connect();
    client.receive("HTTP/1.1 502 Bad\r\ncontent-length: 0\r\n\r\n");
    assert!(
        client
            .told()
            .contains(&r#"failed Status 502 """#.to_owned())
    );
}

#[test]
fn the_body_of_a_chosen_status_is_waited_for_as_long_as_a_head() {
    let mut client = Client::new(retrying(&[503]));
    client.connect();
    client.told();
    client.receive("HTTP/1.1 503 Later\r\n\r\nbecause");
    assert_eq!(client.told(), [""; 0]);
    assert_eq!(client.wait(), secs(30));
    assert_eq!(
        client.told(),
        ["disconnect", r#"lost Status 503 "because" cut"#]
    );
}

#[test]
fn chosen_statuses_count_as_failed_attempts() {
    let mut config = retrying(&[503]);
    config.reconnection.as_mut().unwrap().max_attempts = Some(2);
    let mut client = Client::new(config);
    client.connect();
    client.receive("HTTP/1.1 503 Later\r\ncontent-length: 0\r\n\r\n");
    client.reconnect();
    client.told();
    client.receive("HTTP/1.1 503 Later\r\ncontent-length: 0\r\n\r\n");
    assert_eq!(
        client.told(),
        ["disconnect", r#"failed GaveUp(Status) 503 """#]
    );
}

#[test]
fn a_204_and_a_redirect_are_what_they_are_whatever_is_chosen() {
    let mut client = Client::new(retrying(&[204, 302]));
    client.connect();
    client.receive("HTTP/1.1 302 Found\r\nlocation: /there\r\n\r\n");
    assert!(client.connect().starts_with("GET /there "));
    client.receive("HTTP/1.1 204 No Content\r\n\r\n");
    assert_eq!(client.told().last().unwrap(), "closed NoContent");
}

#[test]
fn retry_after_is_waited_for_up_to_the_ceiling() {
    const DATE: &str = "date: Sun, 06 Nov 1994 08:49:37 GMT\r\n";
    let table = [
        ("retry-after: 100", secs(100)),
        ("retry-after:   0100  ", secs(100)),
        ("retry-after: 300", secs(300)),
        ("retry-after: 301", secs(300)),
        ("retry-after: 18446744073709551615", secs(300)),
        ("retry-after: 18446744073709551616", secs(300)),
        ("retry-after: 99999999999999999999999999", secs(300)),
        (
            &format!("{DATE}retry-after: Sun, 06 Nov 1994 08:51:17 GMT"),
            secs(100),
        ),
        (
            &format!("{DATE}retry-after: Sunday, 06-Nov-94 08:51:17 GMT"),
            secs(100),
        ),
        (
            &format!("{DATE}retry-after: Sun Nov  6 08:51:17 1994"),
            secs(100),
        ),
        (
            &format!("{DATE}retry-after: Fri, 31 Dec 9999 23:59:59 GMT"),
            secs(300),
        ),
    ];
    for (fields, wait) in table {
        assert_between(&[wait_after_503(fields)], wait, (wait * 2).min(secs(300)));
    }
}

#[test]
fn a_retry_after_that_says_nothing_is_passed_over() {
    for fields in [
        "retry-after: 0",
        "retry-after:",
        "retry-after: soon",
        "retry-after: -100",
        "retry-after: +100",
        "retry-after: 100.5",
        "retry-after: 1e9",
        "retry-after: \u{661}\u{660}\u{660}",
        // There is no `Date` to compare with.
        "retry-after: Sun, 06 Nov 1994 08:51:17 GMT",
        // The date is in the past.
        "date: Sun, 06 Nov 1994 08:49:37 GMT\r\nretry-after: Sun, 06 Nov 1994 08:48:00 GMT",
        "date: now\r\nretry-after: Sun, 06 Nov 1994 08:51:17 GMT",
    ] {
        assert_between(&[wait_after_503(fields)], secs(3), secs(6));
    }
}
