//! Starts each program and reads from it.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::net::UnixListener,
    path::{Path, PathBuf},
    process::{Child, ChildStderr, ChildStdout, Command, Output, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

mod question;

/// How long a program may take to answer.
const PATIENCE: Duration = Duration::from_secs(300);

/// A program that runs until this is dropped.
struct Program {
    child: Child,
    out: BufReader<ChildStdout>,
    err: BufReader<ChildStderr>,
}

impl Program {
    fn start(path: &str, arguments: &[&str]) -> Self {
        let mut child = Command::new(path)
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let err = BufReader::new(child.stderr.take().unwrap());
        Self { child, out, err }
    }

    /// Starts a server, and returns it with its address.
    fn serve(path: &str) -> (Self, String) {
        let mut program = Self::start(path, &[]);
        let address = line(&mut program.out);
        (program, address)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn line(from: &mut impl BufRead) -> String {
    let mut line = String::new();
    from.read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}

/// Returns a client that has sent this request.
fn client(address: &str, request: &str) -> TcpStream {
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket.write_all(request.as_bytes()).unwrap();
    socket
}

fn answer(address: &str, request: &str) -> String {
    let mut text = String::new();
    client(address, request).read_to_string(&mut text).unwrap();
    text
}

/// Returns what a client prints until it ends.
fn output(path: &str, arguments: &[&str]) -> String {
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new(path).args(arguments).output().unwrap();
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap()
}

fn temporary(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

#[test]
fn poll_serves_many_and_notices_clients_that_go_away() {
    let (mut server, address) = Program::serve(env!("CARGO_BIN_EXE_poll"));
    let request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let clients = [0; 3].map(|_| BufReader::new(client(&address, request)));
    let mut data = clients.map(|client| {
        let lines = client.lines().map(Result::unwrap);
        lines.filter_map(|line| {
            line.strip_prefix("data: ")
                .map(|n| n.parse::<u64>().unwrap())
        })
    });
    for data in &mut data {
        let first = data.next().unwrap();
        assert_eq!(data.next(), Some(first + 1));
    }
    let [leaves, mut stays, _] = data;
    drop(leaves);
    assert_eq!(line(&mut server.err), "over: the client went away");
    assert!(stays.next().is_some());
    assert!(answer(&address, "nonsense\r\n\r\n").starts_with("HTTP/1.1 400 "));
}

#[test]
fn own_parser_hands_requests_in_and_takes_bytes_out() {
    let (mut server, address) = Program::serve(env!("CARGO_BIN_EXE_own_parser"));
    let hello = answer(&address, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(
        hello.contains("content-type: text/event-stream\r\n"),
        "{hello}"
    );
    assert!(
        hello.ends_with("\r\n\r\nd\r\ndata: hello\n\n\r\n0\r\n\r\n"),
        "{hello}"
    );
    assert_eq!(line(&mut server.err), "over: the stream ended");

    let head = "POST /repeat HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nwo";
    let mut poster = client(&address, head);
    poster.write_all(b"rds").unwrap();
    let mut repeated = String::new();
    poster.read_to_string(&mut repeated).unwrap();
    assert!(repeated.contains("data: words\n\n"), "{repeated}");

    let other = answer(&address, "GET /other HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(other.starts_with("HTTP/1.1 404 "), "{other}");
    let chunks = "Transfer-Encoding: chunked\r\n\r\nnonsense\r\n";
    let bad = answer(
        &address,
        &format!("POST /repeat HTTP/1.1\r\nHost: a\r\n{chunks}"),
    );
    assert!(bad.starts_with("HTTP/1.1 400 "), "{bad}");
}

#[test]
fn own_response_is_read_by_other_clients() {
    let (mut server, address) = Program::serve(env!("CARGO_BIN_EXE_own_response"));
    let url = format!("http://{address}/");
    let text = answer(&address, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let body = text.split_once("\r\n\r\n").unwrap().1;
    assert_eq!(
        body,
        "9\r\ndata: 1\n\n\r\n9\r\ndata: 2\n\n\r\n9\r\ndata: 3\n\n\r\n0\r\n\r\n"
    );
    assert_eq!(line(&mut server.err), "over: the stream ended");

    for program in [
        env!("CARGO_BIN_EXE_over_reqwest"),
        env!("CARGO_BIN_EXE_over_hyper"),
    ] {
        assert_eq!(output(program, &[&url]), "1\n2\n3\n", "{program}");
    }
}

#[test]
fn a_file_and_a_pipe_are_decoded() {
    let file = temporary("stream.txt");
    fs::write(
        &file,
        ": a comment\nid: 7\nevent: x\ndata: one\ndata: two\n\ndata: three\n\n",
    )
    .unwrap();
    let file = file.to_str().unwrap();
    assert_eq!(
        output(env!("CARGO_BIN_EXE_over_file"), &[file]),
        "( a comment)\nx: one\ntwo\nmessage: three\nthe last event ID is \"7\"\n"
    );
    let child = output(env!("CARGO_BIN_EXE_over_child"), &["cat", file]);
    assert_eq!(child, "one\ntwo\nthree\n");
}

#[test]
fn a_unix_socket_is_a_transport_like_any_other() {
    let path = temporary("socket");
    let _ = fs::remove_file(&path);
    let listener = UnixListener::bind(&path).unwrap();
    let mut program = Program::start(env!("CARGO_BIN_EXE_unix_socket"), &[path.to_str().unwrap()]);
    let accept = || {
        let (socket, _) = listener.accept().unwrap();
        let mut head = Vec::new();
        for line in BufReader::new(socket.try_clone().unwrap())
            .lines()
            .map(Result::unwrap)
        {
            if line.is_empty() {
                break;
            }
            head.push(line);
        }
        (socket, head)
    };
    let (mut first, head) = accept();
    assert_eq!(head[..2], ["GET /events HTTP/1.1", "host: localhost"]);
    first
        .write_all(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n\
              retry: 0\nid: 7\ndata: hello\n\n",
        )
        .unwrap();
    assert_eq!(line(&mut program.out), "hello");
    drop(first);

    // The client connects again by itself, with its last event ID.
    let (mut second, head) = accept();
    assert!(head.contains(&"last-event-id: 7".to_owned()), "{head:?}");
    second
        .write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
        .unwrap();
    assert!(program.child.wait().unwrap().success());
}

/// Reads the head of a request.
fn head_of(socket: &TcpStream) -> Vec<String> {
    let lines = BufReader::new(socket.try_clone().unwrap()).lines();
    let lines = lines.map(Result::unwrap);
    lines.take_while(|line| !line.is_empty()).collect()
}

/// Returns the command of a follower of `address`: without a proxy of this machine, with a token,
/// and with the file of its last event ID.
fn follower(address: &str, token: &Path, place: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_follow"));
    command
        .arg(format!("http://{address}/events"))
        .args([token, place])
        .env("NO_PROXY", "*")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

#[test]
fn a_follower_renews_its_token_and_goes_on_at_its_place_after_a_restart_of_its_own() {
    let (token, place) = (temporary("token"), temporary("place"));
    let _ = fs::remove_file(&place);
    fs::write(&token, "first\n").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let accept = |answer: &str| {
        let (mut socket, _) = listener.accept().unwrap();
        let head = head_of(&socket);
        socket.write_all(answer.as_bytes()).unwrap();
        head
    };
    let has = |head: &[String], field: &str| head.iter().any(|line| line == field);
    let stream = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";

    let child = follower(&address, &token, &place).spawn().unwrap();
    // The follower receives an event and loses the stream, and its token is no longer valid when it
    // reconnects.
    let head = accept(&format!("{stream}retry: 0\nid: 7\ndata: one\n\n"));
    assert!(has(&head, "authorization: Bearer first"), "{head:?}");
    let unauthorized = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n";
    fs::write(&token, "second\n").unwrap();
    let head = accept(unauthorized);
    assert!(has(&head, "last-event-id: 7"), "{head:?}");
    // The follower continues through a restart of the server behind a proxy, and ends when the
    // server answers 204.
    let unavailable = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n";
    let head = accept(unavailable);
    assert!(has(&head, "authorization: Bearer second"), "{head:?}");
    accept("HTTP/1.1 204 No Content\r\n\r\n");
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(output.stdout, b"one\n");
    assert_eq!(fs::read_to_string(&place).unwrap(), "7");

    // After its own restart the follower continues after that event. A 403 ends it.
    let child = follower(&address, &token, &place).spawn().unwrap();
    let head = accept("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    assert!(has(&head, "last-event-id: 7"), "{head:?}");
    let output = child.wait_with_output().unwrap();
    assert!(!output.status.success(), "{output:?}");
}

#[test]
fn a_server_goes_on_with_its_history_after_a_restart_and_after_a_crash() {
    let journal = temporary("news.jsonl");
    let _ = fs::remove_file(&journal);
    let path = env!("CARGO_BIN_EXE_restart");
    let start = || {
        let mut server = Program::start(path, &[journal.to_str().unwrap(), "127.0.0.1:0"]);
        let address = line(&mut server.out);
        (server, address)
    };
    let say = |address: &str, text: &str| {
        let fields = "Host: a\r\nContent-Type: application/json";
        let request = format!(
            "POST /news HTTP/1.1\r\n{fields}\r\nContent-Length: {}\r\n\r\n{text}",
            text.len()
        );
        let answer = answer(address, &request);
        assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
    };
    // Returns the IDs and the data that a client with this last event ID receives.
    let listen = |address: &str, id: Option<&str>, count: usize| -> Vec<String> {
        let field = id.map_or(String::new(), |id| format!("Last-Event-ID: {id}\r\n"));
        let request = format!("GET /news HTTP/1.1\r\nHost: a\r\n{field}\r\n");
        let lines = BufReader::new(client(address, &request))
            .lines()
            .map(Result::unwrap);
        let told = lines.filter(|line| line.starts_with("id: ") || line.starts_with("data: "));
        told.take(2 * count).collect()
    };

    let (mut server, address) = start();
    say(&address, "\"one\"");
    say(&address, "\"two\"");
    assert_eq!(
        listen(&address, None, 2),
        ["id: 1", "data: \"one\"", "id: 2", "data: \"two\""]
    );
    let id = server.child.id().to_string();
    assert!(Command::new("kill").arg(&id).status().unwrap().success());
    assert!(server.child.wait().unwrap().success());

    let (mut server, address) = start();
    say(&address, "\"three\"");
    assert_eq!(
        listen(&address, Some("1"), 2),
        ["id: 2", "data: \"two\"", "id: 3", "data: \"three\""]
    );
    server.child.kill().unwrap();
    server.child.wait().unwrap();
    // A line that was written only in part does not count.
    let mut file = fs::OpenOptions::new().append(true).open(&journal).unwrap();
    file.write_all(b"\"fo").unwrap();

    let (_server, address) = start();
    say(&address, "\"four\"");
    assert_eq!(
        listen(&address, Some("2"), 2),
        ["id: 3", "data: \"three\"", "id: 4", "data: \"four\""]
    );
}

#[test]
fn an_mcp_client_gets_json_and_a_stream_that_is_cut_and_goes_on() {
    // No response lasts longer than a second, and the count takes longer.
    let path = env!("CARGO_BIN_EXE_mcp_server");
    let mut server = Program::start(path, &["127.0.0.1:0", "1"]);
    let address = line(&mut server.out);
    let url = format!("http://{address}/mcp");
    let told = output(env!("CARGO_BIN_EXE_mcp_client"), &[&url]);
    let told: Vec<_> = told.lines().collect();
    assert_eq!(
        told[..2],
        ["tools: \"count\" \"remind\"", "\"You will be told.\""]
    );
    let steps = told[2..10].iter().enumerate().map(|(n, told)| {
        assert!(told.starts_with("\"notifications/progress\": "), "{told}");
        told.contains(&format!("\"progress\":{},", n + 1))
    });
    assert_eq!(steps.filter(|is_next| *is_next).count(), 8, "{told:#?}");
    assert_eq!(told[10], "\"counted to 8\"");
    assert!(told[11].starts_with("unasked: ") && told[11].contains("it is time"));
    assert_eq!(line(&mut server.err), "count 4: the stream is complete");

    let post = |fields: &str, body: &str| {
        let fields = format!(
            "Content-Type: application/json\r\n{fields}Content-Length: {}",
            body.len()
        );
        answer(
            &address,
            &format!("POST /mcp HTTP/1.1\r\n{fields}\r\n\r\n{body}"),
        )
    };
    let status = |answer: String| answer.split(' ').nth(1).map(str::to_owned).unwrap();
    // Pages of other sites, and foreign names that point at this machine.
    assert_eq!(
        status(post(
            "Host: localhost\r\nOrigin: http://evil.example\r\n",
            "{}"
        )),
        "403"
    );
    assert_eq!(status(post("Host: evil.example\r\n", "{}")), "421");
    // Unknown clients.
    assert_eq!(status(post("Host: localhost\r\n", "{}")), "400");
    assert_eq!(
        status(post("Host: localhost\r\nMcp-Session-Id: 7\r\n", "{}")),
        "404"
    );
    let other = "Host: localhost\r\nMcp-Session-Id: 7\r\nMcp-Protocol-Version: 1\r\n";
    assert_eq!(status(post(other, "{}")), "400");
}

/// Starts the server of a model. It answers each request with the next of these answers, and passes
/// the requests on.
fn model(answers: Vec<String>) -> (String, mpsc::Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    let (asked, requests) = mpsc::channel();
    thread::spawn(move || {
        for answer in answers {
            let (mut socket, _) = listener.accept().unwrap();
            asked.send(question::read(&mut socket)).unwrap();
            socket.write_all(answer.as_bytes()).unwrap();
        }
    });
    (url, requests)
}

/// Sends a request, as a page with a cookie does.
fn page_asks(address: &str, request: &str, body: &str) -> String {
    let length = body.len();
    let fields = format!("Host: a\r\nCookie: user=1\r\nContent-Length: {length}");
    answer(
        address,
        &format!("{request} HTTP/1.1\r\n{fields}\r\n\r\n{body}"),
    )
}

#[test]
fn an_answer_that_the_model_does_not_complete_has_failed() {
    let answer = |events| {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream";
        let word = "data: {\"choices\":[{\"delta\":{\"content\":\"Good\"}}]}\n\n";
        let body = format!("{word}{events}");
        format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    };
    let (url, _requests) = model(vec![
        answer(""),
        answer("data: {\"error\":{\"message\":\"overloaded\"}}\n\ndata: [DONE]\n\n"),
        answer("data: {\"choi\n\ndata: [DONE]\n\n"),
    ]);
    let path = env!("CARGO_BIN_EXE_language_model");
    let mut server = Program::start(path, &[&url, "127.0.0.1:0"]);
    let address = line(&mut server.out);
    for id in ["ended-early", "told-of-a-fault", "not-json"] {
        let asked = page_asks(&address, &format!("POST /answers/{id}"), "hello");
        assert!(asked.starts_with("HTTP/1.1 204 "), "{asked}");
        let written = page_asks(&address, &format!("GET /answers/{id}"), "");
        assert!(written.contains("data: Good\n\n"), "{id}: {written}");
        assert!(
            written.contains("data: {\"outcome\":\"failed\"}\n\n"),
            "{id}: {written}"
        );
    }
}

#[test]
fn a_refusal_of_the_language_model_is_told_to_the_page() {
    let refusal =
        |status| format!("HTTP/1.1 {status}\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n");
    let word =
        |text| format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n");
    let (url, requests) = model(vec![
        refusal("429 Too Many Requests"),
        refusal("401 Unauthorized"),
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}".into(),
        format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n{}{}data: [DONE]\n\n",
            word(" Good"),
            word(" morning"),
        ),
    ]);
    let path = env!("CARGO_BIN_EXE_language_model");
    let mut server = Program::start(path, &[&url, "127.0.0.1:0"]);
    let address = line(&mut server.out);
    // Sends a question, and reads the answer to its end.
    let ask = |id| {
        let asked = page_asks(&address, &format!("POST /answers/{id}"), "hello");
        assert!(asked.starts_with("HTTP/1.1 204 "), "{asked}");
        page_asks(&address, &format!("GET /answers/{id}"), "")
    };

    let busy = ask("busy");
    assert!(
        busy.contains("data: {\"retry_after\":\"7\",\"status\":429}\n\n"),
        "{busy}"
    );
    assert!(
        busy.contains("data: {\"outcome\":\"failed\"}\n\n"),
        "{busy}"
    );
    assert!(requests.recv().unwrap().contains("\"content\":\"hello\""));
    for id in ["a-key-that-is-refused", "no-event-stream"] {
        let no_answer = ask(id);
        assert!(
            no_answer.contains("data: {\"status\":502}\n\n"),
            "{no_answer}"
        );
    }
    let written = ask("written");
    assert!(written.contains("data:  Good\n\n"), "{written}");
    assert!(written.contains("data:  morning\n\n"), "{written}");
    assert!(
        written.contains("data: {\"outcome\":\"complete\"}\n\n"),
        "{written}"
    );

    // An ID has one answer: a client that asks again or reads again gets the same, and the model
    // gets no request.
    assert_eq!(ask("written").matches("data: ").count(), 3);
    assert_eq!(requests.iter().count(), 3);

    // Only this user can read it.
    let read = "GET /answers/written HTTP/1.1\r\nHost: a\r\n";
    let other = answer(&address, &format!("{read}Cookie: user=2\r\n\r\n"));
    assert!(other.starts_with("HTTP/1.1 404 "), "{other}");
    let stranger = answer(&address, &format!("{read}\r\n"));
    assert!(stranger.starts_with("HTTP/1.1 401 "), "{stranger}");

    // The server of the model has ended.
    let no_answer = ask("late");
    assert!(
        no_answer.contains("data: {\"status\":502}\n\n"),
        "{no_answer}"
    );
}

#[test]
fn a_job_goes_on_without_pages_and_is_stopped_by_hand() {
    let path = env!("CARGO_BIN_EXE_progress");
    let mut server = Program::start(path, &["127.0.0.1:0"]);
    let address = line(&mut server.out);
    // A job is done after 10 s, and its first report is kept for half of it: where the machine is slow, the
    // next one may be watched and stopped in time.
    let mut names = (10..30).map(|n| format!("report-{n}"));
    assert!(names.any(|name| goes_on_and_is_stopped(&mut server, &address, &name)));
}

/// Watches a job, and stops it. Returns false if it was too late for that.
fn goes_on_and_is_stopped(server: &mut Program, address: &str, job: &str) -> bool {
    let ask = |request: &str| page_asks(address, request, "");
    let (get, post) = (format!("GET /jobs/{job}"), format!("POST /jobs/{job}"));
    let watch = || {
        BufReader::new(client(
            address,
            &format!("{get} HTTP/1.1\r\nHost: a\r\n\r\n"),
        ))
    };
    // Reads until a line that begins with `what`.
    let until = |page: &mut BufReader<TcpStream>, what: &str| loop {
        let mut line = String::new();
        assert_ne!(page.read_line(&mut line).unwrap(), 0, "no {what}");
        if line.starts_with(what) {
            return line.trim_end().to_owned();
        }
    };
    let begun = format!("data: \"{job} has begun\"");
    let is_begun = |page: &mut BufReader<TcpStream>| {
        let first = until(page, "data: ");
        // A later report is the first for a page that comes too late.
        assert!(first == begun || first.starts_with("data: {"), "{first}");
        first == begun
    };

    assert!(ask(&get).starts_with("HTTP/1.1 404 "));
    assert!(ask(&post).starts_with("HTTP/1.1 202 "));
    // A job that is started twice runs once.
    let again = ask(&post);
    let mut page = watch();
    if again.starts_with("HTTP/1.1 200 ") || !is_begun(&mut page) {
        return false;
    }
    assert!(again.starts_with("HTTP/1.1 202 "), "{again}");
    assert_eq!(until(&mut page, "data: "), "data: {\"done\":1,\"of\":100}");
    drop(page);

    // A page that is opened later receives all reports.
    let mut page = watch();
    if !is_begun(&mut page) {
        return false;
    }
    until(&mut page, "data: {\"done\":2,");
    let stop = format!("{post}/stop");
    let stopped = ask(&stop);
    until(&mut page, "event: end");
    // Jobs for which it was too late have ends, too.
    let end = loop {
        let end = line(&mut server.err);
        if end.starts_with(job) {
            break end;
        }
        assert!(end.ends_with(": the stream is complete"), "{end}");
    };
    if stopped.starts_with("HTTP/1.1 404 ") {
        assert_eq!(end, format!("{job}: the stream is complete"));
        return false;
    }
    assert!(stopped.starts_with("HTTP/1.1 204 "), "{stopped}");
    assert_eq!(end, format!("{job}: stopped: stopped by hand"));
    assert!(ask(&stop).starts_with("HTTP/1.1 404 "));
    // The reports of the job are kept.
    assert!(ask(&post).starts_with("HTTP/1.1 200 "));
    assert!(ask(&get).contains("data: {\"outcome\":\"stopped\"}\n\n"));
    true
}
