//! The IDs of a stream of several topics.
//!
//! Such an ID has a part for each topic, separated by commas: the [`Position`] and, if the event there
//! has an ID of the publisher's choice, the topic's name and that ID, separated by colons:
//! `2n9c-17:kitchen:order%3A9,2n9d-4`. While the topic lives, the position gives the place. The topic
//! that follows it, after a restart of the server, finds the event by its own ID.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use super::Position;

const BETWEEN_PARTS: char = ',';
const WITHIN_PART: char = ':';

/// The separators, and the characters that a field of a request would not return unchanged.
const ESCAPED: &AsciiSet = &CONTROLS.add(b'%').add(b' ').add(b',').add(b':');

/// The largest length of an ID with IDs of the publisher's choice. One that would be longer has the
/// positions only.
pub(super) const MOST_WITH_OWN_IDS: usize = 4 * 1024;

/// Escapes a name or an ID for a part.
pub(super) fn escaped(text: &str) -> Cow<'_, str> {
    utf8_percent_encode(text, ESCAPED).into()
}

/// Appends a part. `own_id` is the topic's name and the ID, both escaped.
pub(super) fn put_part(id: &mut String, position: Position, own_id: Option<(&str, &str)>) {
    id.push_str(position.text().as_str());
    if let Some((name, own_id)) = own_id {
        for text in [name, own_id] {
            id.push(WITHIN_PART);
            id.push_str(text);
        }
    }
}

/// Appends the separator of two parts.
pub(super) fn put_separator(id: &mut String) {
    id.push(BETWEEN_PARTS);
}

/// Returns the positions in an ID: the ID itself, or those of its parts.
pub(super) fn positions(id: &str) -> impl Iterator<Item = Position> {
    parts(id).map(|(position, _)| position)
}

/// Returns the ID of the publisher's choice that an ID has for the topic of this name.
pub(super) fn own_id_of<'a>(id: &'a str, name: &str) -> Option<Cow<'a, str>> {
    let name = escaped(name);
    let own_id = parts(id).find_map(|(_, rest)| {
        let (of, own_id) = rest?.split_once(WITHIN_PART)?;
        (of == name).then_some(own_id)
    })?;
    percent_decode_str(own_id).decode_utf8().ok()
}

fn parts(id: &str) -> impl Iterator<Item = (Position, Option<&str>)> {
    id.split(BETWEEN_PARTS).filter_map(|part| {
        let (position, rest) = match part.split_once(WITHIN_PART) {
            Some((position, rest)) => (position, Some(rest)),
            None => (part, None),
        };
        Some((Position::parse(position)?, rest))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn part() -> impl Strategy<Value = (u64, u64, Option<(String, String)>)> {
        let text = "[ -~é\u{1}\u{7f}]{0,8}";
        (0..1000_u64, any::<u64>(), prop::option::of((text, text)))
    }

    proptest! {
        #[test]
        fn a_position_is_read_from_an_id(parts in prop::collection::vec(part(), 1..5)) {
            let mut id = String::new();
            for (epoch, sequence, own_id) in &parts {
                if !id.is_empty() {
                    put_separator(&mut id);
                }
                let (epoch, sequence) = (*epoch, *sequence);
                let own_id = own_id.as_ref().map(|(name, id)| (escaped(name), escaped(id)));
                let own_id = own_id.as_ref().map(|(name, id)| (&**name, &**id));
                put_part(&mut id, Position { epoch, sequence }, own_id);
            }
            // A field of a request returns it unchanged.
            prop_assert!(id.bytes().all(|byte| byte.is_ascii_graphic()));
            let named: Vec<_> = positions(&id).map(|p| (p.epoch, p.sequence)).collect();
            let expected: Vec<_> = parts.iter().map(|part| (part.0, part.1)).collect();
            prop_assert_eq!(named, expected);
            for (name, _) in parts.iter().filter_map(|part| part.2.as_ref()) {
                let mut own_ids = parts.iter().filter_map(|part| part.2.as_ref());
                let (_, first) = own_ids.find(|(other, _)| other == name).unwrap();
                let found = own_id_of(&id, name);
                prop_assert_eq!(found.as_deref(), Some(first.as_str()));
            }
            prop_assert_eq!(own_id_of(&id, "a name that is not there"), None);
        }
    }

    #[test]
    fn another_text_names_nothing() {
        for id in [
            "",
            ",",
            ":",
            "1-1x:tea:7",
            "tea:7",
            "1-1",
            "1-1:tea",
            "1-1:milk:7,",
        ] {
            assert_eq!(own_id_of(id, "tea"), None, "{id:?}");
        }
        // An ID that a client has changed.
        assert_eq!(own_id_of("1-1:tea:%ff", "tea"), None);
        assert_eq!(own_id_of("1-1:tea:%", "tea").as_deref(), Some("%"));
    }
}
