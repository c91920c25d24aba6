//! A decoder that follows WHATWG HTML 9.2.5 and 9.2.6 step by step, on the whole stream at once. The
//! bounds are those of this crate, and so is the ID to send.

use sse_core::DecodeBound;

/// The items of an event stream, in order.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Item {
    Event {
        event_type: String,
        data: String,
        last_event_id: String,
    },
    Comment(String),
    ReconnectionTime(u64),
    /// The id is ignored; its event is an item.
    IdTooLong,
    PastBound(DecodeBound),
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) line: usize,
    pub(crate) event: usize,
    pub(crate) id: usize,
}

#[derive(Default)]
struct Reference {
    items: Vec<Item>,
    data_buffer: Vec<u8>,
    event_type_buffer: String,
    last_event_id_buffer: String,
    last_event_id: String,
    last_event_id_to_send: String,
}

/// The last event ID after a stream.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct LastEventId {
    pub(crate) last_event_id: String,
    /// The newest ID that a header field can carry.
    pub(crate) to_send: String,
}

/// Returns the items in `stream`, and the last event ID after it.
pub(crate) fn decode(stream: &[u8], bounds: Bounds) -> (Vec<Item>, LastEventId) {
    let mut reference = Reference::default();
    let mut discarding = false;
    // "The UTF-8 decode algorithm strips one leading UTF-8 Byte Order Mark (BOM), if any."
    const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";
    let stream = match stream.strip_prefix(BYTE_ORDER_MARK) {
        Some(rest) => rest,
        // Bytes that may become a byte order mark do not begin a line yet.
        None if BYTE_ORDER_MARK.starts_with(stream) => return Default::default(),
        None => stream,
    };
    for (line, ended) in lines(stream) {
        if discarding {
            discarding = !(ended && line.is_empty());
        } else if line.len() > bounds.line {
            reference.give_up(DecodeBound::Line, &mut discarding);
        } else if ended && let Err(bound) = reference.process_line(line, bounds) {
            reference.give_up(bound, &mut discarding);
            // The blank line has been read where the fault is in it.
            discarding = !line.is_empty();
        }
        // "Once the end of the file is reached, any pending data must be discarded."
    }
    let left = LastEventId {
        last_event_id: reference.last_event_id,
        to_send: reference.last_event_id_to_send,
    };
    (reference.items, left)
}

/// Returns the lines, and whether each has an end. Only the last may have none.
fn lines(stream: &[u8]) -> Vec<(&[u8], bool)> {
    let mut lines = Vec::new();
    let mut rest = stream;
    while let Some(end) = rest.iter().position(|b| matches!(b, b'\r' | b'\n')) {
        lines.push((&rest[..end], true));
        let end_length = if rest[end..].starts_with(b"\r\n") {
            2
        } else {
            1
        };
        rest = &rest[end + end_length..];
    }
    lines.push((rest, false));
    lines
}

impl Reference {
    fn process_line(&mut self, line: &[u8], bounds: Bounds) -> Result<(), DecodeBound> {
        if line.is_empty() {
            return self.dispatch(bounds);
        }
        let (field, value) = match line.iter().position(|byte| *byte == b':') {
            Some(0) => {
                let comment = String::from_utf8_lossy(&line[1..]).into_owned();
                if comment.len() > bounds.line {
                    return Err(DecodeBound::Line);
                }
                self.items.push(Item::Comment(comment));
                return Ok(());
            }
            Some(colon) => {
                let value = &line[colon + 1..];
                (&line[..colon], value.strip_prefix(b" ").unwrap_or(value))
            }
            None => (line, &b""[..]),
        };
        self.process_field(field, value, bounds)
    }

    fn process_field(
        &mut self,
        field: &[u8],
        value: &[u8],
        bounds: Bounds,
    ) -> Result<(), DecodeBound> {
        let text = String::from_utf8_lossy(value).into_owned();
        match field {
            b"event" => self.event_type_buffer = text,
            b"data" => {
                self.data_buffer.extend_from_slice(value);
                self.data_buffer.push(b'\n');
            }
            b"id" if text.contains('\0') => {}
            b"id" if text.len() > bounds.id => self.items.push(Item::IdTooLong),
            b"id" => self.last_event_id_buffer = text,
            b"retry" if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
                let time = text.parse().unwrap_or(u64::MAX);
                self.items.push(Item::ReconnectionTime(time));
            }
            _ => {}
        }
        self.check_event(self.data_buffer.len(), bounds)
    }

    /// Checks the bound. `data` includes the line feed at the end of a data buffer, which is not part of
    /// an event.
    fn check_event(&self, data: usize, bounds: Bounds) -> Result<(), DecodeBound> {
        if data.saturating_sub(1) + self.event_type_buffer.len() > bounds.event {
            return Err(DecodeBound::Event);
        }
        Ok(())
    }

    fn dispatch(&mut self, bounds: Bounds) -> Result<(), DecodeBound> {
        let data = String::from_utf8_lossy(&self.data_buffer).into_owned();
        self.check_event(data.len(), bounds)?;
        self.last_event_id = self.last_event_id_buffer.clone();
        let is_sendable = |c: char| c == '\t' || !c.is_ascii_control();
        if self.last_event_id.chars().all(is_sendable) {
            self.last_event_id_to_send = self.last_event_id.clone();
        }
        self.data_buffer.clear();
        let event_type = std::mem::take(&mut self.event_type_buffer);
        if let Some(data) = data.strip_suffix('\n') {
            self.items.push(Item::Event {
                event_type: if event_type.is_empty() {
                    "message".into()
                } else {
                    event_type
                },
                data: data.into(),
                last_event_id: self.last_event_id.clone(),
            });
        }
        Ok(())
    }

    /// Drops an event that exceeded a bound, which counts as never sent.
    fn give_up(&mut self, bound: DecodeBound, discarding: &mut bool) {
        self.items.push(Item::PastBound(bound));
        self.data_buffer.clear();
        self.event_type_buffer.clear();
        self.last_event_id_buffer = self.last_event_id.clone();
        *discarding = true;
    }
}
