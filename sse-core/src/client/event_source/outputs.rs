//! Outputs: what the caller has to do next.

use std::{mem, time::Instant};

use super::{
    super::state::{Open, Outgoing, State},
    ClientEvent, EventSource, Past,
    transitions::Step,
};
use crate::{DecodeError, Decoded, Decoder, MessageEvent, Transmit};

impl EventSource {
    /// Returns the bytes to write now, for one vectored write. Report with
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

    /// Returns the next item received on the open stream: most often an event, or one of the other items
    /// that [`poll_event`](Self::poll_event) returns from a stream. Returns `None` if there is no such
    /// item, or if `poll_event` has to return something else first.
    ///
    /// This is a part of `poll_event`, which a caller may always use alone. A caller that takes many
    /// events saves reading the clock for each of them.
    #[inline]
    pub fn poll_received(&mut self) -> Option<ClientEvent> {
        self.state.receiving()?.next(&mut self.decoder)
    }

    /// Returns the next event of what was received of the open stream, and passes over what else
    /// [`poll_received`](Self::poll_received) gives of it. `None` has the meaning that it has there.
    ///
    /// It is for callers who want nothing but events, which are moved less often this way.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] for an event that is too large, as in [`ClientEvent::Discarded`]. The stream goes
    /// on after it.
    #[inline]
    pub fn poll_received_event(&mut self) -> Result<Option<MessageEvent>, DecodeError> {
        let Some(open) = self.state.receiving() else {
            return Ok(None);
        };
        let decoder = &mut self.decoder;
        let event = open
            .incoming
            .next(|part| decoder.decode_event(part).transpose());
        open.gave_event |= matches!(event, Some(Ok(_)));
        event.transpose()
    }

    /// Returns the oldest event that the caller has yet to see: what to do with the connection, what was
    /// received, and how the subscription ended. Call it until it returns `None`, after each input.
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
                        // The caller takes an item. If it is the last one, the idle time counts from
                        // here.
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

    /// Returns when to call [`handle_timeout`](Self::handle_timeout), if nothing happens before; `None`
    /// where no deadline is set. Ask again after every other call.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.state.deadline()
    }
}

impl Open {
    #[inline]
    fn next(&mut self, decoder: &mut Decoder) -> Option<ClientEvent> {
        // Matching it apart and building it again would copy it.
        let event = (self.incoming).next(|part| ClientEvent::next(decoder, part));
        self.gave_event |= matches!(event, Some(ClientEvent::Event(_)));
        event
    }
}

impl ClientEvent {
    /// Decodes the next item in this part of the stream.
    #[inline]
    pub(in crate::client) fn next(decoder: &mut Decoder, part: &mut &[u8]) -> Option<Self> {
        match decoder.decode(part) {
            Ok(None) => None,
            // Most items are events. They are moved out on their own, because copying the whole enum
            // would wait for memory that was just written.
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
