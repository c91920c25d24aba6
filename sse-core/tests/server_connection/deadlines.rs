//! The deadlines of a connection.

use super::*;

#[test]
fn a_silent_connection_is_closed_without_an_answer() {
    let mut pump = Pump::default();
    pump.pass(secs(9));
    assert_eq!(pump.connection.phase(), Phase::Head);
    pump.pass(secs(1));
    pump.run();
    assert_eq!(pump.wire, b"");
    assert_eq!(pump.closed, Some(CloseReason::TimedOut(Deadline::Head)));
}

#[test]
fn a_slow_head_is_answered_408_however_it_drips() {
    let mut pump = Pump::default();
    for byte in &REQUEST[..9] {
        pump.input(&[*byte]);
        pump.pass(secs(1));
    }
    assert_eq!(pump.connection.phase(), Phase::Head);
    pump.pass(secs(1));
    pump.run();
    assert_eq!(pump.status(), "408");
    // The client may still be sending: the response must not be lost to a reset.
    assert_eq!(pump.closed, None);
    pump.pass(secs(1));
    pump.run();
    assert_eq!(pump.closed, Some(CloseReason::TimedOut(Deadline::Head)));
}

#[test]
fn input_that_is_told_before_the_time_comes_before_it() {
    for late in [secs(10), secs(11)] {
        let mut pump = Pump::default();
        pump.input(&REQUEST[..9]);
        pump.now += late;
        pump.input(&REQUEST[9..]);
        pump.connection.handle_timeout(pump.now);
        assert_eq!(pump.connection.phase(), Phase::Responding);

        let mut pump = Pump::in_phase(Phase::Body);
        pump.now += secs(20) + late;
        pump.input(b"hello");
        pump.connection.handle_timeout(pump.now);
        assert_eq!(pump.connection.phase(), Phase::Responding);
    }
}

#[test]
fn a_handler_that_does_not_answer_is_a_503() {
    let mut pump = Pump::in_phase(Phase::Responding);
    pump.pass(secs(30));
    pump.run();
    assert_eq!(pump.status(), "503");
    assert_eq!(pump.closed, Some(CloseReason::TimedOut(Deadline::Respond)));
    assert!(matches!(
        pump.respond(Response::new(ResponseBody::event_stream())),
        Err(RespondError::WrongPhase(WrongPhase {
            call: "respond",
            phase: Phase::Closed
        }))
    ));
}

#[test]
fn a_stalled_write_is_cut_and_progress_moves_the_deadline() {
    let mut pump = Pump::streaming(ConnectionConfig::default());
    pump.send("one").unwrap();
    pump.pass(secs(29));
    let _ = pump.connection.poll_transmit();
    pump.connection.handle_transmitted(pump.now, 1);
    // Sending more is not progress.
    pump.pass(secs(29));
    pump.send("two").unwrap();
    assert_eq!(pump.connection.phase(), Phase::Streaming);
    pump.pass(secs(1));
    pump.events();
    assert_eq!(pump.closed, Some(CloseReason::TimedOut(Deadline::Stall)));
}

#[test]
fn a_response_head_that_is_not_taken_is_cut_too() {
    let mut pump = Pump::streaming(ConnectionConfig::default());
    pump.pass(secs(29));
    assert_eq!(pump.connection.phase(), Phase::Streaming);
    pump.pass(secs(1));
    pump.events();
    assert_eq!(pump.closed, Some(CloseReason::TimedOut(Deadline::Stall)));
}

#[test]
fn an_idle_stream_sends_comments_and_a_busy_one_does_not() {
    let mut pump = Pump::streaming(ConnectionConfig::default());
    pump.run();
    pump.wire.clear();
    pump.pass(secs(14));
    pump.send("one").unwrap();
    pump.write();
    pump.pass(secs(14));
    pump.write();
    assert_eq!(pump.text(), "b\r\ndata: one\n\n\r\n");
    pump.wire.clear();
    pump.pass(secs(1));
    pump.write();
    pump.pass(secs(15));
    pump.write();
    assert_eq!(pump.text(), "2\r\n:\n\r\n2\r\n:\n\r\n");
}

#[test]
fn a_stream_may_have_a_keep_alive_of_its_own() {
    let streaming = |keep_alive| {
        let mut options = StreamOptions::default();
        options.keep_alive = keep_alive;
        let mut pump = Pump::in_phase(Phase::Responding);
        pump.respond(Response::new(ResponseBody::EventStream(options)))
            .unwrap();
        pump.write();
        pump.wire.clear();
        pump
    };
    let idle = KeepAlive::every(secs(5)).with_comment(Comment::new("idle"));
    let mut pump = streaming(Some(idle));
    for _ in 0..2 {
        pump.pass(secs(4));
        pump.write();
        assert_eq!(pump.text(), "");
        pump.pass(secs(1));
        pump.write();
        assert!(pump.text().contains("\r\n: idle\n"), "{}", pump.text());
        pump.wire.clear();
    }
    let pump = streaming(Some(KeepAlive::never()));
    assert_eq!(pump.connection.poll_timeout(), None);
    // This is the configuration's.
    let mut pump = streaming(None);
    pump.pass(secs(15));
    assert!(pump.connection.has_output());
}

#[test]
fn a_keep_alive_may_be_an_event_which_leaves_the_client_its_last_event_id() {
    let mut options = StreamOptions::default();
    let heartbeat = Event::new("").of_type(EventType::from_static("heartbeat"));
    options.keep_alive = Some(KeepAlive::every(secs(5)).with_event(heartbeat.under_id(7)));
    let mut pump = Pump::in_phase(Phase::Responding);
    pump.respond(Response::new(ResponseBody::EventStream(options)))
        .unwrap();
    pump.write();
    for _ in 0..2 {
        pump.wire.clear();
        pump.pass(secs(5));
        pump.write();
        assert!(
            pump.text().contains("\r\nevent: heartbeat\ndata:\n\n"),
            "{}",
            pump.text()
        );
        assert!(!pump.text().contains("id"), "{}", pump.text());
    }
}

#[test]
fn a_keep_alive_event_that_is_encoded_to_nothing_is_the_comment() {
    for event in [Event::without_data(), Event::without_data().under_id(7)] {
        let keep_alive = KeepAlive::every(secs(5)).with_event(event);
        let mut options = StreamOptions::default();
        options.keep_alive = Some(keep_alive);
        let mut pump = Pump::in_phase(Phase::Responding);
        pump.respond(Response::new(ResponseBody::EventStream(options)))
            .unwrap();
        pump.write();
        for _ in 0..3 {
            pump.wire.clear();
            pump.pass(secs(5));
            pump.write();
            assert_eq!(pump.text(), "2\r\n:\n\r\n");
        }
    }
}

#[test]
fn a_stream_that_has_something_to_write_adds_no_comment() {
    let mut pump = Pump::streaming(ConnectionConfig::default());
    pump.run();
    pump.send("one").unwrap();
    pump.pass(secs(29));
    assert_eq!(pump.connection.phase(), Phase::Streaming);
    assert_eq!(pump.connection.queued(), "data: one\n\n".len());
}

#[test]
fn a_peer_that_vanished_is_found_out_by_its_keep_alive() {
    let mut pump = Pump::streaming(ConnectionConfig::default());
    pump.run();
    pump.pass(secs(15 + 29));
    assert_eq!(pump.connection.phase(), Phase::Streaming);
    assert_eq!(pump.connection.queued(), 2, "one comment, not several");
    pump.pass(secs(1));
    pump.events();
    assert_eq!(pump.closed, Some(CloseReason::TimedOut(Deadline::Stall)));
}

#[test]
fn without_keep_alive_an_idle_stream_has_no_deadline() {
    let mut config = ConnectionConfig::default();
    config.response.keep_alive = None;
    let mut pump = Pump::streaming(config);
    pump.run();
    assert_eq!(pump.connection.poll_timeout(), None);
}

#[test]
fn draining_has_a_deadline_that_progress_does_not_move() {
    let mut pump = Pump::streaming(ConnectionConfig::default());
    pump.send(&"x".repeat(1000)).unwrap();
    pump.connection.finish(pump.now).unwrap();
    while pump.now < pump.start + secs(29) {
        pump.pass(secs(1));
        let _ = pump.connection.poll_transmit();
        pump.connection.handle_transmitted(pump.now, 1);
    }
    assert_eq!(pump.connection.phase(), Phase::Delivering);
    pump.pass(secs(1));
    pump.events();
    assert_eq!(pump.closed, Some(CloseReason::TimedOut(Deadline::Drain)));
}

#[test]
fn an_output_that_is_not_ended_in_time_is_not_told_as_delivered() {
    let mut pump = Pump::streaming(ConnectionConfig::default());
    pump.send("one").unwrap();
    pump.connection.finish(pump.now).unwrap();
    // The transport takes all bytes, and buffers them.
    pump.write();
    while pump.connection.poll_event(pump.now).is_some() {}
    assert_eq!(pump.connection.phase(), Phase::Ending);
    pump.pass(secs(30));
    pump.events();
    assert_eq!(pump.closed, Some(CloseReason::TimedOut(Deadline::Drain)));
}

#[test]
fn a_late_caller_is_told_the_deadline_that_passed_first() {
    for (drain, reason) in [(secs(20), Deadline::Drain), (secs(40), Deadline::Stall)] {
        let mut config = ConnectionConfig::default();
        config.drain_timeout = drain;
        let mut pump = Pump::streaming(config);
        pump.send("one").unwrap();
        pump.connection.finish(pump.now).unwrap();
        // Both have passed: the time to drain, and the 30 s without progress.
        pump.now += secs(60);
        pump.connection.handle_timeout(pump.now);
        pump.events();
        assert_eq!(pump.closed, Some(CloseReason::TimedOut(reason)));
    }
}

#[test]
fn reading_on_after_an_answer_does_not_move_the_drain_deadline() {
    let mut config = ConnectionConfig::default();
    config.drain_timeout = secs(5);
    config.linger_timeout = secs(60);
    let mut pump = Pump::new(config);
    pump.input(b"\0");
    pump.run();
    assert_eq!(pump.status(), "400");
    assert_eq!(pump.said, ["end output"]);
    pump.pass(secs(4));
    pump.run();
    assert_eq!(pump.closed, None);
    pump.pass(secs(1));
    pump.run();
    let reason = CloseReason::Rejected(StatusCode::BAD_REQUEST);
    assert_eq!(pump.closed, Some(reason));
}

#[test]
fn deadlines_beyond_the_end_of_time_are_no_deadlines() {
    let mut config = ConnectionConfig::default();
    config.head_timeout = Duration::MAX;
    config.response.keep_alive = Some(Duration::MAX);
    config.stall_timeout = Duration::MAX;
    let mut pump = Pump::new(config);
    assert_eq!(pump.connection.poll_timeout(), None);
    pump.input(REQUEST);
    pump.respond(Response::new(ResponseBody::event_stream()))
        .unwrap();
    assert_eq!(pump.connection.poll_timeout(), None);
}

#[test]
fn a_stream_ends_properly_at_the_end_of_its_lifetime() {
    let mut config = ConnectionConfig::default();
    config.response.keep_alive = None;
    let mut pump = Pump::new(config);
    pump.input(REQUEST);
    pump.events();
    let mut options = StreamOptions::default();
    options.lifetime = Some(Duration::from_secs(60));
    pump.respond(Response::new(ResponseBody::EventStream(options)))
        .unwrap();
    pump.send("one").unwrap();
    pump.run();
    pump.pass(Duration::from_secs(59));
    assert_eq!(pump.connection.phase(), Phase::Streaming);

    pump.send("last").unwrap();
    pump.pass(Duration::from_secs(1));
    assert!(pump.send("too late").is_err());
    pump.run();
    assert!(
        pump.body().ends_with("data: last\n\n\r\n0\r\n\r\n"),
        "{}",
        pump.body()
    );
    assert_eq!(pump.closed, Some(CloseReason::LifetimeOver));
}

#[test]
fn of_several_ends_the_earliest_counts() {
    let mut pump = Pump::streaming(ConnectionConfig::default());
    pump.run();
    let at = |seconds| pump.start + Duration::from_secs(seconds);
    let ends = [
        (30, CloseReason::LifetimeOver),
        (5, CloseReason::Shutdown),
        (7, CloseReason::LifetimeOver),
    ];
    let ends = ends.map(|(seconds, reason)| (at(seconds), reason));
    for (at, reason) in ends {
        pump.connection.finish_at(at, reason).unwrap();
    }
    pump.pass(Duration::from_secs(4));
    assert_eq!(pump.connection.phase(), Phase::Streaming);
    pump.pass(Duration::from_secs(1));
    pump.run();
    assert_eq!(pump.closed, Some(CloseReason::Shutdown));
}

#[test]
fn the_last_line_of_a_stream_can_be_a_reconnection_time() {
    let retry = Duration::from_millis(1234);
    let ends: [fn(&mut Pump); 2] = [
        |pump| pump.connection.finish(pump.now).unwrap(),
        |pump| {
            let at = pump.start + Duration::from_secs(1);
            pump.connection
                .finish_at(at, CloseReason::Shutdown)
                .unwrap();
            pump.pass(Duration::from_secs(1));
        },
    ];
    for end in ends {
        let mut pump = Pump::streaming(ConnectionConfig::default());
        pump.connection.end_with_retry(retry).unwrap();
        pump.send("one").unwrap();
        end(&mut pump);
        pump.run();
        assert!(
            pump.body()
                .contains("data: one\n\nretry: 1234\n\r\n0\r\n\r\n")
        );
    }

    let mut pump = Pump::streaming(ConnectionConfig::default());
    pump.connection.end_with_retry(retry).unwrap();
    pump.connection
        .abort(pump.now, CloseReason::HandlerPanicked)
        .unwrap();
    pump.run();
    assert_eq!(pump.body(), "", "a stream that fails tells nothing");
}

#[test]
fn with_no_time_to_stall_what_a_deadline_queues_is_still_offered_to_the_transport() {
    let mut config = ConnectionConfig::default();
    config.stall_timeout = Duration::ZERO;
    let mut slow = Pump::new(config.clone());
    slow.input(&REQUEST[..9]);
    slow.now += config.head_timeout;
    slow.connection.handle_timeout(slow.now);
    slow.run();
    assert_eq!(slow.status(), "408");

    config.response.keep_alive = Some(secs(15));
    let mut idle = Pump::streaming(config);
    idle.run();
    for _ in 0..3 {
        idle.now += secs(15);
        idle.connection.handle_timeout(idle.now);
        idle.run();
        assert_eq!(idle.closed, None);
    }
    // A client that takes none of the next bytes is cut at the caller's next call.
    idle.now += secs(15);
    idle.connection.handle_timeout(idle.now);
    assert_eq!(idle.connection.poll_timeout(), Some(idle.now));
    idle.connection.handle_timeout(idle.now);
    idle.run();
    assert_eq!(idle.closed, Some(CloseReason::TimedOut(Deadline::Stall)));
}

#[test]
fn a_body_that_is_late_is_told_before_a_100_that_was_not_taken() {
    let mut config = ConnectionConfig::default();
    config.response.body_timeout = secs(40);
    let mut pump = Pump::new(config);
    pump.input(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    pump.events();
    pump.connection.receive_body(pump.now).unwrap();
    // Both have passed: the 30 s without progress, and the time for the body.
    pump.now += secs(60);
    pump.connection.handle_timeout(pump.now);
    pump.events();
    assert_eq!(pump.closed, Some(CloseReason::TimedOut(Deadline::Body)));
}

#[test]
fn a_stream_with_a_lifetime_is_kept_alive_until_its_end() {
    let mut pump = Pump::default();
    pump.input(REQUEST);
    pump.events();
    let mut options = StreamOptions::default();
    options.lifetime = Some(secs(40));
    pump.respond(Response::new(ResponseBody::EventStream(options)))
        .unwrap();
    pump.run();
    for comments in 1..=2 {
        pump.pass(secs(15));
        pump.run();
        assert_eq!(pump.connection.phase(), Phase::Streaming);
        assert_eq!(pump.body().matches(":\n").count(), comments);
    }
    pump.pass(secs(10));
    pump.run();
    assert_eq!(pump.closed, Some(CloseReason::LifetimeOver));
}

#[test]
fn what_a_transport_passes_on_by_itself_is_progress() {
    let mut pump = Pump::streaming(ConnectionConfig::default());
    for _ in 0..3 {
        pump.pass(secs(29));
        pump.events();
        assert_eq!(pump.closed, None);
        pump.connection.handle_progress(pump.now);
    }
    pump.pass(secs(30));
    pump.events();
    assert_eq!(pump.closed, Some(CloseReason::TimedOut(Deadline::Stall)));
}
