//! What the server of a language model is asked.

use std::{
    io::{BufRead, BufReader, Read},
    net::TcpStream,
};

/// Reads a whole request, and returns its body. What is left unread when a socket is closed would reset the
/// connection, and the answer could be lost.
pub(crate) fn read(socket: &mut TcpStream) -> String {
    let mut socket = BufReader::new(socket);
    let mut length = 0;
    loop {
        let mut line = String::new();
        assert_ne!(socket.read_line(&mut line).unwrap(), 0, "it ends early");
        let line = line.trim_end().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    socket.read_exact(&mut body).unwrap();
    String::from_utf8(body).unwrap()
}
