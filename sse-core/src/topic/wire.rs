//! Reads encoded events again, for subscribers that want some of them, or other IDs on them.
//!
//! This crate wrote the bytes that are read here, so no parser is needed: an event's lines are fields,
//! none of them is empty, and an empty line ends it.

use std::time::Duration;

use memchr::{memchr, memmem};

use crate::{Event, EventId, EventType, Text};

/// The end of an event's last line, and the empty line.
const END: &[u8] = b"\n\n";

/// Returns the events one by one, each with its empty line.
pub(super) fn events(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    split(bytes, |rest| {
        memmem::find(rest, END).map(|at| at + END.len())
    })
}

/// Returns the type that a client dispatches the event as.
pub(super) fn event_type(event: &[u8]) -> &str {
    const DEFAULT: &str = "message";
    match value(event, b"event:") {
        None | Some("") => DEFAULT,
        Some(event_type) => event_type,
    }
}

/// Returns the ID that the event sets, which may be empty.
pub(super) fn id(event: &[u8]) -> Option<&str> {
    value(event, b"id:")
}

/// Returns the value of a field other than data.
fn value<'a>(event: &'a [u8], name: &[u8]) -> Option<&'a str> {
    let value = lines(event)
        // Only data fields come after data.
        .take_while(|line| !line.starts_with(b"data"))
        .find_map(|line| line.strip_prefix(name)?.strip_suffix(b"\n"))?;
    // An empty value has no space in front.
    str::from_utf8(value.strip_prefix(b" ").unwrap_or_default()).ok()
}

/// Decodes the event; the line ends of its data are LF.
pub(super) fn decode(event: &[u8]) -> Event {
    let (mut data, mut reconnection_time) = (None::<String>, None);
    let (mut id, mut event_type) = (None, None);
    for line in lines(event) {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        // It is UTF-8, and every value is a valid one: this crate encoded it.
        let Some((name, value)) = str::from_utf8(line).ok().and_then(|l| l.split_once(':')) else {
            continue;
        };
        let value = value.strip_prefix(' ').unwrap_or(value);
        match (name, &mut data) {
            ("event", _) => event_type = EventType::new(value).ok(),
            ("id", _) => id = EventId::new(value).ok(),
            ("retry", _) => reconnection_time = value.parse().ok().map(Duration::from_millis),
            (_, Some(data)) => data.extend(["\n", value]),
            (_, none) => *none = Some(value.to_owned()),
        }
    }
    Event::from_fields(data.map(Text::from), id, event_type, reconnection_time)
}

/// Appends the event in the form of a history that gives it this place.
#[cfg(feature = "follower")]
pub(super) fn put_event(buffer: &mut Vec<u8>, place: super::Position, event: &Event) {
    if event.id().is_none() {
        put_id(buffer, place.text().as_str().as_bytes());
    }
    event.encode_reserved(buffer);
    if !event.needs_dispatch() {
        // Its ID takes effect at a blank line.
        buffer.push(b'\n');
    }
}

/// Appends the event with this ID in place of its own.
pub(super) fn put_with_id(buffer: &mut Vec<u8>, event: &[u8], id: &[u8]) {
    put_id(buffer, id);
    let mut rest = event;
    // Its ID fields, of which it may have two, come before all data.
    while let Some(line) = lines(rest).next()
        && !line.starts_with(b"data")
    {
        if !line.starts_with(b"id") {
            buffer.extend_from_slice(line);
        }
        rest = rest.get(line.len()..).unwrap_or_default();
    }
    buffer.extend_from_slice(rest);
}

/// Appends a block without data, which sets the client's last event ID and dispatches no event.
pub(super) fn put_place(buffer: &mut Vec<u8>, id: &[u8]) {
    put_id(buffer, id);
    buffer.push(b'\n');
}

fn put_id(buffer: &mut Vec<u8>, id: &[u8]) {
    buffer.extend_from_slice(b"id: ");
    buffer.extend_from_slice(id);
    buffer.push(b'\n');
}

/// Returns the lines, each with its end.
fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    split(bytes, |rest| memchr(b'\n', rest).map(|at| at + 1))
}

/// Splits the bytes where `end_of_first` says; the rest is the last part.
fn split(
    mut rest: &[u8],
    end_of_first: impl Fn(&[u8]) -> Option<usize>,
) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let end = end_of_first(rest).unwrap_or(rest.len());
        let (first, others) = rest.split_at_checked(end)?;
        rest = others;
        (!first.is_empty()).then_some(first)
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::{Decoded, Decoder, Event};

    fn event() -> impl Strategy<Value = Event> {
        let event_type = prop::option::of("[ -~é]{0,8}");
        let id = prop::option::of("[ -~é]{0,8}");
        let data = prop::option::of("[a-e: é\r\n]{0,20}");
        let retry = prop::option::of(0..100_u64);
        (event_type, id, data, retry).prop_map(|(event_type, id, data, retry)| {
            let mut event = data.map_or_else(Event::without_data, Event::new);
            if let Some(event_type) = event_type {
                event = event.with_event_type(event_type).unwrap();
            }
            if let Some(millis) = retry {
                event = event.with_reconnection_time(Duration::from_millis(millis));
            }
            // A topic's events have an ID, from the publisher or from the topic.
            event.with_id(id.unwrap_or_else(|| "7-1".into())).unwrap()
        })
    }

    /// Returns type, data and ID of what is dispatched, and the last event ID after all of it.
    fn decoded(wire: &[u8]) -> (Vec<(String, String, String)>, String) {
        let (mut decoder, mut input) = (Decoder::new(), wire);
        let mut events = Vec::new();
        while let Some(decoded) = decoder.decode(&mut input).unwrap() {
            if let Decoded::Event(event) = decoded {
                events.push((
                    event.event_type().to_owned(),
                    event.data().to_owned(),
                    event.last_event_id().to_owned(),
                ));
            }
        }
        (events, decoder.last_event_id().to_owned())
    }

    proptest! {
        #[test]
        fn an_event_is_decoded_with_all_that_it_had(event in event()) {
            let mut wire = Vec::new();
            event.encode(&mut wire);
            let decoded = decode(&wire);
            let lf = |data: &str| data.replace("\r\n", "\n").replace('\r', "\n");
            prop_assert_eq!(decoded.data().map(str::to_owned), event.data().map(lf));
            prop_assert_eq!(decoded.id(), event.id());
            prop_assert_eq!(decoded.event_type(), event.event_type());
            prop_assert_eq!(decoded.reconnection_time(), event.reconnection_time());
        }

        #[test]
        fn events_are_told_apart_and_keep_all_but_their_ids(
            published in prop::collection::vec(event(), 0..6),
        ) {
            let mut wire = Vec::new();
            let mut each = Vec::new();
            for event in &published {
                let start = wire.len();
                event.encode(&mut wire);
                each.push(wire[start..].to_vec());
            }
            prop_assert_eq!(events(&wire).collect::<Vec<_>>(), each.clone());

            let mut renamed = Vec::new();
            for (n, event) in each.iter().enumerate() {
                let (dispatched, _) = decoded(event);
                if let Some((seen, ..)) = dispatched.first() {
                    prop_assert_eq!(event_type(event), seen);
                }
                prop_assert_eq!(id(event), published[n].id().map(EventId::as_str));
                put_with_id(&mut renamed, event, n.to_string().as_bytes());
            }
            let mut expected = Vec::new();
            for (n, event) in each.iter().enumerate() {
                for (event_type, data, _) in decoded(event).0 {
                    expected.push((event_type, data, n.to_string()));
                }
            }
            let last = published.len().checked_sub(1).map_or(String::new(), |n| n.to_string());
            prop_assert_eq!(decoded(&renamed), (expected, last));
        }
    }

    #[test]
    fn a_place_is_not_an_event() {
        let mut wire = Vec::new();
        put_place(&mut wire, b"7-9");
        assert_eq!(decoded(&wire), (Vec::new(), "7-9".into()));
    }
}
