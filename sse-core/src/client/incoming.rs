//! The open event stream: bytes of the response's body, decoded one item at a time on demand.

use std::mem;

use super::Loss;
#[cfg(feature = "compression")]
use super::inflating::Inflating;
#[cfg(feature = "compression")]
use crate::http::KnownCoding;
use crate::http::{BodyPart, BodyReader};

/// Received bytes that are not decoded yet, and the reason why no more follow.
#[derive(Debug)]
pub(super) struct Incoming {
    body: BodyReader,
    bytes: Vec<u8>,
    /// The number of received bytes in `bytes`. A buffer of the caller's may have more room behind them.
    received: usize,
    /// The number of those that are used up.
    start: usize,
    /// The end of the part that belongs to the event stream, free of transfer framing, and begins at
    /// `start`.
    end: usize,
    /// Whether `bytes` is a buffer of the caller's, which the caller may take back.
    is_lent: bool,
    /// Why the connection is lost, once the bytes before that are decoded. [`Loss::Ended`] is the end of
    /// the connection; the body's framing decides whether the body ends there, too.
    loss: Option<Loss>,
    /// Why the body is over, according to its framing.
    over: Option<Loss>,
    /// The decoder of the content coding, if the body is compressed.
    #[cfg(feature = "compression")]
    inflating: Option<Box<Inflating>>,
}

impl Incoming {
    pub(super) fn new(body: BodyReader) -> Self {
        Self {
            body,
            bytes: Vec::new(),
            received: 0,
            start: 0,
            end: 0,
            is_lent: false,
            loss: None,
            over: None,
            #[cfg(feature = "compression")]
            inflating: None,
        }
    }

    /// Declares the body compressed in this coding, with `most` as the bound on its expansion.
    #[cfg(feature = "compression")]
    pub(super) fn inflate(&mut self, coding: KnownCoding, most: u32) {
        self.inflating = Some(Box::new(Inflating::new(coding, most)));
    }

    /// Returns the number of bytes that are not decoded yet.
    pub(super) fn len(&self) -> usize {
        let len = self.received - self.start;
        #[cfg(feature = "compression")]
        let len = len
            + self
                .inflating
                .as_ref()
                .map_or(0, |inflating| inflating.len());
        len
    }

    pub(super) fn receive(&mut self, input: &[u8]) {
        if self.loss.is_some() {
            return;
        }
        self.bytes.truncate(self.received);
        // Used-up bytes are removed once that frees more than it moves.
        if self.start > self.received / 2 {
            self.bytes.drain(..self.start);
            self.end -= self.start;
            self.start = 0;
        }
        self.bytes.extend_from_slice(input);
        self.received = self.bytes.len();
    }

    /// Receives the first `n` bytes of a buffer, without a copy if nothing else is left to decode.
    pub(super) fn receive_in(&mut self, buffer: Vec<u8>, n: usize) {
        let n = n.min(buffer.len());
        if self.len() > 0 || self.loss.is_some() {
            return self.receive(buffer.get(..n).unwrap_or_default());
        }
        self.bytes = buffer;
        self.received = n;
        self.start = 0;
        self.end = 0;
        self.is_lent = true;
    }

    /// Returns the caller's buffer, once all of it is decoded.
    pub(super) fn take_buffer(&mut self) -> Option<Vec<u8>> {
        if self.len() > 0 || !mem::take(&mut self.is_lent) {
            return None;
        }
        let buffer = mem::take(&mut self.bytes);
        self.release();
        Some(buffer)
    }

    /// Records that the connection is lost after the received bytes.
    pub(super) fn lose(&mut self, loss: Loss) {
        self.loss.get_or_insert(loss);
    }

    /// Records that the application wants no more of the connection than was received.
    pub(super) fn end_with(&mut self, loss: Loss) {
        self.loss = Some(loss);
    }

    /// Returns whether the application paused.
    pub(super) fn is_pausing(&self) -> bool {
        matches!(self.loss, Some(Loss::Paused))
    }

    /// Returns the next item of what was received, which `decode` takes off the front of a part of the
    /// stream.
    #[inline]
    pub(super) fn next<T>(&mut self, mut decode: impl FnMut(&mut &[u8]) -> Option<T>) -> Option<T> {
        #[cfg(feature = "compression")]
        if self.inflating.is_some() {
            return self.next_inflated(decode);
        }
        loop {
            let mut part = &self.bytes[self.start..self.end];
            let item = decode(&mut part);
            self.start = self.end - part.len();
            if item.is_some() {
                return item;
            }
            if !self.next_part() {
                return None;
            }
        }
    }

    /// Returns the next item of a compressed body.
    #[cfg(feature = "compression")]
    fn next_inflated<T>(&mut self, mut decode: impl FnMut(&mut &[u8]) -> Option<T>) -> Option<T> {
        loop {
            let inflating = self.inflating.as_mut()?;
            if let Some(item) = inflating.next(&mut decode) {
                return Some(item);
            }
            if matches!(self.over, Some(Loss::BadCoding(_))) {
                return None;
            }
            let mut part = &self.bytes[self.start..self.end];
            let inflated = inflating.inflate(&mut part);
            self.start = self.end - part.len();
            match inflated {
                Ok(true) => {}
                Ok(false) if self.next_part() => {}
                Ok(false) => return None,
                Err(error) => {
                    self.over = Some(Loss::BadCoding(error));
                    return None;
                }
            }
        }
    }

    /// Finds the next bytes of the body, and returns whether there are any.
    fn next_part(&mut self) -> bool {
        if self.over.is_some() {
            return false;
        }
        let mut rest = &self.bytes[self.end..self.received];
        match self.body.read(&mut rest) {
            Ok(BodyPart::Data(data)) => {
                self.end = self.received - rest.len();
                self.start = self.end - data.len();
                return true;
            }
            Ok(BodyPart::More) => self.release(),
            Ok(BodyPart::End) => self.over = Some(Loss::Ended),
            Err(error) => self.over = Some(Loss::BadBody(error)),
        }
        false
    }

    /// Returns why the connection is lost, if it is. Call it once everything received is decoded.
    pub(super) fn end(&mut self) -> Option<Loss> {
        let loss = match self.over.take() {
            Some(over) => over,
            None => match self.loss.take()? {
                Loss::Ended => match self.body.end_of_input() {
                    Ok(()) => Loss::Ended,
                    Err(error) => Loss::BadBody(error),
                },
                loss => loss,
            },
        };
        #[cfg(feature = "compression")]
        if let (Loss::Ended, Some(inflating)) = (&loss, &self.inflating)
            && let Err(error) = inflating.gzip.end()
        {
            return Some(Loss::BadCoding(error));
        }
        Some(loss)
    }

    /// Frees the buffer when everything is used up, so that an idle connection holds none.
    fn release(&mut self) {
        if !self.is_lent {
            self.bytes = Vec::new();
        }
        self.received = 0;
        self.start = 0;
        self.end = 0;
        #[cfg(feature = "compression")]
        if let Some(inflating) = &mut self.inflating {
            inflating.plain = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Decoder, http::Framing};

    #[test]
    fn decoded_bytes_make_room_also_for_a_caller_that_never_takes_everything() {
        let mut decoder = Decoder::new();
        let mut next = |incoming: &mut Incoming| {
            incoming.next(|part| decoder.decode_event(part).expect("no fault"))
        };
        let mut incoming = Incoming::new(BodyReader::new(Framing::CloseDelimited));
        incoming.receive(b"data: x\n\n");
        for _ in 0..10_000 {
            incoming.receive(b"data: x\n\n");
            assert!(next(&mut incoming).is_some());
            assert_eq!(incoming.len(), 9);
            assert!(incoming.bytes.len() < 100, "{}", incoming.bytes.len());
        }
        assert!(next(&mut incoming).is_some());
        assert!(next(&mut incoming).is_none());
        assert!(incoming.end().is_none());
        assert_eq!(
            incoming.bytes.capacity(),
            0,
            "an idle connection holds no buffer"
        );
    }
}
