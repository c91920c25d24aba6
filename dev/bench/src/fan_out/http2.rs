//! The client's side of HTTP/2 ([RFC 9113](https://www.rfc-editor.org/rfc/rfc9113)), as far as a
//! client needs it that asks for streams and counts what it receives.

use std::{io::Write, net::TcpStream};

use crate::{Result, control::MARK};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;

const ACK: u8 = 1;
/// `END_STREAM` and `END_HEADERS`.
const WHOLE_REQUEST: u8 = 5;

const HEAD_LEN: usize = 9;

/// The largest window.
const WINDOW: u32 = (1 << 31) - 1;

/// The number of bytes of the connection's window that may be used before it is opened again.
const USED: u32 = 1 << 29;

/// Reads what a server sends on one connection.
#[derive(Default)]
pub(crate) struct Frames {
    head: [u8; HEAD_LEN],
    /// The number of received bytes of the head, and of bytes of the payload that are still to
    /// come.
    head_len: usize,
    left: usize,
    /// The part of the payload that is kept, to be sent back.
    payload: Vec<u8>,
    /// The number of bytes of the connection's window that are used.
    used: u32,
}

/// What was received.
#[derive(Default)]
pub(crate) struct Came {
    pub(crate) answers: u64,
    pub(crate) events: u64,
}

/// Returns the first bytes of a client: settings with the largest windows, and a request for each
/// of its streams.
pub(crate) fn requests(path: &str, streams: usize) -> Vec<u8> {
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    let mut settings = Vec::new();
    for (setting, value) in [(2_u16, 0), (4, WINDOW)] {
        settings.extend(setting.to_be_bytes());
        settings.extend(value.to_be_bytes());
    }
    put(&mut bytes, SETTINGS, 0, 0, &settings);
    put(
        &mut bytes,
        WINDOW_UPDATE,
        0,
        0,
        &(WINDOW - 65_535).to_be_bytes(),
    );
    // `GET` and `http` of the static table, then a path and an authority without compression.
    let mut fields = vec![0x82, 0x86];
    for (name, value) in [(4, path), (1, "localhost")] {
        fields.push(name);
        fields.push(value.len() as u8);
        fields.extend(value.as_bytes());
    }
    for stream in 0..streams as u32 {
        put(&mut bytes, HEADERS, WHOLE_REQUEST, 2 * stream + 1, &fields);
    }
    bytes
}

fn put(bytes: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    bytes.extend(&(payload.len() as u32).to_be_bytes()[1..]);
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
}

impl Frames {
    /// Handles received bytes, and sends the answers that the protocol requires.
    pub(crate) fn take(&mut self, mut bytes: &[u8], socket: &TcpStream) -> Result<Came> {
        let mut came = Came::default();
        while !bytes.is_empty() {
            if self.head_len < HEAD_LEN {
                let n = bytes.len().min(HEAD_LEN - self.head_len);
                self.head[self.head_len..][..n].copy_from_slice(&bytes[..n]);
                self.head_len += n;
                bytes = &bytes[n..];
                if self.head_len < HEAD_LEN {
                    break;
                }
                self.left =
                    u32::from_be_bytes([0, self.head[0], self.head[1], self.head[2]]) as usize;
                came.answers += u64::from(self.head[3] == HEADERS);
            }
            let (payload, rest) = bytes.split_at(bytes.len().min(self.left));
            self.left -= payload.len();
            bytes = rest;
            match self.head[3] {
                DATA => {
                    came.events += memchr::memchr_iter(MARK, payload).count() as u64;
                    self.used += payload.len() as u32;
                }
                PING => self.payload.extend(payload),
                RST_STREAM | GOAWAY => return Err("the server ended a stream".into()),
                _ => {}
            }
            if self.left == 0 {
                self.end(socket)?;
            }
        }
        Ok(came)
    }

    /// All of it is there.
    fn end(&mut self, mut socket: &TcpStream) -> Result<()> {
        self.head_len = 0;
        let payload = std::mem::take(&mut self.payload);
        let mut answer = Vec::new();
        if matches!(self.head[3], SETTINGS | PING) && self.head[4] & ACK == 0 {
            put(&mut answer, self.head[3], ACK, 0, &payload);
        }
        if self.used > USED {
            put(&mut answer, WINDOW_UPDATE, 0, 0, &self.used.to_be_bytes());
            self.used = 0;
        }
        if !answer.is_empty() {
            socket.write_all(&answer)?;
        }
        Ok(())
    }
}
