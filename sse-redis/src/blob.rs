//! The encoding of an event in Redis: the lengths of its parts, followed by the parts.

use std::time::Duration;

use sse_driver::core::Event;

/// Encodes an event as `DATA TYPE ID RETRY` and a line end, where each is a length or a number, or `-`
/// for none; the parts follow.
pub(crate) fn encode(event: &Event) -> Vec<u8> {
    let parts = [
        event.data(),
        event.event_type().map(|event_type| event_type.as_str()),
        event.id().map(|id| id.as_str()),
    ];
    let mut blob = Vec::new();
    for part in parts {
        let text = part.map_or("-".into(), |part| part.len().to_string());
        blob.extend_from_slice(text.as_bytes());
        blob.push(b' ');
    }
    let retry = event.reconnection_time().map(|time| time.as_millis());
    let retry = retry.map_or("-".into(), |millis| millis.to_string());
    blob.extend_from_slice(retry.as_bytes());
    blob.push(b'\n');
    for part in parts.into_iter().flatten() {
        blob.extend_from_slice(part.as_bytes());
    }
    blob
}

/// Decodes an event. Returns `None` where the bytes are not one.
pub(crate) fn decode(blob: &[u8]) -> Option<Event> {
    let line_end = blob.iter().position(|byte| *byte == b'\n')?;
    let (head, rest) = blob.split_at_checked(line_end + 1)?;
    let mut numbers = str::from_utf8(head).ok()?.trim_end().split(' ');
    let mut rest = str::from_utf8(rest).ok()?;
    let mut part = || -> Option<Option<&str>> {
        match numbers.next()? {
            "-" => Some(None),
            len => {
                let (part, others) = rest.split_at_checked(len.parse().ok()?)?;
                rest = others;
                Some(Some(part))
            }
        }
    };
    let (data, event_type, id) = (part()?, part()?, part()?);
    let mut event = match data {
        Some(data) => Event::new(data),
        None => Event::without_data(),
    };
    if let Some(event_type) = event_type {
        event = event.with_event_type(event_type).ok()?;
    }
    if let Some(id) = id {
        event = event.with_id(id).ok()?;
    }
    match numbers.next()? {
        "-" => {}
        millis => event = event.with_reconnection_time(Duration::from_millis(millis.parse().ok()?)),
    }
    Some(event)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_event_is_the_same_behind_its_blob(
            data in prop::option::of(any::<String>()),
            event_type in prop::option::of("[a-zé ]{0,9}"),
            id in prop::option::of("[a-z0-9 ]{0,9}"),
            retry in prop::option::of(0..1_000_000_u64),
        ) {
            let mut event = data.map_or_else(Event::without_data, Event::new);
            if let Some(event_type) = event_type {
                event = event.with_event_type(event_type).unwrap();
            }
            if let Some(id) = id {
                event = event.with_id(id).unwrap();
            }
            if let Some(millis) = retry {
                event = event.with_reconnection_time(Duration::from_millis(millis));
            }
            prop_assert_eq!(decode(&encode(&event)), Some(event));
        }

        #[test]
        fn no_blob_causes_a_panic(blob: Vec<u8>, text in "[-0-9 \n]{0,30}") {
            decode(&blob);
            decode(text.as_bytes());
        }
    }
}
