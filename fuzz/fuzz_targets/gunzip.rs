//! Decodes any body, cut anywhere: the result is that of the whole body, and the memory and the decoded
//! bytes stay within the bounds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sse_core::gzip::{GzipDecoder, GzipError};

/// The number of bytes that are decoded at a time.
const STEP: usize = 8 * 1024;

/// The size up to which the expansion is not checked.
const FREE: usize = 1024 * 1024;

/// Decodes the body in pieces of this size, and returns what it is and how it ends.
fn decode(
    mut decoder: GzipDecoder,
    body: &[u8],
    size: usize,
    most: usize,
) -> (Vec<u8>, Result<(), GzipError>) {
    let mut plain = Vec::new();
    let mut fed = 0;
    for mut piece in body.chunks(size) {
        fed += piece.len();
        loop {
            let before = plain.len();
            let more = decoder.decode(&mut piece, &mut plain);
            assert!(plain.len() - before <= STEP);
            match more {
                Ok(true) => assert!(plain.len() <= (fed * most).max(FREE)),
                Ok(false) => break assert!(piece.is_empty()),
                Err(error) => return (plain, Err(error)),
            }
        }
    }
    (plain, decoder.end())
}

fuzz_target!(|input: &[u8]| {
    let Some((&how, body)) = input.split_first() else {
        return;
    };
    let most = 1 + usize::from(how >> 4) * 100;
    let decoder = || match how & 1 {
        0 => GzipDecoder::new(most as u32),
        _ => GzipDecoder::deflate(most as u32),
    };
    let (whole, end) = decode(decoder(), body, body.len().max(1), most);
    for size in [1, 2 + usize::from(how >> 1 & 7) * 11] {
        let (plain, cut_end) = decode(decoder(), body, size, most);
        // If decoding fails, the bytes before the fault may have been returned or not.
        match end {
            // How far the decoder has read when it is measured depends on the cuts.
            _ if cut_end == Err(GzipError::TooLong) => {}
            Ok(()) | Err(GzipError::Incomplete) => assert!((&plain, cut_end) == (&whole, end)),
            Err(_) => assert!(cut_end.is_err()),
        }
    }
});
