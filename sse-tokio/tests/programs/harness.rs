//! Programs that end with their tests, and the servers and clients that the tests need around them.

use std::{
    env,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    os::{fd::OwnedFd, unix::net::UnixStream},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};

use sse_suite::port::Port;

/// How long anything may take before a test gives up: so long that a machine that is busy with other work
/// gets it done. No time is asserted.
const PATIENCE: Duration = Duration::from_secs(300);

/// An example program that ends with the test.
pub(crate) struct Program(pub(crate) Child);

impl Program {
    pub(crate) fn start(name: &str, set_up: impl FnOnce(&mut Command) -> &mut Command) -> Self {
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
    pub(crate) fn terminate(&self) {
        self.signal("-TERM");
    }

    /// Stops the program as Ctrl-C does.
    pub(crate) fn interrupt(&self) {
        self.signal("-INT");
    }

    fn signal(&self, signal: &str) {
        let pid = self.0.id().to_string();
        let status = Command::new("kill").args([signal, &pid]).status();
        assert!(status.unwrap().success());
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
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
pub(crate) fn blocked() -> (OwnedFd, UnixStream) {
    let (mut output, unread) = UnixStream::pair().unwrap();
    output.set_nonblocking(true).unwrap();
    while output.write(&[b'-'; 4096]).is_ok() {}
    while output.write(b"-").is_ok() {}
    output.set_nonblocking(false).unwrap();
    (output.into(), unread)
}

fn connect(port: u16) -> TcpStream {
    let start = Instant::now();
    loop {
        match TcpStream::connect(("127.0.0.1", port)) {
            Ok(socket) => return socket,
            Err(error) => assert!(start.elapsed() < PATIENCE, "{error}"),
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// Connects to a server that may still have to start.
pub(crate) fn client(port: u16, path: &str) -> BufReader<TcpStream> {
    let mut socket = connect(port);
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(socket, "GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    BufReader::new(socket)
}

/// Reads up to a line that contains this text.
pub(crate) fn line_with(text: &str, input: &mut impl BufRead) -> String {
    loop {
        let mut line = String::new();
        let n = input.read_line(&mut line).unwrap();
        assert_ne!(n, 0, "the input ended before {text:?}");
        if line.contains(text) {
            return line;
        }
    }
}

/// Starts a Redis server without files on this port, which ends with the test. When this returns, it
/// listens: programs wait some seconds for it.
pub(crate) fn redis(port: &Port) -> Program {
    let server = Command::new("redis-server")
        .args(["--port", &port.number().to_string(), "--bind", "127.0.0.1"])
        .args(["--save", "", "--appendonly", "no", "--dir", "/tmp"])
        .stdout(Stdio::null())
        .spawn();
    let server = server.expect("the Debian package redis-server is installed");
    let server = Program(server);
    connect(port.number());
    server
}

/// Returns the URL of a Redis server on this port.
pub(crate) fn redis_at(port: &Port) -> String {
    format!("redis://{}/", port.address())
}

/// Starts a server that answers each connection with this, and keeps it open.
pub(crate) fn serve(answer: &'static str) -> String {
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

/// Starts a server that answers each request with the next of these and hangs up, and returns the
/// requests: heads, then bodies of this length.
pub(crate) fn answering(
    answers: Vec<&'static str>,
    body: usize,
) -> (String, thread::JoinHandle<Vec<String>>) {
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

pub(crate) const ONE: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Node: 7\r\n\
     X-Node: 8\r\n\r\ndata: 1\n\n";
