//! Every phase with every input: the table, tried.

use super::*;

/// What follows after an input in each phase, in the order of `PHASES`. `None`: the caller's
/// mistake.
type Row = (
    &'static str,
    fn(&mut Pump) -> Result<(), WrongPhase>,
    [Option<Phase>; 6],
);

const PHASES: [Phase; 6] = [
    Phase::Head,
    Phase::Body,
    Phase::Responding,
    Phase::Streaming,
    Phase::Draining,
    Phase::Closed,
];

#[test]
fn every_phase_with_every_input() {
    use Phase::{Body as BodyPhase, Closed, Draining, Head, Responding, Streaming};

    fn verb(result: Result<(), RespondError>) -> Result<(), WrongPhase> {
        result.map_err(|error| match error {
            RespondError::WrongPhase(error) => error,
            other => panic!("{other}"),
        })
    }
    fn sent(result: Result<(), SendError>) -> Result<(), WrongPhase> {
        result.map_err(|error| match error {
            SendError::WrongPhase(error) => error,
            other => panic!("{other}"),
        })
    }

    let stay = PHASES.map(Some);
    let table: [Row; 16] = [
        (
            "a request",
            |p| {
                p.input(REQUEST);
                Ok(())
            },
            // Where a body is received, it is this.
            [
                Some(Responding),
                Some(Responding),
                Some(Responding),
                Some(Streaming),
                Some(Draining),
                Some(Closed),
            ],
        ),
        (
            "half a body",
            |p| {
                p.input(b"GET");
                Ok(())
            },
            stay,
        ),
        (
            "a body that is asked for",
            |p| p.connection.receive_body(p.now),
            // The request is one without a body.
            [None, None, Some(Responding), None, None, None],
        ),
        (
            "a body that comes too late",
            |p| {
                let late = p.connection.phase() == BodyPhase;
                p.pass(if late { secs(30) } else { secs(0) });
                Ok(())
            },
            [
                Some(Head),
                Some(Draining),
                Some(Responding),
                Some(Streaming),
                Some(Draining),
                Some(Closed),
            ],
        ),
        (
            "half a request",
            |p| {
                p.input(&REQUEST[..4]);
                Ok(())
            },
            stay,
        ),
        (
            "a bad request",
            |p| {
                p.input(b"\0\r\n\r\n");
                Ok(())
            },
            [
                Some(Draining),
                Some(Responding),
                Some(Responding),
                Some(Streaming),
                Some(Draining),
                Some(Closed),
            ],
        ),
        (
            "end of input",
            |p| {
                p.connection.handle_eof(p.now);
                Ok(())
            },
            [
                Some(Closed),
                Some(Closed),
                Some(Closed),
                Some(Closed),
                Some(Draining),
                Some(Closed),
            ],
        ),
        (
            "a reset",
            |p| {
                p.connection
                    .handle_transport_error(p.now, io::ErrorKind::ConnectionReset);
                Ok(())
            },
            [Some(Closed); 6],
        ),
        (
            "no time",
            |p| {
                p.connection.handle_timeout(p.now);
                Ok(())
            },
            stay,
        ),
        (
            "an event stream",
            |p| verb(p.respond(Response::new(Body::EventStream))),
            [None, None, Some(Streaming), None, None, None],
        ),
        (
            "a whole response",
            |p| verb(p.respond(Response::new(Body::Whole("x".into())))),
            [
                Some(Draining),
                Some(Draining),
                Some(Draining),
                None,
                None,
                None,
            ],
        ),
        (
            "an event",
            |p| sent(p.send("x")),
            [None, None, None, Some(Streaming), None, None],
        ),
        (
            "a comment",
            |p| sent(p.connection.comment(p.now, &Comment::KEEP_ALIVE)),
            [None, None, None, Some(Streaming), None, None],
        ),
        (
            "the end",
            |p| p.connection.finish(p.now),
            [None, None, None, Some(Draining), None, None],
        ),
        (
            "an abort",
            |p| p.connection.abort(p.now, CloseReason::HandlerPanicked),
            [
                None,
                Some(Draining),
                Some(Draining),
                Some(Draining),
                None,
                None,
            ],
        ),
        (
            "a close",
            |p| p.connection.close(p.now, CloseReason::Shutdown),
            [
                Some(Closed),
                Some(Closed),
                Some(Closed),
                Some(Closed),
                Some(Closed),
                None,
            ],
        ),
    ];
    assert_eq!(Head, PHASES[0]);

    for (name, call, expected) in table {
        for (phase, expected) in PHASES.into_iter().zip(expected) {
            let mut pump = Pump::in_phase(phase);
            let queued = pump.connection.queued();
            match (call(&mut pump), expected) {
                (Ok(()), Some(next)) => {
                    assert_eq!(pump.connection.phase(), next, "{name} in {phase:?}")
                }
                (Err(error), None) => {
                    assert_eq!(error.phase, phase);
                    assert_eq!(pump.connection.phase(), phase);
                    assert_eq!(pump.connection.queued(), queued, "nothing was changed");
                }
                (result, _) => panic!("{name} in {phase:?}: {result:?}"),
            }
            // Whatever it was, the connection ends, says so once, and cleans up once.
            pump.run();
            pump.pass(secs(100));
            pump.run();
            pump.connection.handle_eof(pump.now);
            pump.run();
            assert_eq!(pump.connection.phase(), Closed, "{name} in {phase:?}");
            assert!(pump.closed.is_some(), "{name} in {phase:?}");
            assert!(pump.connection.poll_event().is_none());
            let (reason, log) = (pump.closed.take().unwrap(), pump.cleaned_up.clone());
            drop(pump);
            assert_eq!(*log.lock().unwrap(), [reason], "{name} in {phase:?}");
        }
    }
}
