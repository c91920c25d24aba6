//! `demo`: it needs no output, demos on one Redis are one, and other sites do not restart it.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    os::{fd::OwnedFd, unix::net::UnixStream},
};

use sse_suite::port::Port;

use crate::harness::{Program, blocked, client, line_with, redis, redis_at};

/// Checks that the demo serves, reports what ended, and ends.
fn demo_works_and_stops(output: OwnedFd) {
    let reserved = Port::reserve();
    let port = reserved.number();
    let flags = ["--port", &port.to_string()];
    let mut demo = Program::start("demo", |demo| demo.args(flags).stdout(output));
    let mut clean_ups = client(port, "/events");
    let mut text = String::new();
    client(port, "/example/events")
        .read_to_string(&mut text)
        .unwrap();
    assert!(text.contains("data: Goodbye, world!\n\n"), "{text}");
    line_with("the stream ended", &mut clean_ups);
    demo.terminate();
    assert!(demo.wait().success());
}

#[test]
fn the_demo_needs_no_output_that_is_open() {
    let (output, reader) = UnixStream::pair().unwrap();
    drop(reader);
    demo_works_and_stops(output.into());
}

#[test]
fn the_demo_needs_no_output_that_is_read() {
    let (output, _unread) = blocked();
    demo_works_and_stops(output);
}

#[test]
fn the_demo_sets_the_reconnection_time_on_an_event_with_data() {
    let reserved = Port::reserve();
    let port = reserved.number();
    let _demo = Program::start("demo", |demo| demo.args(["--port", &port.to_string()]));
    let mut events = client(port, "/events");
    let mut block = line_with("retry: ", &mut events);
    while !block.ends_with("\n\n") {
        events.read_line(&mut block).unwrap();
    }
    assert!(block.contains("\ndata: "), "{block}");
}

#[test]
fn demos_on_one_redis_show_the_same_numbers() {
    let redis_port = Port::reserve();
    let _redis = redis(&redis_port);
    let url = redis_at(&redis_port);
    let ports = [(); 2].map(|()| Port::reserve());
    let _demos = ports.each_ref().map(|port| {
        let flags = ["--port", &port.number().to_string(), "--redis", &url];
        Program::start("demo", |demo| demo.args(flags))
    });
    let mut id = String::new();
    for port in &ports {
        let mut events = client(port.number(), &format!("/events?lastEventId={id}"));
        // Events about this server, and events on both.
        line_with(r#""pid":"#, &mut events);
        let line = line_with("id: ", &mut events);
        id = line.trim_end().replace("id: ", "");
        line_with("data: ", &mut events);
    }
}

#[test]
fn the_demo_takes_no_orders_from_pages_of_other_sites() {
    let reserved = Port::reserve();
    let port = reserved.number();
    let _demo = Program::start("demo", |demo| demo.args(["--port", &port.to_string()]));
    let mut events = client(port, "/events");
    line_with("data: ", &mut events);
    for (site, status) in [("cross-site", "403"), ("same-origin", "204")] {
        let mut socket = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let fields = format!("Host: a\r\nSec-Fetch-Site: {site}\r\nContent-Length: 0");
        write!(socket, "POST /restart HTTP/1.1\r\n{fields}\r\n\r\n").unwrap();
        let line = line_with("HTTP/1.1", &mut BufReader::new(socket));
        assert!(line.contains(status), "{site}: {line}");
    }
    // The stream ends properly, and the next run serves on the same socket.
    events.read_to_string(&mut String::new()).unwrap();
    line_with(r#""run":2,"#, &mut client(port, "/events"));
}
