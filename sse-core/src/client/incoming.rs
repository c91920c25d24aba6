//! The open event stream: bytes of the response's body, decoded one by one when asked for.

use super::Loss;
#[cfg(feature = "compression")]
use super::inflating::Inflating;
use crate::{
    DecodeError, Decoder,
    decode::OwnedDecoded,
    http::{BodyPart, BodyReader},
};

/// Received bytes that are not decoded yet, and what comes after them.
#[derive(Debug)]
pub(super) struct Incoming {
    body: BodyReader,
    bytes: Vec<u8>,
    /// So many of `bytes` are used up,
    start: usize,
    /// and those from there up to here are of the event stream, free of transfer framing.
    end: usize,
    /// Why the connection is lost, once the bytes before that are decoded. [`Loss::Ended`] is
    /// the end of the connection; whether the body ends there, too, its framing knows.
    loss: Option<Loss>,
    /// Why the body is over, as its framing has it.
    over: Option<Loss>,
    /// What decodes the body, where it is compressed.
    #[cfg(feature = "compression")]
    inflating: Option<Box<Inflating>>,
}

impl Incoming {
    pub(super) fn new(body: BodyReader) -> Self {
        Self {
            body,
            bytes: Vec::new(),
            start: 0,
            end: 0,
            loss: None,
            over: None,
            #[cfg(feature = "compression")]
            inflating: None,
        }
    }

    /// The body is compressed, and becomes at most so many times as long as it is.
    #[cfg(feature = "compression")]
    pub(super) fn inflate(&mut self, most: u32) {
        self.inflating = Some(Box::new(Inflating::new(most)));
    }

    /// How many bytes are not decoded yet.
    pub(super) fn len(&self) -> usize {
        let len = self.bytes.len() - self.start;
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
        // What is used up makes room, once that is worth the move.
        if self.start > self.bytes.len() / 2 {
            self.bytes.drain(..self.start);
            self.end -= self.start;
            self.start = 0;
        }
        self.bytes.extend_from_slice(input);
    }

    /// The same, of bytes that need no copy where nothing else is left to decode.
    pub(super) fn receive_owned(&mut self, input: Vec<u8>) {
        if self.len() > 0 || self.loss.is_some() {
            return self.receive(&input);
        }
        self.bytes = input;
        self.start = 0;
        self.end = 0;
    }

    /// The connection is lost after what was received.
    pub(super) fn lose(&mut self, loss: Loss) {
        self.loss.get_or_insert(loss);
    }

    /// The application wants no more of the connection than was received.
    pub(super) fn end_with(&mut self, loss: Loss) {
        self.loss = Some(loss);
    }

    /// Whether the application paused.
    pub(super) fn is_pausing(&self) -> bool {
        matches!(self.loss, Some(Loss::Paused))
    }

    /// The next of what was received, which may be an event that was discarded.
    #[inline]
    pub(super) fn next(
        &mut self,
        decoder: &mut Decoder,
    ) -> Option<Result<OwnedDecoded, DecodeError>> {
        #[cfg(feature = "compression")]
        if self.inflating.is_some() {
            return self.next_inflated(decoder);
        }
        loop {
            let mut part = &self.bytes[self.start..self.end];
            let item = decoder.decode_owned(&mut part);
            self.start = self.end - part.len();
            if let Some(item) = item.transpose() {
                return Some(item);
            }
            if !self.next_part() {
                return None;
            }
        }
    }

    /// The same, of a compressed body.
    #[cfg(feature = "compression")]
    fn next_inflated(
        &mut self,
        decoder: &mut Decoder,
    ) -> Option<Result<OwnedDecoded, DecodeError>> {
        loop {
            let inflating = self.inflating.as_mut()?;
            if let Some(item) = inflating.next(decoder) {
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

    /// Finds the next bytes of the body. Says whether there are any.
    fn next_part(&mut self) -> bool {
        if self.over.is_some() {
            return false;
        }
        let mut rest = &self.bytes[self.end..];
        match self.body.read(&mut rest) {
            Ok(BodyPart::Data(data)) => {
                self.end = self.bytes.len() - rest.len();
                self.start = self.end - data.len();
                return true;
            }
            Ok(BodyPart::More) => self.release(),
            Ok(BodyPart::End) => self.over = Some(Loss::Ended),
            Err(error) => self.over = Some(Loss::BadBody(error)),
        }
        false
    }

    /// Why the connection is lost, if it is. To be asked when everything that was received is decoded.
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

    /// Everything is used up: an idle connection holds no buffer.
    fn release(&mut self) {
        self.bytes = Vec::new();
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
    use crate::http::Framing;

    #[test]
    fn what_is_used_up_makes_room_also_for_a_caller_who_is_never_done() {
        let mut decoder = Decoder::new();
        let mut incoming = Incoming::new(BodyReader::new(Framing::CloseDelimited));
        incoming.receive(b"data: x\n\n");
        for _ in 0..10_000 {
            incoming.receive(b"data: x\n\n");
            assert!(matches!(incoming.next(&mut decoder), Some(Ok(_))));
            assert_eq!(incoming.len(), 9);
            assert!(incoming.bytes.len() < 100, "{}", incoming.bytes.len());
        }
        assert!(matches!(incoming.next(&mut decoder), Some(Ok(_))));
        assert!(incoming.next(&mut decoder).is_none());
        assert!(incoming.end().is_none());
        assert_eq!(
            incoming.bytes.capacity(),
            0,
            "an idle connection holds no buffer"
        );
    }
}
