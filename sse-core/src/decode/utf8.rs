//! Bytes to text, with U+FFFD for what is not UTF-8.

use alloc::string::String;

/// How many bytes are checked at once.
pub(super) const BLOCK: usize = 64;

/// The first `length` bytes of `chunk` as text; `None` where they are not UTF-8.
///
/// The check goes on behind them to the end of a block where it can: one that ends within a block
/// costs about twice as much, for the few hundred bytes that most events have.
#[inline]
pub(super) fn check_front(chunk: &[u8], length: usize) -> Option<&str> {
    match chunk.split_at_checked(length.next_multiple_of(BLOCK)) {
        // The blocks must not end in the midst of a character.
        Some((blocks, behind)) if behind.first().is_none_or(|byte| byte & 0xC0 != 0x80) => {
            simdutf8::basic::from_utf8(blocks).ok()?.get(..length)
        }
        _ => simdutf8::basic::from_utf8(chunk.get(..length)?).ok(),
    }
}

/// Whether the text of `bytes` is within `limit`, even where all of them have to be replaced.
#[inline]
pub(super) fn fits(bytes: &[u8], limit: usize) -> bool {
    bytes
        .len()
        .saturating_mul(char::REPLACEMENT_CHARACTER.len_utf8())
        <= limit
}

/// `bytes` as text: as they are where they are UTF-8, or else decoded into `replaced`. `None`
/// where the text would be longer than `limit`.
///
/// A line end is never part of a sequence of bytes, well-formed or not: to decode line by line, or
/// what lies in one line behind a colon, is to decode the whole stream.
#[inline]
pub(super) fn decode<'a>(
    bytes: &'a [u8],
    replaced: &'a mut String,
    limit: usize,
) -> Option<&'a str> {
    decode_front(bytes, bytes.len(), replaced, limit)
}

/// As [`decode`], for the first `length` bytes of `chunk`.
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

/// `bytes` as text, always in `text`. `None` where it would be longer than `limit`.
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

/// One U+FFFD for each maximal beginning of a sequence, as the
/// [Encoding Standard](https://encoding.spec.whatwg.org/#utf-8-decoder) has it.
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
