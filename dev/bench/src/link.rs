//! A client's connection that does not block, over TLS or without.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
};

use sse_tokio::tls::rustls::ClientConnection;

pub(crate) struct Link {
    socket: TcpStream,
    /// What is sent once the socket is connected.
    request: Vec<u8>,
    tls: Option<Box<ClientConnection>>,
    records: Records,
}

impl Link {
    /// Asks for this as soon as it can.
    pub(crate) fn new(
        socket: TcpStream,
        mut request: Vec<u8>,
        mut tls: Option<Box<ClientConnection>>,
    ) -> io::Result<Self> {
        if let Some(tls) = &mut tls {
            // It is kept until the handshake is made.
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

    /// Reads what has come: 0 is the end. To be called until there is nothing more
    /// ([`io::ErrorKind::WouldBlock`]), and first when the socket is connected.
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

    /// Sends what can be sent by now.
    pub(crate) fn send(&mut self) -> io::Result<()> {
        if let Some(tls) = &mut self.tls {
            while tls.wants_write() {
                connected(tls.write_tls(&mut self.socket))?;
            }
        } else if !self.request.is_empty() {
            // It is small, and so goes out at once.
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

    /// How many records of application data have come over TLS.
    pub(crate) fn records(&self) -> u64 {
        self.records.count
    }
}

/// A socket that is not connected yet is asked again once it is.
fn connected<V>(result: io::Result<V>) -> io::Result<V> {
    result.map_err(|error| match error.kind() {
        io::ErrorKind::NotConnected => io::ErrorKind::WouldBlock.into(),
        _ => error,
    })
}

/// The records of a TLS connection, as they go by
/// ([RFC 8446 section 5.1](https://www.rfc-editor.org/rfc/rfc8446#section-5.1)).
#[derive(Default)]
struct Records {
    count: u64,
    head: [u8; 5],
    head_len: usize,
    /// How much of a record is still to come.
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
