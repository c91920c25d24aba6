//! Chunks that end anywhere.

/// Cuts `bytes` into chunks whose sizes follow from `seed`: 0 leaves them whole, 1 makes each a
/// single byte, and all others give chunks of up to `seed` bytes.
pub fn cut(seed: u8, mut bytes: &[u8]) -> Vec<&[u8]> {
    let (mut chunks, mut state) = (Vec::new(), u32::from(seed));
    while !bytes.is_empty() {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let size = match seed {
            0 => bytes.len(),
            1 => 1,
            most => (state >> 16) as usize % (usize::from(most) + 1),
        };
        let (chunk, rest) = bytes.split_at(size.min(bytes.len()));
        chunks.push(chunk);
        bytes = rest;
    }
    chunks
}
