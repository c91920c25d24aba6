//! The example programs, run as a user runs them.
//!
//! `cargo test` builds the examples before the tests; with `--test programs` alone it does not.
#![cfg(unix)]

use std::{
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    os::{
        fd::OwnedFd,
        unix::net::{UnixListener, UnixStream},
    },
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

/// How long anything may take before a test gives up. No time is asserted.
const PATIENCE: Duration = Duration::from_secs(60);

/// An example program that ends with the test.
struct Program(Child);

impl Program {
    fn start(name: &str, set_up: impl FnOnce(&mut Command) -> &mut Command) -> Self {
        // This test is in `target/…/deps`, the examples in `target/…/examples`.
        let mut path: PathBuf = env::current_exe().unwrap();
        path.pop();
        path.pop();
        path.extend(["examples", name]);
        let mut command = Command::new(&path);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let started = set_up(&mut command).spawn();
        Self(started.unwrap_or_else(|error| {
            panic!("{error}; is it built? cargo build -p sse-tokio --example {name}")
        }))
    }

    /// Stops the program as a service manager does.
    fn terminate(&self) {
        let pid = self.0.id().to_string();
        let status = Command::new("kill").args(["-TERM", &pid]).status();
        assert!(status.unwrap().success());
    }

    fn wait(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "the program does not end");
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Returns an output that takes nothing more, and the end that does not read it.
fn blocked() -> (OwnedFd, UnixStream) {
    let (mut output, unread) = UnixStream::pair().unwrap();
    output.set_nonblocking(true).unwrap();
    while output.write(&[b'-'; 4096]).is_ok() {}
    while output.write(b"-").is_ok() {}
    output.set_nonblocking(false).unwrap();
    (output.into(), unread)
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Connects to a server that may still have to start.
fn client(port: u16, path: &str) -> BufReader<TcpStream> {
    let start = Instant::now();
    let mut socket = loop {
        match TcpStream::connect(("127.0.0.1", port)) {
            Ok(socket) => break socket,
            Err(error) => assert!(start.elapsed() < PATIENCE, "{error}"),
        }
        thread::sleep(Duration::from_millis(10));
    };
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(socket, "GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    BufReader::new(socket)
}

/// Reads up to a line that contains this text.
fn line_with(text: &str, input: &mut impl BufRead) -> String {
    loop {
        let mut line = String::new();
        let n = input.read_line(&mut line).unwrap();
        assert_ne!(n, 0, "the input ended before {text:?}");
        if line.contains(text) {
            return line;
        }
    }
}

/// Checks that the demo serves, reports what ended, and ends.
fn demo_works_and_stops(output: OwnedFd) {
    let port = free_port();
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
    let port = free_port();
    let _demo = Program::start("demo", |demo| demo.args(["--port", &port.to_string()]));
    let mut events = client(port, "/events");
    let mut block = line_with("retry: ", &mut events);
    while !block.ends_with("\n\n") {
        events.read_line(&mut block).unwrap();
    }
    assert!(block.contains("\ndata: "), "{block}");
}

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
fn tail_stops_though_what_it_tells_is_not_read() {
    let (output, _unread) = blocked();
    let port = free_port();
    let flags = ["--addr", &format!("127.0.0.1:{port}"), "--verbose"];
    let mut tail = Program::start("tail", |tail| tail.args(flags).stderr(output));
    line_with("sse_accepted_total", &mut client(port, "/metrics"));
    tail.terminate();
    assert!(tail.wait().success());
}

/// Starts a Redis server that ends with the test, and returns its URL.
fn redis() -> (Program, String) {
    let port = free_port();
    let server = Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
        .args(["--save", "", "--appendonly", "no", "--dir", "/tmp"])
        .stdout(Stdio::null())
        .spawn();
    let server = server.expect("the Debian package redis-server is installed");
    (Program(server), format!("redis://127.0.0.1:{port}/"))
}

/// A `tail` on this server, with its port, its input, and its output.
struct Node {
    program: Program,
    port: u16,
    input: std::process::ChildStdin,
    told: BufReader<std::process::ChildStderr>,
}

impl Node {
    fn start(redis: &str) -> Self {
        let port = free_port();
        let flags = ["--addr", &format!("127.0.0.1:{port}"), "--redis", redis];
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
        client(self.port, &format!("/events?lastEventId={last_event_id}"))
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
    let (_redis, url) = redis();
    let (mut first, mut second) = (Node::start(&url), Node::start(&url));
    let mut on_second = client(second.port, "/events");
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
        let (data, _) = data_up_to("499", &mut client(node.port, "/events"));
        assert_eq!(data[..3], ["one", "two", data[2].as_str()]);
    }
}

#[test]
fn a_tail_waits_for_a_redis_that_is_lost_and_tells_of_lines_that_wait() {
    let port = free_port();
    let url = format!("redis://127.0.0.1:{port}/");
    let start = || {
        let server = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--dir", "/tmp"])
            .stdout(Stdio::null())
            .spawn();
        Program(server.unwrap())
    };
    let redis = start();
    let mut tail = Node::start(&url);
    let mut events = client(tail.port, "/events");
    tail.input.write_all(b"before\n").unwrap();
    line_with("data: before", &mut events);
    drop(redis);
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
    let _redis = start();
    line_with(&format!("line {number} is published"), &mut tail.told);
    // It came back empty: the client, which stays connected, is told, and gets the events that follow.
    line_with(r#""outcome":"unknown""#, &mut events);
    line_with("data: while it is away", &mut events);
}

#[test]
fn a_tail_without_its_redis_says_so_and_ends() {
    for (url, expected) in [
        (
            "http://127.0.0.1/",
            "--redis: the URL of a server begins with redis://",
        ),
        (
            &*format!("redis://127.0.0.1:{}/", free_port()),
            "the log was not reached for 10s: ",
        ),
    ] {
        let mut tail = Node::start(url);
        let line = line_with("tail: ", &mut tail.told);
        assert!(line.contains(expected), "{line}");
        assert!(!tail.program.wait().success());
    }
}

#[test]
fn demos_on_one_redis_show_the_same_numbers() {
    let (_redis, url) = redis();
    let ports = [(); 2].map(|()| free_port());
    let _demos = ports.map(|port| {
        let flags = ["--port", &port.to_string(), "--redis", &url];
        Program::start("demo", |demo| demo.args(flags))
    });
    let mut id = String::new();
    for port in ports {
        let mut events = client(port, &format!("/events?lastEventId={id}"));
        // Events about this server, and events on both.
        line_with(r#""pid":"#, &mut events);
        let line = line_with("id: ", &mut events);
        id = line.trim_end().replace("id: ", "");
        line_with("data: ", &mut events);
    }
}

/// Starts a server that answers each connection with this, and keeps it open.
fn serve(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let mut open = Vec::new();
        for socket in listener.incoming() {
            let mut socket = BufReader::new(socket.unwrap());
            line_with("host: ", &mut socket);
            socket.get_mut().write_all(answer.as_bytes()).unwrap();
            open.push(socket);
        }
    });
    format!("http://{address}/")
}

#[test]
fn listen_prints_nothing_that_a_terminal_obeys() {
    const DATA: &str = "\u{1b}[2J \u{7f} \u{80}\u{85}\u{9b}31m\u{9f} \u{a0}ü🌲 \\u0085";
    let url = serve(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n\
         : \u{9b}c\n\
         id: \u{9d}\nevent: \u{7f}\ndata: \u{1b}[2J \u{7f} \u{80}\u{85}\u{9b}31m\u{9f} \u{a0}ü🌲 \\u0085\n\n",
    );
    let mut listen = Program::start("listen", |listen| {
        listen
            .args(["--comments", "-n", "1", &url])
            .stdout(Stdio::piped())
    });
    let mut text = String::new();
    let mut output = listen.0.stdout.take().unwrap();
    output.read_to_string(&mut text).unwrap();
    let obeyed = |c: char| c.is_control() && c != '\n';
    assert!(!text.contains(obeyed), "{text:?}");

    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines[0]["comment"], " \u{9b}c");
    assert_eq!(lines[1]["type"], "\u{7f}");
    assert_eq!(lines[1]["data"], DATA);
    assert_eq!(lines[1]["lastEventId"], "\u{9d}");
    assert!(listen.wait().success());
}

#[test]
fn listen_stops_though_its_output_is_not_read() {
    let url = serve("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n");
    let (output, _unread) = blocked();
    let mut listen = Program::start("listen", |listen| {
        listen.args(["--states", &url]).stdout(output)
    });
    // By then it most probably waits for its output. If not, the test proves less.
    thread::sleep(Duration::from_millis(200));
    listen.terminate();
    listen.wait();
}

#[test]
fn listen_tries_again_after_the_statuses_that_it_is_given() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let flags = [
        "--retry-status",
        "502,503",
        "-n",
        "1",
        &format!("http://{address}/"),
    ];
    let mut listen = Program::start("listen", |listen| listen.args(flags));
    for answer in [
        "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n",
    ] {
        let mut socket = BufReader::new(listener.accept().unwrap().0);
        line_with("host: ", &mut socket);
        socket.get_mut().write_all(answer.as_bytes()).unwrap();
    }
    assert!(listen.wait().success());

    let wrong = ["--retry-status", "twice", "http://127.0.0.1:1/"];
    let mut listen = Program::start("listen", |listen| listen.args(wrong).stderr(Stdio::piped()));
    let mut told = BufReader::new(listen.0.stderr.take().unwrap());
    line_with(
        "--retry-status takes statuses such as 503, not \"twice\"",
        &mut told,
    );
    assert!(!listen.wait().success());
}

#[test]
fn listens_help_fits_on_a_screen() {
    let mut listen = Program::start("listen", |listen| {
        listen.arg("--help").stdout(Stdio::piped())
    });
    let mut help = String::new();
    let mut output = listen.0.stdout.take().unwrap();
    output.read_to_string(&mut help).unwrap();
    assert!(help.lines().count() <= 40, "{}", help.lines().count());
    let too_wide = help.lines().find(|line| line.chars().count() > 80);
    assert_eq!(too_wide, None);
    assert!(listen.wait().success());
}

/// Starts a server that answers each request with the next of these and hangs up, and returns the
/// requests: heads, then bodies of this length.
fn answering(answers: Vec<&'static str>, body: usize) -> (String, thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let asked = thread::spawn(move || {
        let mut asked = Vec::new();
        for answer in answers {
            let mut socket = BufReader::new(listener.accept().unwrap().0);
            let mut request = String::new();
            while !request.ends_with("\r\n\r\n") {
                assert_ne!(socket.read_line(&mut request).unwrap(), 0);
            }
            let mut rest = vec![0; body];
            socket.read_exact(&mut rest).unwrap();
            request += str::from_utf8(&rest).unwrap();
            asked.push(request);
            socket.get_mut().write_all(answer.as_bytes()).unwrap();
        }
        asked
    });
    (url, asked)
}

const ONE: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Node: 7\r\n\
     X-Node: 8\r\n\r\ndata: 1\n\n";

#[test]
fn listen_posts_json_with_credentials_and_shows_the_fields_of_the_answer() {
    let (url, asked) = answering(vec![ONE], 7);
    let flags = ["--json", r#"{"a":1}"#, "-u", "user:pass", "--states", "-n1"];
    let mut listen = Program::start("listen", |listen| {
        listen.args(flags).arg(&url).stdout(Stdio::piped())
    });
    let mut output = BufReader::new(listen.0.stdout.take().unwrap());
    let open = line_with("open", &mut output);
    let open: serde_json::Value = serde_json::from_str(&open).unwrap();
    assert_eq!(open["status"], 200);
    assert_eq!(open["headers"]["x-node"], "7, 8");
    assert_eq!(open["headers"]["content-type"], "text/event-stream");
    assert!(listen.wait().success());
    let asked = asked.join().unwrap();
    assert!(asked[0].starts_with("POST / HTTP/1.1\r\n"), "{asked:?}");
    assert!(asked[0].contains("\r\ncontent-type: application/json\r\n"));
    assert!(asked[0].contains("\r\nauthorization: Basic dXNlcjpwYXNz\r\n"));
    assert!(asked[0].ends_with(r#"{"a":1}"#));

    let wrong = ["--json", "{a:1}", &url];
    let mut listen = Program::start("listen", |listen| listen.args(wrong).stderr(Stdio::piped()));
    let mut told = BufReader::new(listen.0.stderr.take().unwrap());
    line_with("--json takes JSON: ", &mut told);
    assert!(!listen.wait().success());
}

#[test]
fn listen_takes_a_token_from_a_command_and_a_fresh_one_after_a_401() {
    const EXPIRED: &str = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\n\
         Content-Length: 0\r\n\r\n";
    let count = env::temp_dir().join(format!("listen-token-{}", std::process::id()));
    let _ = fs::remove_file(&count);
    let command = format!("echo x >>{0}; wc -l <{0}", count.display());
    let (url, asked) = answering(vec![EXPIRED, ONE], 0);
    let mut listen = Program::start("listen", |listen| {
        let flags = ["--states", "-n", "1", "--token-command", &command, &url];
        listen.args(flags).stdout(Stdio::piped())
    });
    let mut output = BufReader::new(listen.0.stdout.take().unwrap());
    let lost = line_with("lost", &mut output);
    let lost: serde_json::Value = serde_json::from_str(&lost).unwrap();
    assert_eq!(lost["status"], 401);
    assert_eq!(lost["headers"]["www-authenticate"], "Bearer");
    assert!(listen.wait().success());
    fs::remove_file(&count).unwrap();
    let asked = asked.join().unwrap();
    for (asked, token) in asked.iter().zip(["1", "2"]) {
        let field = format!("\r\nauthorization: Bearer {token}\r\n");
        assert!(asked.contains(&field), "{asked:?}");
    }

    // Another response ends it, and so does a command that fails when a token is needed.
    let (url, _) = answering(
        vec!["HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"],
        0,
    );
    let flags = ["--token-command", "echo secret", &url];
    let mut listen = Program::start("listen", |listen| listen.args(flags).stderr(Stdio::piped()));
    let mut told = BufReader::new(listen.0.stderr.take().unwrap());
    line_with("the server answered 404 Not Found", &mut told);
    assert!(!listen.wait().success());

    let flags = ["--fail-fast", "--token-command", "exit 3", &url];
    let mut listen = Program::start("listen", |listen| listen.args(flags).stderr(Stdio::piped()));
    let mut told = BufReader::new(listen.0.stderr.take().unwrap());
    line_with(
        "the command for the token failed: exit status: 3",
        &mut told,
    );
    assert!(!listen.wait().success());
}

#[test]
fn load_counts_what_its_clients_get_and_writes_a_report() {
    let url = serve(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n\
         id: a-1\ndata: {\"sent\":1}\n\nid: a-4\ndata: {\"sent\":1}\n\n",
    );
    let report = env::temp_dir().join(format!("load-{}.json", std::process::id()));
    let mut load = Program::start("load", |load| {
        let flags = [
            "-c3",
            "-r0",
            "-t2",
            "--stamp",
            "sent",
            "--sequence",
            "--json",
        ];
        load.args(flags).arg(&report).arg(&url)
    });
    assert!(load.wait().success());
    let text = fs::read_to_string(&report).unwrap();
    fs::remove_file(&report).unwrap();
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
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
fn load_says_why_its_first_client_gets_no_stream() {
    let (url, _) = answering(
        vec!["HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno"],
        0,
    );
    let none = format!("http://127.0.0.1:{}/", free_port());
    for (url, why) in [(url, "404 Not Found"), (none, "the connection failed")] {
        let mut load = Program::start("load", |load| load.arg(&url).stderr(Stdio::piped()));
        line_with(why, &mut BufReader::new(load.0.stderr.take().unwrap()));
        assert!(!load.wait().success());
    }
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
            load.args(["-c1", "-t1", "--unix-socket"]).arg(&path);
            load.args(flags).arg("http://localhost/")
        });
        let mut socket = BufReader::new(listener.accept().unwrap().0);
        let field = line_with("authorization: ", &mut socket);
        assert_eq!(field.trim_end(), format!("authorization: {expected}"));
        line_with("\r\n", &mut socket);
        socket.get_mut().write_all(ONE.as_bytes()).unwrap();
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
        let flags = ["-c1", "-t1", "--proxy", &proxy, "http://example.invalid/"];
        load.args(flags)
    });
    assert!(load.wait().success());
    let asked = asked.join().unwrap();
    let target = "GET http://example.invalid/ HTTP/1.1\r\n";
    assert!(asked[0].starts_with(target), "{asked:?}");
}
