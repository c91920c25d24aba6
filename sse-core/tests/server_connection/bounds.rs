//! The behaviour at the bounds.

use super::*;

#[test]
fn at_the_high_water_mark_nothing_more_is_taken() {
    let mut config = ConnectionConfig::default();
    // This is the size of 55 events.
    config.response.high_water_mark = 55 * "data: 0123456789\n\n".len();
    let mut pump = Pump::streaming(config);
    pump.run();
    let mut taken = 0;
    while pump.connection.has_room() {
        pump.send("0123456789").unwrap();
        taken += 1;
    }
    assert_eq!(taken, 55);
    let queued = pump.connection.queued();
    assert_eq!(pump.send("more"), Err(SendError::Full));
    let comment = pump.connection.comment(pump.now, &Comment::new("more"));
    assert_eq!(comment, Err(SendError::Full));
    assert_eq!(pump.connection.queued(), queued);
    pump.wire.clear();
    pump.write();
    assert!(pump.connection.has_room());
    assert_eq!(pump.text().matches("data: 0123456789\n\n").count(), taken);
}

#[test]
fn a_refused_client_that_goes_on_sending_is_read_up_to_a_bound() {
    let mut pump = Pump::default();
    pump.input(b"\0 bad\r\n\r\n");
    pump.run();
    assert_eq!(pump.status(), "400");
    assert_eq!(pump.said, ["end output"]);
    pump.input(&[0; 256 * 1024]);
    pump.run();
    assert_eq!(pump.closed, None);
    pump.input(&[0]);
    pump.run();
    assert_eq!(
        pump.closed,
        Some(CloseReason::Rejected(StatusCode::BAD_REQUEST))
    );
}

#[test]
fn a_refused_client_that_closes_is_over_at_once() {
    let mut pump = Pump::default();
    pump.input(b"\0 bad\r\n\r\n");
    pump.run();
    pump.connection.handle_eof(pump.now);
    pump.run();
    assert_eq!(
        pump.closed,
        Some(CloseReason::Rejected(StatusCode::BAD_REQUEST))
    );
}

#[test]
fn an_answer_may_come_before_the_request() {
    let mut response = Response::new(ResponseBody::Whole("busy\n".into()));
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    let mut pump = Pump::default();
    pump.respond(response).unwrap();
    pump.run();
    assert_eq!(pump.status(), "503");
    pump.input(REQUEST);
    pump.run();
    assert_eq!(pump.said, ["end output"]);
    pump.pass(secs(1));
    pump.run();
    assert_eq!(
        pump.closed,
        Some(CloseReason::Rejected(StatusCode::SERVICE_UNAVAILABLE))
    );
}
