//! What the caller must do next.

use std::{mem, time::Instant};

use super::{
    super::state::{Open, Outgoing, State},
    ClientEvent, EventSource, Past,
    transitions::Step,
};
use crate::{Decoded, Decoder, Transmit};

impl EventSource {
    /// Returns the bytes to write now, for one vectored write. Say with
    /// [`handle_transmitted`](Self::handle_transmitted) how many of them were written.
    pub fn poll_transmit(&mut self) -> Transmit<'_> {
        let mut transmit = Transmit::empty();
        if let Some(Outgoing {
            head,
            body,
            written,
        }) = self.state.outgoing()
        {
            let mut skip = *written;
            transmit.push(head, &mut skip);
            transmit.push(body, &mut skip);
        }
        transmit
    }

    /// Returns the next of what was received of the open stream: an event, for the most part, or what
    /// else [`poll_event`](Self::poll_event) gives of a stream. `None` where there is nothing more of
    /// this, or something else is to be told before; `poll_event` has it.
    ///
    /// It is a part of `poll_event`, which a caller may always use alone. A caller with many events to
    /// take saves looking at the clock for each of them.
    #[inline]
    pub fn poll_received(&mut self) -> Option<ClientEvent> {
        match &mut self.state {
            State::Open(open) if open.untold.is_none() => {
                open.taken_untimed |= open.incoming.len() > 0;
                open.next(&mut self.decoder)
            }
            _ => None,
        }
    }

    /// Returns what there is to tell, oldest first: what to do with the connection, what was received,
    /// what became of the subscription.
    pub fn poll_event(&mut self, now: Instant) -> Option<ClientEvent> {
        loop {
            if let Some(event) = self.past.next() {
                return Some(event);
            }
            match &mut self.state {
                State::Unprepared => {
                    self.step(Step::Preparing(now));
                    return Some(ClientEvent::Prepare(Box::new(self.to_prepare())));
                }
                State::Asking => {
                    self.step(Step::Asked(now));
                    return Some(ClientEvent::Connect(self.target.endpoint()));
                }
                State::Open(open) => {
                    if let Some(response) = open.untold.take() {
                        return Some(ClientEvent::Open(*response));
                    }
                    if mem::take(&mut open.taken_untimed) || open.incoming.len() > 0 {
                        // Something is taken, and if it is the last, silence counts from here.
                        open.expect_more(now, &self.config);
                    }
                    if let Some(event) = open.next(&mut self.decoder) {
                        return Some(event);
                    }
                    let loss = open.incoming.end()?;
                    self.lose(now, loss, None);
                }
                State::Closed { untold } => {
                    return untold.take().map(|result| ClientEvent::Closed(*result));
                }
                _ => return None,
            }
        }
    }

    /// Returns when to call [`handle_timeout`](Self::handle_timeout), if nothing happens before.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.state.deadline()
    }
}

impl Open {
    #[inline]
    fn next(&mut self, decoder: &mut Decoder) -> Option<ClientEvent> {
        // Taken apart and put together again it would be copied.
        let event = self.incoming.next(decoder);
        self.gave_event |= matches!(event, Some(ClientEvent::Event(_)));
        event
    }
}

impl ClientEvent {
    /// Decodes the next of a part of the stream.
    #[inline]
    pub(in crate::client) fn next(decoder: &mut Decoder, part: &mut &[u8]) -> Option<Self> {
        match decoder.decode(part) {
            Ok(None) => None,
            // Most are events. They are taken out by themselves, since a copy of anything that it may
            // be waits for the memory that was just written.
            Ok(Some(Decoded::Event(event))) => Some(Self::Event(event.into())),
            Ok(Some(Decoded::Comment(text))) => Some(Self::Comment(text.into())),
            Ok(Some(Decoded::ReconnectionTime(time))) => Some(Self::ReconnectionTime(time)),
            Ok(Some(Decoded::IdTooLong(error))) => Some(Self::IdTooLong(error)),
            Err(error) => Some(Self::Discarded(error)),
        }
    }
}

impl Past {
    fn next(&mut self) -> Option<ClientEvent> {
        if mem::take(&mut self.disconnect) {
            return Some(ClientEvent::Disconnect);
        }
        if let Some(lost) = self.lost.take() {
            let (loss, wait) = *lost;
            return Some(ClientEvent::Lost { loss, wait });
        }
        mem::take(&mut self.paused).then_some(ClientEvent::Paused)
    }
}
