//! A server that breaks the rules.

use std::{
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

/// The head of a response that opens the stream.
pub(crate) const STREAM_HEAD: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";

/// A server that follows a script, on a thread for each connection.
pub(crate) struct Misbehaving {
    pub(crate) url: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Misbehaving {
    /// Calls `script` with the number of the connection, once the request's head has been read.
    pub(crate) fn new(script: impl Fn(usize, TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/events", listener.local_addr().unwrap());
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let (seen, script) = (requests.clone(), Arc::new(script));
        thread::spawn(move || {
            for (number, socket) in listener.incoming().enumerate() {
                let (socket, seen, script) = (socket.unwrap(), seen.clone(), script.clone());
                thread::spawn(move || {
                    seen.lock().unwrap().push(read_head(&socket));
                    script(number, socket);
                });
            }
        });
        Self { url, requests }
    }

    /// Always answers with the same bytes, and then closes.
    pub(crate) fn answering(answer: impl Into<String>) -> Self {
        let answer = answer.into();
        Self::new(move |_, mut socket| {
            let _ = socket.write_all(answer.as_bytes());
        })
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

fn read_head(socket: &TcpStream) -> String {
    let mut head = String::new();
    let mut lines = BufReader::new(socket.try_clone().unwrap());
    while !head.ends_with("\r\n\r\n") {
        if lines.read_line(&mut head).unwrap_or(0) == 0 {
            break;
        }
    }
    head
}

/// Writes the same bytes again and again, until the client closes the connection.
pub(crate) fn flood(mut socket: TcpStream, beginning: &str, bytes: &str) {
    let _ = socket.write_all(beginning.as_bytes());
    let block = bytes.repeat(1 + 16 * 1024 / bytes.len());
    while socket.write_all(block.as_bytes()).is_ok() {}
}
