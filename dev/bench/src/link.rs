//! A client's connection that does not block, over TLS or without.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
};

use sse_tokio::tls::rustls::ClientConnection;

pub(crate) struct Link {
    socket: TcpStream,
    /// The bytes to send once the socket is connected.
    request: Vec<u8>,
    tls: Option<Box<ClientConnection>>,
    records: Records,
}

impl Link {
    /// Creates a link that sends this request as soon as it can.
    pub(crate) fn new(
        socket: TcpStream,
        mut request: Vec<u8>,
        mut tls: Option<Box<ClientConnection>>,
    ) -> io::Result<Self> {
        if let Some(tls) = &mut tls {
            // The request is kept until the handshake is made.
            tls.writer().write_all(&request)?;
            request.clear();
        }
        Ok(Self {
            socket,
            request,
            tls,
            records: Records::default(),
        })
    }

    /// Reads received bytes; 0 is the end. Call it until there are no more
    /// ([`io::ErrorKind::WouldBlock`]), for the first time when the socket is connected.
    pub(crate) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            self.send()?;
            let Some(tls) = &mut self.tls else {
                return self.socket.read(buffer);
            };
            match tls.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return read,
            }
            let mut input = self.records.counting(&mut self.socket);
            if connected(tls.read_tls(&mut input))? == 0 {
                return Ok(0);
            }
            tls.process_new_packets().map_err(io::Error::other)?;
        }
    }

    /// Sends what can be sent now.
    pub(crate) fn send(&mut self) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            while tls.wants_write() {
                connected(tls.write_tls(&mut self.socket))?;
            }
        } else if !self.request.is_empty() {
            // The request is small, so that one write sends all of it.
            connected(self.socket.write_all(&self.request))?;
            self.request.clear();
        }
        Ok(())
    }

    pub(crate) fn is_over_tls(&self) -> bool {
        self.tls.is_some()
    }

    pub(crate) fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Returns the number of received TLS records of application data.
    pub(crate) fn records(&self) -> u64 {
        self.records.count
    }
}

/// Converts the error of a socket that is not connected yet: the call is made again once it is.
fn connected<V>(result: io::Result<V>) -> io::Result<V> {
    result.map_err(|error| match error.kind() {
        io::ErrorKind::NotConnected => io::ErrorKind::WouldBlock.into(),
        _ => error,
    })
}

/// Counts the records of a TLS connection while they pass ([RFC 8446 section
/// 5.1](https://www.rfc-editor.org/rfc/rfc8446#section-5.1)).
#[derive(Default)]
struct Records {
    count: u64,
    head: [u8; 5],
    head_len: usize,
    /// The number of bytes of a record that are still to come.
    left: usize,
}

const APPLICATION_DATA: u8 = 23;

impl Records {
    fn counting<'a>(&'a mut self, socket: &'a mut TcpStream) -> Counting<'a> {
        Counting {
            records: self,
            socket,
        }
    }

    fn take(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.left > 0 {
                let n = bytes.len().min(self.left);
                self.left -= n;
                bytes = &bytes[n..];
                continue;
            }
            let n = bytes.len().min(self.head.len() - self.head_len);
            self.head[self.head_len..][..n].copy_from_slice(&bytes[..n]);
            self.head_len += n;
            bytes = &bytes[n..];
            if self.head_len == self.head.len() {
                self.head_len = 0;
                self.left = usize::from(u16::from_be_bytes([self.head[3], self.head[4]]));
                self.count += u64::from(self.head[0] == APPLICATION_DATA);
            }
        }
    }
}

struct Counting<'a> {
    records: &'a mut Records,
    socket: &'a mut TcpStream,
}

impl Read for Counting<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.socket.read(buffer)?;
        self.records.take(&buffer[..n]);
        Ok(n)
    }
}
