//! A small HTTP client that has an event source's requests.

use std::{io, time::Instant};

use bytes::Bytes;
use sse_core::{
    client::EventSource,
    http::{
        BodyPart, BodyReader, Framing, Method, Request, ResponseHeadLimits, ResponseHeadReader,
    },
};

use crate::pipe::Read;

/// One request, and the part of its response that has come.
#[derive(Debug)]
pub(crate) struct Elsewhere {
    request: Vec<u8>,
    written: usize,
    response: Response,
}

#[derive(Debug)]
enum Response {
    Head(ResponseHeadReader),
    Body(BodyReader),
    Done,
}

impl Elsewhere {
    pub(crate) fn new(request: &Request<Bytes>) -> Self {
        let mut text = format!(
            "{} {} HTTP/1.1\r\nhost: sim\r\n",
            request.method(),
            request.uri().path()
        );
        for (name, value) in request.headers() {
            text += &format!("{name}: {}\r\n", value.to_str().expect("readable"));
        }
        Self {
            request: (text + "\r\n").into_bytes(),
            written: 0,
            response: Response::Head(ResponseHeadReader::new(ResponseHeadLimits::default())),
        }
    }

    /// Returns the bytes to be written.
    pub(crate) fn output(&self) -> &[u8] {
        &self.request[self.written..]
    }

    pub(crate) fn written(&mut self, count: usize) {
        self.written += count;
    }

    /// Passes the read bytes in, without their framing.
    pub(crate) fn take(&mut self, now: Instant, read: Read, source: &mut EventSource) {
        match read {
            Read::Nothing => {}
            Read::Bytes(bytes) => self.receive(now, &bytes, source),
            Read::End => match &self.response {
                Response::Body(body) if body.end_of_input().is_ok() => {
                    source.handle_body_end(now);
                }
                Response::Done => {}
                _ => self.fail(now, io::ErrorKind::UnexpectedEof, source),
            },
            Read::Error(kind) => self.fail(now, kind, source),
        }
    }

    fn fail(&mut self, now: Instant, kind: io::ErrorKind, source: &mut EventSource) {
        self.response = Response::Done;
        source.handle_transport_error(now, kind.into());
    }

    fn receive(&mut self, now: Instant, mut input: &[u8], source: &mut EventSource) {
        loop {
            match &mut self.response {
                Response::Head(reader) => {
                    let Some(head) = reader.read(&mut input).expect("a good head") else {
                        return;
                    };
                    let framing = Framing::of(&head, &Method::GET).expect("good framing");
                    self.response = Response::Body(BodyReader::new(framing));
                    source.handle_response(now, head);
                }
                Response::Body(body) => match body.read(&mut input).expect("a good body") {
                    BodyPart::Data(data) => source.handle_body(now, data),
                    BodyPart::More => return,
                    BodyPart::End => {
                        self.response = Response::Done;
                        source.handle_body_end(now);
                    }
                },
                Response::Done => return,
            }
        }
    }
}
