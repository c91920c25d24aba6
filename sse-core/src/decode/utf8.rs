//! Bytes to text, with U+FFFD for bytes that are not UTF-8.

use alloc::string::String;

/// The number of bytes that are checked at once.
pub(super) const BLOCK: usize = 64;

/// Returns the first `length` bytes of `chunk` as text, or `None` where they are not UTF-8.
///
/// The check continues behind them to the end of a block where possible: a check that ends within a block
/// costs about twice as much, for the few hundred bytes of most events.
#[inline]
pub(super) fn check_front(chunk: &[u8], length: usize) -> Option<&str> {
    match chunk.split_at_checked(length.next_multiple_of(BLOCK)) {
        // The blocks must not end in the middle of a character.
        Some((blocks, behind)) if behind.first().is_none_or(|byte| byte & 0xC0 != 0x80) => {
            simdutf8::basic::from_utf8(blocks).ok()?.get(..length)
        }
        _ => simdutf8::basic::from_utf8(chunk.get(..length)?).ok(),
    }
}

/// Returns whether the text of `bytes` is within `limit`, even if all of them are replaced.
#[inline]
pub(super) fn fits(bytes: &[u8], limit: usize) -> bool {
    bytes
        .len()
        .saturating_mul(char::REPLACEMENT_CHARACTER.len_utf8())
        <= limit
}

/// Returns `bytes` as text: unchanged where they are UTF-8, otherwise decoded into `replaced`. Returns
/// `None` where the text would be longer than `limit`.
///
/// A line end is never part of a sequence of bytes, well-formed or not. Decoding single lines, or the
/// part of a line behind its colon, therefore gives the same as decoding the whole stream.
#[inline]
pub(super) fn decode<'a>(
    bytes: &'a [u8],
    replaced: &'a mut String,
    limit: usize,
) -> Option<&'a str> {
    decode_front(bytes, bytes.len(), replaced, limit)
}

/// Does the same as [`decode`] for the first `length` bytes of `chunk`.
#[inline]
pub(super) fn decode_front<'a>(
    chunk: &'a [u8],
    length: usize,
    replaced: &'a mut String,
    limit: usize,
) -> Option<&'a str> {
    match check_front(chunk, length) {
        Some(text) => (length <= limit).then_some(text),
        None => replace(chunk.get(..length)?, replaced, limit),
    }
}

/// Decodes `bytes` into `text`, even if they are UTF-8. Returns `None` where the text would be longer
/// than `limit`.
pub(super) fn decode_into(bytes: &[u8], text: &mut String, limit: usize) -> Option<()> {
    match simdutf8::basic::from_utf8(bytes) {
        Ok(decoded) if decoded.len() <= limit => {
            text.clear();
            text.push_str(decoded);
            Some(())
        }
        Ok(_) => None,
        Err(_) => replace(bytes, text, limit).map(|_| ()),
    }
}

/// Puts one U+FFFD for each maximal beginning of a sequence, as the [Encoding
/// Standard](https://encoding.spec.whatwg.org/#utf-8-decoder) does.
#[cold]
fn replace<'a>(bytes: &[u8], replaced: &'a mut String, limit: usize) -> Option<&'a str> {
    let parts = || {
        bytes.utf8_chunks().flat_map(|chunk| {
            let replacement = match chunk.invalid() {
                [] => "",
                _ => "\u{FFFD}",
            };
            [chunk.valid(), replacement]
        })
    };
    let length: usize = parts().map(str::len).sum();
    if length > limit {
        return None;
    }
    replaced.clear();
    replaced.reserve_exact(length);
    replaced.extend(parts());
    Some(replaced)
}
