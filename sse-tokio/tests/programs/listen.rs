//! `listen`: what it prints, when it ends, and what it sends.

use std::{
    env, fs,
    io::{BufReader, Read, Write},
    net::TcpListener,
    process::Stdio,
    thread,
    time::Duration,
};

use crate::harness::{ONE, Program, answering, blocked, line_with, serve};

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
fn listen_ends_where_its_reader_goes_though_no_event_comes() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let mut listen = Program::start("listen", |listen| listen.arg(&url).stdout(Stdio::piped()));
    let mut server = BufReader::new(listener.accept().unwrap().0);
    line_with("host: ", &mut server);
    let one = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n";
    server.get_mut().write_all(one.as_bytes()).unwrap();
    // As `head -1` does. The stream stays open.
    let mut reader = BufReader::new(listen.0.stdout.take().unwrap());
    line_with("\"data\":\"1\"", &mut reader);
    drop(reader);
    assert!(listen.wait().success());
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
