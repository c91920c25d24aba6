//! The decoder: any body, cut anywhere, including hostile ones.

use std::io::Write;

use flate2::{
    Compression, GzBuilder,
    write::{DeflateEncoder, GzEncoder, ZlibEncoder},
};
use proptest::{collection::vec, prelude::*};
use sse_core::gzip::{GzipDecoder, GzipError};

use super::payload;

/// Decodes `body` in chunks of these sizes, repeatedly.
fn decode(body: &[u8], sizes: &[usize], most: u32) -> Result<Vec<u8>, GzipError> {
    decode_by(GzipDecoder::new(most), body, sizes)
}

fn decode_by(
    mut decoder: GzipDecoder,
    mut body: &[u8],
    sizes: &[usize],
) -> Result<Vec<u8>, GzipError> {
    let mut plain = Vec::new();
    for size in sizes.iter().cycle() {
        if body.is_empty() {
            break;
        }
        let (mut chunk, rest) = body.split_at((*size).clamp(1, body.len()));
        body = rest;
        while decoder.decode(&mut chunk, &mut plain)? {}
        assert!(chunk.is_empty(), "it says that the input is used up");
    }
    decoder.end().map(|()| plain)
}

fn encode(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

/// The two forms of `deflate`: with the head and the checksum of zlib, and without.
fn deflate(plain: &[u8]) -> [Vec<u8>; 2] {
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
    zlib.write_all(plain).unwrap();
    let mut raw = DeflateEncoder::new(Vec::new(), Compression::default());
    raw.write_all(plain).unwrap();
    [zlib.finish().unwrap(), raw.finish().unwrap()]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn deflate_is_the_same_in_both_forms_however_it_is_cut(
        (len, is_noise) in (0..30_000_usize, any::<bool>()),
        sizes in vec(1..3000_usize, 1..5),
    ) {
        let plain = payload(1, len, is_noise);
        for body in deflate(&plain) {
            for sizes in [&sizes[..], &[1]] {
                let decoded = decode_by(GzipDecoder::deflate(1000), &body, sizes);
                prop_assert!(decoded.unwrap() == plain);
            }
        }
    }

    #[test]
    fn a_body_is_the_same_however_it_is_cut(
        lens in vec((0..30_000_usize, any::<bool>()), 1..4),
        sizes in vec(1..3000_usize, 1..5),
    ) {
        // Several members follow each other.
        let (mut body, mut expected) = (Vec::new(), Vec::new());
        for (seed, (len, is_noise)) in lens.into_iter().enumerate() {
            let plain = payload(seed as u64, len, is_noise);
            body.extend_from_slice(&encode(&plain));
            expected.extend_from_slice(&plain);
        }
        prop_assert!(decode(&body, &sizes, 1000).unwrap() == expected);
    }

    #[test]
    fn no_bytes_make_it_panic(
        mut body in vec(any::<u8>(), 0..300),
        is_gzip in any::<bool>(),
        sizes in vec(1..50_usize, 1..4),
    ) {
        if is_gzip {
            body.splice(0..0, [0x1f, 0x8b, 8]);
        }
        let whole = decode(&body, &[usize::MAX], 10);
        prop_assert_eq!(decode(&body, &sizes, 10), whole);
        let deflate = |sizes: &[usize]| decode_by(GzipDecoder::deflate(10), &body, sizes);
        prop_assert_eq!(deflate(&sizes), deflate(&[usize::MAX]));
    }
}

#[test]
fn optional_fields_of_a_head_are_skipped() {
    let builder = GzBuilder::new()
        .extra(vec![0; 300])
        .filename("name")
        .comment("comment");
    let mut encoder = builder.write(Vec::new(), Compression::fast());
    encoder.write_all(b"data: x\n\n").unwrap();
    let mut body = encoder.finish().unwrap();
    for sizes in [[1], [1000]] {
        assert_eq!(decode(&body, &sizes, 10).unwrap(), b"data: x\n\n");
    }
    // The last two bytes are a checksum of the head.
    let end_of_head = 10 + 2 + 300 + "name\0comment\0".len();
    body[3] |= 2;
    body.splice(end_of_head..end_of_head, [1, 2]);
    assert_eq!(decode(&body, &[1], 10).unwrap(), b"data: x\n\n");
}

#[test]
fn a_head_without_an_end_is_bounded() {
    let mut body = vec![0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 0];
    body.extend_from_slice(&vec![b'x'; 70_000]);
    assert_eq!(decode(&body, &[1000], 10), Err(GzipError::Head));
}

#[test]
fn every_cut_is_found_and_no_changed_byte_gives_other_bytes() {
    let plain = payload(1, 500, false);
    let body = encode(&plain);
    for cut in 1..body.len() {
        assert_eq!(
            decode(&body[..cut], &[cut], 1000),
            Err(GzipError::Incomplete)
        );
    }
    for at in 0..body.len() {
        let mut changed = body.clone();
        changed[at] ^= 0x10;
        // The time and the system do not matter.
        if !(4..10).contains(&at) {
            let decoded = decode(&changed, &[body.len()], 1000);
            // Bits that fill the last byte of the compressed data have no meaning.
            assert!(
                decoded.is_err() || decoded.as_deref() == Ok(&plain[..]),
                "byte {at}: {decoded:?}"
            );
        }
    }
    assert_eq!(decode(b"data: x\n\n", &[3], 1000), Err(GzipError::Head));
}

#[test]
fn blocks_without_a_head_are_read_although_they_begin_with_a_multiple_of_31() {
    let mut multiples = 0;
    for n in 0..200 {
        let plain = format!("{n} without a head");
        let [_, raw] = deflate(plain.as_bytes());
        multiples += u32::from(u16::from_be_bytes([raw[0], raw[1]]).is_multiple_of(31));
        let decoded = decode_by(GzipDecoder::deflate(1000), &raw, &[7]);
        assert_eq!(decoded.unwrap(), plain.as_bytes());
    }
    assert!(multiples > 0, "none begins as a head does");
}

#[test]
fn every_cut_of_deflate_is_found_and_so_is_what_follows_it() {
    let plain = payload(1, 500, false);
    for mut body in deflate(&plain) {
        let decode = |body: &[u8]| decode_by(GzipDecoder::deflate(1000), body, &[7]);
        for cut in 0..body.len() {
            assert_eq!(decode(&body[..cut]), Err(GzipError::Incomplete));
        }
        body.push(0);
        assert_eq!(decode(&body), Err(GzipError::Data));
    }
    let [mut zlib, _] = deflate(&plain);
    *zlib.last_mut().unwrap() ^= 1;
    let decoded = decode_by(GzipDecoder::deflate(1000), &zlib, &[7]);
    assert_eq!(decoded, Err(GzipError::Data), "the checksum is another");
}

#[test]
fn a_bomb_is_found_before_it_takes_memory() {
    let bomb = vec![b'\n'; 100 << 20];
    let [zlib, raw] = deflate(&bomb);
    for (decoder, body) in [
        (GzipDecoder::new(20), encode(&bomb)),
        (GzipDecoder::deflate(20), zlib),
        (GzipDecoder::deflate(20), raw),
    ] {
        is_found(decoder, &body);
    }
}

fn is_found(mut decoder: GzipDecoder, body: &[u8]) {
    assert!(body.len() < 200_000);
    let (mut input, mut plain, mut total) = (body, Vec::new(), 0);
    let error = loop {
        plain.clear();
        match decoder.decode(&mut input, &mut plain) {
            Ok(_) => total += plain.len(),
            Err(error) => break error,
        }
        assert!(plain.len() <= 8 * 1024);
    };
    assert_eq!(error, GzipError::TooLong);
    assert!(total <= 20 * body.len());
}

#[test]
fn each_error_says_what_is_wrong_with_the_body() {
    for (error, says) in [
        (GzipError::Head, "does not begin with a gzip head"),
        (GzipError::Data, "is not valid"),
        (GzipError::Checksum, "checksum or length"),
        (GzipError::Incomplete, "is incomplete"),
        (GzipError::TooLong, "raise the bound"),
    ] {
        assert!(error.to_string().contains(says), "{error}");
    }
}

#[test]
fn the_first_mebibyte_may_be_any_number_of_times_as_long() {
    let body = |len| encode(&vec![b'\n'; len]);
    let decoded = decode(&body(1 << 20), &[usize::MAX], 1).unwrap();
    assert_eq!(decoded.len(), 1 << 20);
    let longer = decode(&body((1 << 20) + 1), &[usize::MAX], 1);
    assert_eq!(longer, Err(GzipError::TooLong));
}
