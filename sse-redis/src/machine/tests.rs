//! The machine alone, and values in pieces.

use proptest::prelude::*;
use redis::VerbatimFormat;

use super::*;

const LIMITS: Limits = Limits {
    answer_timeout: Duration::from_secs(5),
    ping_after: Duration::from_secs(10),
    max_answer_bytes: 1_000,
};

fn machine() -> (Machine<u32>, Instant) {
    let now = Instant::now();
    (Machine::new(now, LIMITS), now)
}

fn ask(machine: &mut Machine<u32>, now: Instant, token: u32) {
    let bytes = b"*1\r\n$4\r\nTIME\r\n";
    assert_eq!(machine.send(now, bytes, token, AnsweredBy::Value), None);
}

fn events<T>(machine: &mut Machine<T>) -> Vec<MachineEvent<T>> {
    std::iter::from_fn(|| machine.poll_event()).collect()
}

/// Returns why the connection is over, and which requests waited.
fn closed(machine: &mut Machine<u32>) -> (RedisError, Vec<u32>) {
    match events(machine).pop() {
        Some(MachineEvent::Closed(error, tokens)) => (error, tokens),
        other => panic!("{other:?}"),
    }
}

#[test]
fn answers_go_to_requests_in_order_and_pushes_come_between() {
    let (mut machine, now) = machine();
    ask(&mut machine, now, 1);
    machine.send(now, b"SUBSCRIBE x\r\n", 2, AnsweredBy::Acknowledgement);
    ask(&mut machine, now, 3);
    let input = b">3\r\n+message\r\n+x\r\n+a\r\n:1\r\n>3\r\n$9\r\nsubscribe\r\n$1\r\nx\r\n:1\r\n|1\r\n+a\r\n:0\r\n:3\r\n";
    machine.handle_input(now, input);
    let events = events(&mut machine);
    assert!(
        matches!(
            &events[..],
            [
                MachineEvent::Push(PushKind::Message, _),
                MachineEvent::Answer(1, Value::Int(1)),
                MachineEvent::Push(PushKind::Subscribe, _),
                MachineEvent::Answer(3, Value::Int(3)),
            ]
        ),
        "{events:?}"
    );
    assert_eq!(machine.poll_timeout(), Some(now + LIMITS.ping_after));
}

#[test]
fn a_subscription_that_is_refused_has_an_answer() {
    let (mut machine, now) = machine();
    machine.send(now, b"SUBSCRIBE x\r\n", 1, AnsweredBy::Acknowledgement);
    machine.handle_input(now, b"-NOPERM no permissions\r\n");
    let events = events(&mut machine);
    assert!(
        matches!(
            &events[..],
            [MachineEvent::Answer(1, Value::ServerError(_))]
        ),
        "{events:?}"
    );
    // Any other answer is an error.
    machine.send(now, b"SUBSCRIBE x\r\n", 2, AnsweredBy::Acknowledgement);
    machine.handle_input(now, b"+OK\r\n");
    let (error, waited) = closed(&mut machine);
    assert_eq!((error.name(), waited), ("protocol", vec![2]));
}

#[test]
fn a_late_answer_ends_the_connection_and_the_rest_is_unknown() {
    let (mut machine, now) = machine();
    ask(&mut machine, now, 1);
    ask(&mut machine, now + Duration::from_secs(3), 2);
    assert_eq!(machine.poll_timeout(), Some(now + Duration::from_secs(5)));
    machine.handle_timeout(now + Duration::from_secs(5));
    let (error, waited) = closed(&mut machine);
    assert_eq!((error.name(), waited), ("timed-out", vec![1, 2]));
    // It is over for good.
    machine.handle_input(now, b":1\r\n");
    machine.handle_eof();
    assert_eq!(machine.send(now, b"c", 3, AnsweredBy::Value), Some(3));
    assert_eq!(
        (machine.poll_transmit(), machine.poll_timeout()),
        (&b""[..], None)
    );
    assert!(machine.poll_event().is_none());
}

#[test]
fn an_idle_server_is_asked_whether_it_is_there() {
    let (mut machine, now) = machine();
    let later = now + Duration::from_secs(10);
    assert_eq!(machine.poll_timeout(), Some(later));
    machine.handle_timeout(later);
    assert_eq!(machine.poll_transmit(), b"*1\r\n$4\r\nPING\r\n");
    machine.handle_transmitted(14);
    machine.handle_input(later, b"+PONG\r\n");
    assert!(machine.poll_event().is_none());
    machine.handle_timeout(later + Duration::from_secs(10));
    machine.handle_timeout(later + Duration::from_secs(15));
    let (error, waited) = closed(&mut machine);
    assert_eq!((error.name(), waited), ("timed-out", vec![]));
}

#[test]
fn an_invalid_answer_ends_the_connection() {
    let inputs = [
        &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
        b":1\r\n",
        b"*1000000000000000000\r\n",
        b"%9223372036854775807\r\n",
        b"~-7\r\n",
        b"$9223372036854775807\r\n",
        b"!-5\r\n",
        b"=-1\r\n",
        b">-1\r\n",
    ];
    for input in inputs {
        let (mut machine, now) = machine();
        machine.handle_input(now, input);
        machine.handle_input(now, &[b'x'; 1_000]);
        let (error, _) = closed(&mut machine);
        assert_eq!(error.name(), "protocol");
    }
    let (mut machine, now) = machine();
    machine.handle_input(now, &b"*1\r\n".repeat(200));
    assert_eq!(closed(&mut machine).0.name(), "protocol");
}

#[test]
fn an_answer_that_is_too_large_ends_the_connection() {
    let (mut machine, now) = machine();
    ask(&mut machine, now, 1);
    machine.handle_input(now, b"$100000\r\n");
    machine.handle_input(now, &[b'x'; 900]);
    assert!(machine.poll_event().is_none());
    machine.handle_input(now, &[b'x'; 900]);
    let (error, waited) = closed(&mut machine);
    assert_eq!((error.name(), waited), ("protocol", vec![1]));
    assert!(error.to_string().contains("too large"), "{error}");
}

/// Returns `KIND LENGTH` and the bytes, as blobs have them.
fn blob(kind: char, bytes: &[u8]) -> Vec<u8> {
    let mut wire = format!("{kind}{}\r\n", bytes.len()).into_bytes();
    wire.extend_from_slice(bytes);
    wire.extend_from_slice(b"\r\n");
    wire
}

fn of_parts(kind: char, count: usize, parts: &[(Value, Vec<u8>)]) -> Vec<u8> {
    let mut wire = format!("{kind}{count}\r\n").into_bytes();
    parts
        .iter()
        .for_each(|(_, part)| wire.extend_from_slice(part));
    wire
}

fn values(parts: Vec<(Value, Vec<u8>)>) -> Vec<Value> {
    parts.into_iter().map(|(value, _)| value).collect()
}

/// A value that has no parts, and its bytes.
fn leaf() -> impl Strategy<Value = (Value, Vec<u8>)> {
    let error = |wire: Vec<u8>| (redis::parse_redis_value(&wire).unwrap(), wire);
    let line = |text: String| text.into_bytes();
    prop_oneof![
        any::<i64>().prop_map(move |n| (Value::Int(n), line(format!(":{n}\r\n")))),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(|bytes| {
            let wire = blob('$', &bytes);
            (Value::BulkString(bytes), wire)
        }),
        prop::sample::select(vec![&b"_\r\n"[..], b"$-1\r\n", b"*-1\r\n"])
            .prop_map(|wire| (Value::Nil, wire.to_vec())),
        any::<bool>().prop_map(move |is| {
            let letter = if is { 't' } else { 'f' };
            (Value::Boolean(is), line(format!("#{letter}\r\n")))
        }),
        "[a-z ]{1,9}".prop_map(move |text| {
            let wire = line(format!("+{text}\r\n"));
            (Value::SimpleString(text), wire)
        }),
        Just((Value::Okay, b"+OK\r\n".to_vec())),
        (-1e9..1e9).prop_map(move |n| (Value::Double(n), line(format!(",{n}\r\n")))),
        "-?[1-9][0-9]{0,40}".prop_map(move |digits| {
            let wire = line(format!("({digits}\r\n"));
            (Value::BigNumber(digits.into_bytes()), wire)
        }),
        "\\PC{0,20}".prop_map(|text| {
            let wire = blob('=', format!("txt:{text}").as_bytes());
            let format = VerbatimFormat::Text;
            (Value::VerbatimString { format, text }, wire)
        }),
        "(ERR|OOM|READONLY|MOVED|ODD) [a-z 0-9:]{0,20}"
            .prop_map(move |text| error(line(format!("-{text}\r\n")))),
        "(ERR|OOM) [a-z ]{0,20}".prop_map(move |text| error(blob('!', text.as_bytes()))),
    ]
}

/// A value of any kind.
fn value() -> impl Strategy<Value = (Value, Vec<u8>)> {
    leaf().prop_recursive(3, 20, 5, |inner| {
        let parts = prop::collection::vec(inner.clone(), 0..5);
        prop_oneof![
            parts.clone().prop_map(|parts| {
                let wire = of_parts('*', parts.len(), &parts);
                (Value::Array(values(parts)), wire)
            }),
            parts.prop_map(|parts| {
                let wire = of_parts('~', parts.len(), &parts);
                (Value::Set(values(parts)), wire)
            }),
            prop::collection::vec((inner.clone(), inner), 0..4).prop_map(|pairs| {
                let parts: Vec<_> = pairs.iter().cloned().flat_map(|(a, b)| [a, b]).collect();
                let wire = of_parts('%', pairs.len(), &parts);
                let pairs = pairs.into_iter().map(|((key, _), (value, _))| (key, value));
                (Value::Map(pairs.collect()), wire)
            }),
        ]
    })
}

/// The next output of the server: an answer, or a push.
#[derive(Clone, Debug)]
enum Sent {
    Answer(Value, Vec<u8>),
    /// A value with an attribute in front, which is ignored.
    Attributed(Value, Vec<u8>),
    Push(Vec<Value>, Vec<u8>),
}

impl Sent {
    fn wire(&self) -> &[u8] {
        match self {
            Self::Answer(_, wire) | Self::Attributed(_, wire) | Self::Push(_, wire) => wire,
        }
    }
}

fn sent() -> impl Strategy<Value = Sent> {
    prop_oneof![
        4 => value().prop_map(|(value, wire)| Sent::Answer(value, wire)),
        1 => (value(), value()).prop_map(|(before, (value, wire))| {
            let mut whole = b"|1\r\n+key\r\n".to_vec();
            whole.extend(before.1);
            whole.extend(wire);
            Sent::Attributed(value, whole)
        }),
        2 => prop::collection::vec(value(), 0..4).prop_map(|parts| {
            let mut wire = format!(">{}\r\n+message\r\n", parts.len() + 1).into_bytes();
            parts.iter().for_each(|(_, part)| wire.extend_from_slice(part));
            Sent::Push(values(parts), wire)
        }),
    ]
}

/// Passes the bytes to the machine in pieces of these sizes.
fn feed<T>(machine: &mut Machine<T>, now: Instant, wire: &[u8], sizes: &[usize]) {
    let (mut rest, mut sizes) = (wire, sizes.iter().cycle());
    while !rest.is_empty() {
        let size = sizes.next().map_or(1, |size| *size).min(rest.len());
        let (piece, others) = rest.split_at(size);
        machine.handle_input(now, piece);
        rest = others;
    }
}

fn sizes() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(prop_oneof![3 => 1..9_usize, 1 => 9..200_usize], 1..20)
}

proptest! {
    #[test]
    fn values_are_the_same_in_pieces_of_any_size(
        all in prop::collection::vec(sent(), 1..6),
        sizes in sizes(),
    ) {
        let now = Instant::now();
        let max_answer_bytes = all.iter().map(|sent| sent.wire().len()).max().unwrap();
        // No value is larger, and the bytes after one do not count.
        let limits = Limits { max_answer_bytes, ..LIMITS };
        let mut machine = Machine::new(now, limits);
        for token in 0..all.len() {
            machine.send(now, b"x", token, AnsweredBy::Value);
        }
        let wire: Vec<u8> = all.iter().flat_map(Sent::wire).copied().collect();
        feed(&mut machine, now, &wire, &sizes);
        let mut answers = 0;
        for sent in &all {
            match (sent, machine.poll_event()) {
                (Sent::Push(parts, _), Some(MachineEvent::Push(PushKind::Message, found))) => {
                    prop_assert_eq!(parts, &found);
                }
                (
                    Sent::Answer(value, _) | Sent::Attributed(value, _),
                    Some(MachineEvent::Answer(token, found)),
                ) => {
                    prop_assert_eq!((answers, value), (token, &found));
                    answers += 1;
                }
                (sent, found) => prop_assert!(false, "{sent:?} became {found:?}"),
            }
        }
        prop_assert!(machine.poll_event().is_none());
    }

    #[test]
    fn a_value_beyond_the_limit_ends_the_connection_before_more_than_a_piece_is_held(
        (value, wire) in value(),
        max_answer_bytes in 0..400_usize,
        size in 1..50_usize,
    ) {
        let now = Instant::now();
        let mut machine = Machine::new(now, Limits { max_answer_bytes, ..LIMITS });
        machine.send(now, b"x", 1, AnsweredBy::Value);
        feed(&mut machine, now, &wire, &[size]);
        match machine.poll_event() {
            // It was complete with the piece that exceeded the limit.
            Some(MachineEvent::Answer(1, found)) => {
                prop_assert_eq!(found, value);
                prop_assert!(wire.len() <= max_answer_bytes + size);
            }
            Some(MachineEvent::Closed(error, _)) => {
                prop_assert_eq!(error.name(), "protocol");
                prop_assert!(wire.len() > max_answer_bytes);
            }
            other => prop_assert!(false, "{other:?}"),
        }
    }

    #[test]
    fn no_input_causes_a_panic(
        pieces in prop::collection::vec(
            prop_oneof![
                prop::collection::vec(any::<u8>(), 0..30),
                "[-+:$*%|~_,#!=(>]-?[0-9]{0,20}\r\n".prop_map(String::into_bytes),
            ],
            0..20,
        ),
    ) {
        let (mut machine, now) = machine();
        ask(&mut machine, now, 1);
        for piece in pieces {
            machine.handle_input(now, &piece);
        }
        events(&mut machine);
    }
}
