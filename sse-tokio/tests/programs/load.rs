//! `load`: what it counts, and how it connects.

use std::{
    env, fs,
    io::{BufReader, Read, Write},
    net::TcpListener,
    os::unix::net::UnixListener,
    process::Stdio,
};

use sse_suite::port::Port;

use crate::harness::{ONE, Program, answering, line_with, serve};

/// Runs three clients for so long, and returns the report, as a text and parsed; `None` where there was no
/// stream by then.
fn counted(url: &str, seconds: u32) -> Option<(String, serde_json::Value)> {
    let report = env::temp_dir().join(format!("load-{}.json", std::process::id()));
    let mut load = Program::start("load", |load| {
        let time = format!("-t{seconds}");
        let flags = ["-c3", "-r0", &time, "--stamp", "sent", "--sequence"];
        load.args(flags).arg("--json").arg(&report).arg(url)
    });
    if !load.wait().success() {
        return None;
    }
    let text = fs::read_to_string(&report).unwrap();
    fs::remove_file(&report).unwrap();
    let report = serde_json::from_str(&text).unwrap();
    Some((text, report))
}

#[test]
fn load_counts_what_its_clients_get_and_writes_a_report() {
    let url = serve(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n\
         id: a-1\ndata: {\"sent\":1}\n\nid: a-4\ndata: {\"sent\":1}\n\n",
    );
    // A run that is over before a slow machine has got so far is repeated, and takes longer.
    let (text, report) = [2, 20, 200]
        .into_iter()
        .filter_map(|seconds| counted(&url, seconds))
        .find(|(_, report)| report["events"] == 6)
        .expect("six events");
    for (name, expected) in [
        ("clients", 3),
        ("clients_open", 3),
        ("events", 6),
        ("events_missed", 6),
        ("events_repeated", 0),
        ("lost", 0),
    ] {
        assert_eq!(report[name], expected, "{name}: {text}");
    }
    assert_eq!(report["latency"]["count"], 6, "{text}");
}

#[test]
fn load_reports_nothing_that_it_has_not_measured() {
    const EVENTS: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n\
         id: a-1\ndata: 1\n\nid: a-4\ndata: 1\n\n";
    const NO_IDS: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n";
    for (events, flags, told) in [
        (EVENTS, &[][..], None),
        (
            NO_IDS,
            &["--sequence"],
            Some("by their IDs      not counted: no ID ends in a number"),
        ),
        (
            EVENTS,
            &["--stamp", "sent"],
            Some("latency           not measured: no event has a time in \"sent\""),
        ),
    ] {
        let (url, mut output) = (serve(events), String::new());
        let file = env::temp_dir().join(format!("load-{}-not.json", std::process::id()));
        let mut load = Program::start("load", |load| {
            let load = load.args(["-c1", "-r0", "-t2", "--json"]).arg(&file);
            load.args(flags).arg(&url).stdout(Stdio::piped())
        });
        assert!(load.wait().success());
        let mut out = load.0.stdout.take().unwrap();
        out.read_to_string(&mut output).unwrap();
        let lines = ["by their IDs ", "latency "];
        let told_of = output
            .lines()
            .find(|line| lines.iter().any(|start| line.starts_with(start)));
        assert_eq!(told_of, told, "{output}");
        let report: serde_json::Value =
            serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        fs::remove_file(&file).unwrap();
        for name in ["events_missed", "events_repeated", "latency"] {
            assert!(report[name].is_null(), "{name}: {report}");
        }
    }
}

#[test]
fn load_says_why_its_first_client_gets_no_stream() {
    let (url, _) = answering(
        vec!["HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno"],
        0,
    );
    // Nothing listens there.
    let port = Port::reserve();
    let none = format!("http://{}/", port.address());
    for (url, why) in [(url, "404 Not Found"), (none, "cannot connect to ")] {
        let mut load = Program::start("load", |load| load.arg(&url).stderr(Stdio::piped()));
        line_with(why, &mut BufReader::new(load.0.stderr.take().unwrap()));
        assert!(!load.wait().success());
    }
}

#[test]
fn load_that_ends_before_its_first_client_has_a_stream_fails() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let mut load = Program::start("load", |load| {
        load.args(["-t0.1", &url]).stderr(Stdio::piped())
    });
    let mut told = BufReader::new(load.0.stderr.take().unwrap());
    line_with("the first client had no stream", &mut told);
    assert!(!load.wait().success());
}

#[test]
fn load_connects_over_a_unix_socket_with_the_token_of_a_command_or_credentials() {
    let command = ["--token-command", "echo secret"];
    let user = ["--user", "user:pass"];
    for (flags, expected) in [(command, "Bearer secret"), (user, "Basic dXNlcjpwYXNz")] {
        let path = env::temp_dir().join(format!("load-{}.socket", std::process::id()));
        let _ = fs::remove_file(&path);
        let listener = UnixListener::bind(&path).unwrap();
        let mut load = Program::start("load", |load| {
            load.args(["-c1", "-t1000", "--unix-socket"]).arg(&path);
            load.args(flags).arg("http://localhost/");
            load.stderr(Stdio::piped())
        });
        let mut socket = BufReader::new(listener.accept().unwrap().0);
        let field = line_with("authorization: ", &mut socket);
        assert_eq!(field.trim_end(), format!("authorization: {expected}"));
        line_with("\r\n", &mut socket);
        socket.get_mut().write_all(ONE.as_bytes()).unwrap();
        let mut told = BufReader::new(load.0.stderr.take().unwrap());
        line_with("1 of 1 open", &mut told);
        load.interrupt();
        assert!(load.wait().success());
        fs::remove_file(&path).unwrap();
    }

    let flags = ["--token-command", "exit 3", "http://localhost/"];
    let mut load = Program::start("load", |load| load.args(flags).stderr(Stdio::piped()));
    let mut told = BufReader::new(load.0.stderr.take().unwrap());
    line_with(
        "the command for the token failed: exit status: 3",
        &mut told,
    );
    assert!(!load.wait().success());
}

#[test]
fn load_connects_through_a_proxy() {
    let (proxy, asked) = answering(vec![ONE], 0);
    let mut load = Program::start("load", |load| {
        let flags = [
            "-c1",
            "-t1000",
            "--proxy",
            &proxy,
            "http://example.invalid/",
        ];
        load.args(flags).stderr(Stdio::piped())
    });
    // The stream was open, and is over.
    let mut told = BufReader::new(load.0.stderr.take().unwrap());
    line_with("lost: ", &mut told);
    load.interrupt();
    assert!(load.wait().success());
    let asked = asked.join().unwrap();
    let target = "GET http://example.invalid/ HTTP/1.1\r\n";
    assert!(asked[0].starts_with(target), "{asked:?}");
}
