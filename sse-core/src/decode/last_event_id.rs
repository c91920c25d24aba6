//! The last event ID, which takes an event's id only when the whole event has come.

use alloc::string::String;

/// The standard's last event ID string and last event ID buffer.
#[derive(Clone, Default)]
pub(super) struct LastEventId {
    string: Id,
    buffer: Id,
    /// Whether the buffer has an id of the current event. If not, the string stands for it.
    received: bool,
    /// The newest ID that a header field can carry, if the string is not one.
    kept: String,
}

#[derive(Clone, Default)]
struct Id {
    text: String,
    /// Whether it has a byte that a header field cannot carry.
    has_controls: bool,
}

impl Id {
    #[inline]
    fn set(&mut self, text: &str, has_controls: bool) {
        self.text.clear();
        self.text.push_str(text);
        self.has_controls = has_controls;
    }
}

impl LastEventId {
    #[inline]
    pub(super) fn as_str(&self) -> &str {
        &self.string.text
    }

    /// Returns the newest ID that a header field can carry.
    pub(super) fn to_send(&self) -> &str {
        match self.string.has_controls {
            false => &self.string.text,
            true => &self.kept,
        }
    }

    pub(super) fn set(&mut self, id: &str) {
        let has_controls = has_controls(id.as_bytes());
        if has_controls && !self.string.has_controls {
            core::mem::swap(&mut self.kept, &mut self.string.text);
        }
        self.string.set(id, has_controls);
    }

    /// Stores the id of the current event.
    #[inline]
    pub(super) fn receive(&mut self, id: &str, has_controls: bool) {
        self.buffer.set(id, has_controls);
        self.received = true;
    }

    /// Returns whether the current event has an id.
    #[inline]
    pub(super) fn is_received(&self) -> bool {
        self.received
    }

    /// Sets the ID to that of a complete event, which has no control characters.
    #[inline]
    pub(super) fn replace(&mut self, id: &str) {
        self.string.set(id, false);
    }

    /// Commits the id of the current event, whose blank line has come.
    #[inline]
    pub(super) fn commit(&mut self) {
        if self.received {
            core::mem::swap(&mut self.string, &mut self.buffer);
            self.received = false;
            if self.string.has_controls {
                self.keep();
            }
        }
    }

    /// Keeps the ID before the current one, if the current one cannot be sent.
    #[cold]
    fn keep(&mut self) {
        if !self.buffer.has_controls {
            core::mem::swap(&mut self.kept, &mut self.buffer.text);
        }
    }

    /// Forgets the id of the current event, which is dropped.
    pub(super) fn forget_received(&mut self) {
        self.received = false;
    }
}

/// Returns whether `id` has bytes that a header field cannot carry: control characters other than a tab
/// ([RFC 9110 section 5.5](https://www.rfc-editor.org/rfc/rfc9110#section-5.5)).
#[inline]
pub(super) fn has_controls(id: &[u8]) -> bool {
    let is_control = |byte: &u8| byte.is_ascii_control() && *byte != b'\t';
    // The last word overlaps the one before it.
    let Some(last) = id.last_chunk() else {
        return id.iter().any(is_control);
    };
    let (words, _) = id.as_chunks();
    let mut words = words.iter().chain([last]);
    // The check of a whole word cannot tell a tab from the others.
    words.any(|word| word_has_controls(u64::from_ne_bytes(*word))) && id.iter().any(is_control)
}

/// Returns whether one of eight bytes is below 0x20, or is 0x7F, by a few instructions on one word.
#[inline]
fn word_has_controls(word: u64) -> bool {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let below_space = word.wrapping_sub(EACH * 0x20) & !word;
    let deletes = word ^ (EACH * 0x7F);
    let is_delete = deletes.wrapping_sub(EACH) & !deletes;
    (below_space | is_delete) & (EACH * 0x80) != 0
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn controls_are_found_wherever_they_are() {
        for length in 1..20 {
            for at in 0..length {
                for byte in 0..=u8::MAX {
                    let mut id = Vec::from_iter((0..length).map(|n| b'x' + n % 3 * 0x42));
                    id[usize::from(at)] = byte;
                    let expected = matches!(byte, 0..=8 | 10..=31 | 127);
                    assert_eq!(has_controls(&id), expected, "{}", id.escape_ascii());
                }
            }
        }
    }
}
