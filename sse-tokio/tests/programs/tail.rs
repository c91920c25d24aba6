//! `tail`: lines of its input to clients, alone and with others on one Redis.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::Stdio,
};

use sse_suite::port::Port;

use crate::harness::{Program, blocked, client, line_with, redis, redis_at};

#[test]
fn tail_tells_of_a_line_without_an_end_and_goes_on_after_it() {
    const LIMIT: &str = "1000";
    let mut tail = Program::start("tail", |tail| {
        tail.args(["--addr", "127.0.0.1:0", "--max-line", LIMIT])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
    });
    let mut input = tail.0.stdin.take().unwrap();
    let mut told = BufReader::new(tail.0.stderr.take().unwrap());
    let address = line_with("/metrics", &mut told);
    let address = address.split('/').nth(2).unwrap();
    let port = address.split_once(':').unwrap().1.parse().unwrap();

    input.write_all(b"first\r\n").unwrap();
    // This is the longest allowed line, and one byte more.
    let longest = "x".repeat(1000);
    write!(input, "{longest}\r\n{longest}y\n").unwrap();
    let line = line_with("is longer than", &mut told);
    assert!(line.contains("line 3 is longer than 1000 bytes"), "{line}");

    // The line is reported before it ends, and none of it is kept.
    const MIB: usize = 1024 * 1024;
    input.write_all(&vec![b'z'; 64 * MIB]).unwrap();
    let line = line_with("is longer than", &mut told);
    assert!(line.contains("line 4 is longer than 1000 bytes"), "{line}");
    if cfg!(target_os = "linux") {
        let status = fs::read_to_string(format!("/proc/{}/status", tail.0.id())).unwrap();
        let peak = line_with("VmHWM:", &mut status.as_bytes());
        let kib: usize = peak.split_whitespace().nth(1).unwrap().parse().unwrap();
        assert!(kib * 1024 < 48 * MIB, "{kib} KiB");
    }

    input.write_all(b"\nlast, and without an end").unwrap();
    drop(input);
    line_with("The input has ended after 3 lines", &mut told);
    let mut events = client(port, "/events");
    line_with("data: first\n", &mut events);
    line_with(&format!("data: {longest}\n"), &mut events);
    let id = line_with("id: ", &mut events);
    assert!(id.trim_end().ends_with("-3"), "{id}");
    line_with("data: last, and without an end\n", &mut events);
}

#[test]
fn tail_refuses_to_keep_no_line_and_to_read_none() {
    for (flag, told) in [
        (
            "--keep",
            "tail: --keep takes a whole number from 1 on, not \"0\"",
        ),
        (
            "--max-line",
            "tail: --max-line takes a whole number from 1 on, not \"0\"",
        ),
    ] {
        let flags = ["--addr", "127.0.0.1:0", flag, "0"];
        let mut tail = Program::start("tail", |tail| tail.args(flags).stderr(Stdio::piped()));
        line_with(told, &mut BufReader::new(tail.0.stderr.take().unwrap()));
        assert!(!tail.wait().success());
    }
}

#[test]
fn tail_and_demo_tell_of_no_address_before_they_can_serve_there() {
    for (program, flags) in [
        ("tail", &["--redis", "no-url"][..]),
        ("demo", &["--redis", "no-url"]),
        ("demo", &["--cert", "/nonexistent", "--key", "/nonexistent"]),
    ] {
        let mut started = Program::start(program, |started| {
            started
                .args(["--addr", "127.0.0.1:0"])
                .args(flags)
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
        });
        assert!(!started.wait().success());
        let mut told = String::new();
        let (mut out, mut err) = (
            started.0.stdout.take().unwrap(),
            started.0.stderr.take().unwrap(),
        );
        out.read_to_string(&mut told).unwrap();
        err.read_to_string(&mut told).unwrap();
        assert!(told.starts_with(&format!("{program}: ")), "{told}");
    }
}

#[test]
fn tail_takes_lines_without_a_bound() {
    let reserved = Port::reserve();
    let port = reserved.number();
    let most = usize::MAX.to_string();
    let flags = ["--addr", &format!("127.0.0.1:{port}"), "--max-line", &most];
    let mut tail = Program::start("tail", |tail| {
        tail.args(flags)
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
    });
    tail.0.stdin.take().unwrap().write_all(b"a line\n").unwrap();
    let mut told = BufReader::new(tail.0.stderr.take().unwrap());
    line_with("The input has ended after 1 lines", &mut told);
    line_with("data: a line\n", &mut client(port, "/events"));
}

#[test]
fn tail_stops_though_what_it_tells_is_not_read() {
    let (output, _unread) = blocked();
    let reserved = Port::reserve();
    let port = reserved.number();
    let flags = ["--addr", &format!("127.0.0.1:{port}"), "--verbose"];
    let mut tail = Program::start("tail", |tail| tail.args(flags).stderr(output));
    line_with("sse_accepted_total", &mut client(port, "/metrics"));
    tail.terminate();
    assert!(tail.wait().success());
}

/// A `tail` on this server, with its port, its input, and its output.
struct Node {
    program: Program,
    port: Port,
    input: std::process::ChildStdin,
    told: BufReader<std::process::ChildStderr>,
}

impl Node {
    fn start(redis: &str) -> Self {
        let port = Port::reserve();
        let flags = ["--addr", &port.address().to_string(), "--redis", redis];
        let mut program = Program::start("tail", |tail| {
            tail.args(flags)
                .stdin(Stdio::piped())
                .stderr(Stdio::piped())
        });
        let input = program.0.stdin.take().unwrap();
        let told = BufReader::new(program.0.stderr.take().unwrap());
        Self {
            program,
            port,
            input,
            told,
        }
    }

    /// Connects a client whose last event has this ID.
    fn resume(&self, last_event_id: &str) -> BufReader<TcpStream> {
        client(
            self.port.number(),
            &format!("/events?lastEventId={last_event_id}"),
        )
    }
}

/// Reads up to this data, and returns all data on the way and the last event ID.
fn data_up_to(last: &str, input: &mut impl BufRead) -> (Vec<String>, String) {
    let (mut data, mut id) = (Vec::new(), String::new());
    while data.last().is_none_or(|data| data != last) {
        let line = line_with(": ", input);
        let (name, value) = line.trim_end().split_once(": ").unwrap();
        match name {
            "data" => data.push(value.to_owned()),
            "id" => id = value.to_owned(),
            "event" => panic!("a loss is told: {value}"),
            _ => {}
        }
    }
    (data, id)
}

#[test]
fn tails_on_one_redis_are_one_and_clients_resume_on_any_of_them() {
    let redis_port = Port::reserve();
    let _redis = redis(&redis_port);
    let url = redis_at(&redis_port);
    let (mut first, mut second) = (Node::start(&url), Node::start(&url));
    let mut on_second = client(second.port.number(), "/events");
    first.input.write_all(b"one\ntwo\n").unwrap();
    let (data, id) = data_up_to("two", &mut on_second);
    assert_eq!(data, ["one", "two"]);

    // The client's node goes, and events continue; a node that it has not heard of takes the client.
    drop(on_second);
    second.program.terminate();
    second.program.wait();
    for n in 0..500 {
        writeln!(first.input, "{n}").unwrap();
    }
    let mut third = Node::start(&url);
    let mut on_third = third.resume(&id);
    third.input.write_all(b"from another node\n").unwrap();
    let (mut data, _) = data_up_to("from another node", &mut on_third);
    // The position of the other node's line among the others is not defined.
    while data.len() < 501 {
        data.extend(
            line_with("data: ", &mut on_third)
                .trim_end()
                .strip_prefix("data: ")
                .map(str::to_owned),
        );
    }
    data.retain(|data| data != "from another node");
    assert_eq!(data, (0..500).map(|n| n.to_string()).collect::<Vec<_>>());

    // A new client gets everything, on either node.
    for node in [&first, &third] {
        let (data, _) = data_up_to("499", &mut client(node.port.number(), "/events"));
        assert_eq!(data[..3], ["one", "two", data[2].as_str()]);
    }
}

#[test]
fn a_tail_waits_for_a_redis_that_is_lost_and_tells_of_lines_that_wait() {
    let port = Port::reserve();
    let server = redis(&port);
    let mut tail = Node::start(&redis_at(&port));
    let mut events = client(tail.port.number(), "/events");
    tail.input.write_all(b"before\n").unwrap();
    line_with("data: before", &mut events);
    drop(server);
    // The first of them may be on its way when the connection is lost, which is reported in other words.
    tail.input
        .write_all(b"as it goes\nwhile it is away\n")
        .unwrap();
    let line = line_with("waits: ", &mut tail.told);
    assert!(
        line.contains("waits: the log did not take the event"),
        "{line}"
    );
    let number = line.split(' ').nth(2).unwrap();
    let _server = redis(&port);
    line_with(&format!("line {number} is published"), &mut tail.told);
    // It came back empty: the client, which stays connected, is told, and gets the events that follow.
    line_with(r#""outcome":"unknown""#, &mut events);
    line_with("data: while it is away", &mut events);
}

#[test]
fn a_tail_without_its_redis_says_so_and_ends() {
    let port = Port::reserve();
    for (url, expected) in [
        (
            "http://127.0.0.1/",
            "--redis: the URL of a server begins with redis://",
        ),
        (&*redis_at(&port), "the log was not reached for 10s: "),
    ] {
        let mut tail = Node::start(url);
        let line = line_with("tail: ", &mut tail.told);
        assert!(line.contains(expected), "{line}");
        assert!(!tail.program.wait().success());
    }
}
