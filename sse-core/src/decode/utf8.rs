//! Bytes to text, with U+FFFD for what is not UTF-8.

use alloc::string::String;

/// How many bytes are checked at once.
const BLOCK: usize = 64;

/// `bytes` as text, where they lie in `chunk` and the check can go on behind them to the end of a
/// block. `None` says nothing about them.
///
/// A check that ends within a block costs about twice as much, for the few hundred bytes that most
/// events have.
#[inline]
pub(super) fn check_in_chunk<'i>(bytes: &'i [u8], chunk: &'i [u8]) -> Option<&'i str> {
    let start = bytes.as_ptr().addr().checked_sub(chunk.as_ptr().addr())?;
    let length = bytes.len().next_multiple_of(BLOCK);
    let (blocks, behind) = chunk.get(start..)?.split_at_checked(length)?;
    // The blocks must not end in the midst of a character.
    if behind.first().is_some_and(|byte| byte & 0xC0 == 0x80) {
        return None;
    }
    simdutf8::basic::from_utf8(blocks).ok()?.get(..bytes.len())
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
    match simdutf8::basic::from_utf8(bytes) {
        Ok(text) => (text.len() <= limit).then_some(text),
        Err(_) => replace(bytes, replaced, limit),
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
