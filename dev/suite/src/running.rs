//! A running server, and its clients.

use std::{
    io::{ErrorKind, Read, Write},
    net::{self, SocketAddr, TcpStream},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use futures_util::future::{Either, select};
use sse_core::lifecycle::Shutdown;
use sse_driver::{Report, ServerConfig, ServerHandle, router::Router};

use crate::{Adapter, PATIENCE, Server};

/// A server on a thread of its own.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) handle: ServerHandle,
    /// Makes the server's thread drop the server's future.
    abandoned: Shutdown,
    report: mpsc::Receiver<Option<Report>>,
}

pub(crate) fn start<A: Adapter>(router: Router) -> Running {
    start_with::<A>(ServerConfig::default(), router)
}

pub(crate) fn start_with<A: Adapter>(config: ServerConfig, router: Router) -> Running {
    start_at::<A>("127.0.0.1:0".to_owned(), config, router)
}

pub(crate) fn start_at<A: Adapter>(
    address: String,
    config: ServerConfig,
    router: Router,
) -> Running {
    start_set_up::<A>(address, router, move |server| server.with_config(config))
}

/// Starts a server on `address` after `set_up`.
pub(crate) fn start_set_up<A: Adapter>(
    address: String,
    router: Router,
    set_up: impl FnOnce(Server<A>) -> Server<A> + Send + 'static,
) -> Running {
    let abandoned = Shutdown::new();
    let signal = abandoned.signal();
    let (started, has_started) = mpsc::channel();
    let (told, report) = mpsc::channel();
    thread::spawn(move || {
        A::block_on(async move {
            let server = set_up(Server::<A>::bind(address).await.unwrap());
            let facts = (server.local_addr().unwrap(), server.handle());
            started.send(facts).unwrap();
            let serving = Box::pin(server.serve(router));
            let report = match select(serving, signal).await {
                Either::Left((report, _)) => Some(report.unwrap()),
                Either::Right((_, serving)) => {
                    drop(serving);
                    None
                }
            };
            // The test may have ended.
            let _ = told.send(report);
        });
    });
    let (address, handle) = has_started.recv().unwrap();
    Running {
        address,
        handle,
        abandoned,
        report,
    }
}

impl Running {
    pub(crate) fn connect(&self) -> Client {
        let socket = TcpStream::connect(self.address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Client(socket)
    }

    /// Sends a request, and returns its client.
    pub(crate) fn get(&self, path: &str) -> Client {
        let mut client = self.connect();
        client.send(format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"));
        client
    }

    pub(crate) fn request(&self, bytes: impl AsRef<[u8]>) -> Answer {
        let mut client = self.connect();
        client.send(bytes);
        client.answer()
    }

    /// Drops the server's future.
    pub(crate) fn abandon(&self) {
        self.abandoned.begin();
    }

    /// Returns the server's report. The server is shut down, or is about to be.
    pub(crate) fn report(self) -> Report {
        let report = self.report.recv_timeout(PATIENCE);
        report
            .expect("waited too long for the server's end")
            .unwrap()
    }

    /// Waits until no connection is open.
    pub(crate) fn empty(&self) {
        self.wait_for_open(0);
    }

    pub(crate) fn wait_for_open(&self, connections: usize) {
        let start = Instant::now();
        while self.handle.open_connections() != connections {
            assert!(
                start.elapsed() < PATIENCE,
                "connections neither come nor go"
            );
            thread::yield_now();
        }
    }
}

/// A client that sees every byte.
pub(crate) struct Client(pub(crate) TcpStream);

impl Client {
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).unwrap();
    }

    /// Reads everything up to the end of the connection.
    pub(crate) fn answer(mut self) -> Answer {
        let mut bytes = Vec::new();
        self.0.read_to_end(&mut bytes).unwrap();
        Answer(String::from_utf8(bytes).unwrap())
    }

    /// Reads until this has come.
    pub(crate) fn read_until(&mut self, end: &str) -> String {
        let mut text = String::new();
        let mut buffer = [0; 1024];
        while !text.contains(end) {
            let n = match self.0.read(&mut buffer) {
                // A process that was stopped goes on.
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                read => read.unwrap(),
            };
            assert_ne!(n, 0, "the connection ended before {end:?} came: {text}");
            text += str::from_utf8(&buffer[..n]).unwrap();
        }
        text
    }

    /// Reads until this has come, or the connection ends.
    pub(crate) fn answer_up_to(mut self, end: &str) -> String {
        let (mut bytes, mut buffer) = (Vec::new(), [0; 1024]);
        while let Ok(n @ 1..) = self.0.read(&mut buffer) {
            bytes.extend_from_slice(&buffer[..n]);
            if String::from_utf8_lossy(&bytes).contains(end) {
                break;
            }
        }
        String::from_utf8(bytes).unwrap()
    }

    /// Reads the rest, also if the connection ends with a reset.
    pub(crate) fn answer_rest(self) -> String {
        String::from_utf8(self.answer_rest_bytes()).unwrap()
    }

    /// Does the same where the bytes may be no text.
    pub(crate) fn answer_rest_bytes(mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let _ = self.0.read_to_end(&mut bytes);
        bytes
    }

    /// Sends this byte again and again, with pauses, until there is an answer.
    pub(crate) fn drip_until_answered(mut self, byte: u8) -> Answer {
        const PAUSE: Duration = Duration::from_millis(2);
        self.0.set_read_timeout(Some(PAUSE)).unwrap();
        let mut first = [0];
        while self.0.read(&mut first).is_err() {
            self.send([byte]);
        }
        self.0.set_read_timeout(Some(PATIENCE)).unwrap();
        let rest = self.answer().0;
        Answer(String::from_utf8(first.to_vec()).unwrap() + &rest)
    }

    /// Sends this text again and again, until the server has closed the connection.
    pub(crate) fn send_for_ever(mut self, text: &str) {
        let block = text.repeat(1 + 16 * 1024 / text.len());
        self.0.set_write_timeout(Some(PATIENCE)).unwrap();
        for _ in 0..10_000 {
            if let Err(end) = self.0.write_all(block.as_bytes()) {
                assert_ne!(
                    end.kind(),
                    ErrorKind::WouldBlock,
                    "it neither reads nor closes"
                );
                return;
            }
        }
        panic!("the server reads for ever");
    }

    /// Closes the sending side.
    pub(crate) fn half_close(&self) {
        self.0.shutdown(net::Shutdown::Write).unwrap();
    }

    /// Closes the connection with a reset.
    pub(crate) fn reset(self) {
        let socket = socket2::SockRef::from(&self.0);
        socket.set_linger(Some(Duration::ZERO)).unwrap();
    }
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer(pub(crate) String);

impl Answer {
    pub(crate) fn status(&self) -> u16 {
        self.0.split(' ').nth(1).unwrap().parse().unwrap()
    }

    pub(crate) fn head(&self) -> &str {
        self.0.split_once("\r\n\r\n").unwrap().0
    }

    pub(crate) fn body(&self) -> &str {
        self.0.split_once("\r\n\r\n").unwrap().1
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.head().lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            (key == name).then_some(value)
        })
    }

    /// Returns the body without its chunks, and whether it ends properly.
    pub(crate) fn events(&self) -> (String, bool) {
        assert_eq!(self.field("transfer-encoding"), Some("chunked"));
        let (mut text, mut rest) = (String::new(), self.body());
        while let Some((size, tail)) = rest.split_once("\r\n") {
            let size = usize::from_str_radix(size, 16).unwrap();
            if size == 0 {
                assert_eq!(tail, "\r\n", "nothing comes after the end");
                return (text, true);
            }
            text += &tail[..size];
            rest = tail[size..].strip_prefix("\r\n").unwrap();
        }
        (text, false)
    }
}
