//! The plain bytes that a client decodes from a compressed stream that it shares with others.

mod client;
mod decoding;

use bytes::Bytes;
use client::Client;
use proptest::{collection::vec, prelude::*};
use sse_core::gzip::{
    GzipBody, GzipDecoder, GzipError, Part, Piece, RESTART_INTERVAL, SharedDeflate,
};

/// `len` bytes that compress as events do, or not at all.
fn payload(seed: u64, len: usize, is_noise: bool) -> Bytes {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut bytes = Vec::with_capacity(len + 64);
    while bytes.len() < len {
        match is_noise {
            true => bytes.extend_from_slice(&random.u64(..).to_le_bytes()),
            false => {
                let (id, price) = (random.u16(..), random.u8(..));
                let event =
                    format!("id: 0-{id}\ndata: {{\"symbol\":\"ABC\",\"price\":{price}}}\n\n");
                bytes.extend_from_slice(event.as_bytes());
            }
        }
    }
    bytes.truncate(len);
    bytes.into()
}

#[derive(Clone, Debug)]
enum Step {
    /// This many bytes are published on this stream, and these clients take them. The others miss them.
    Publish {
        stream: usize,
        len: usize,
        is_noise: bool,
        taken_by: [bool; 3],
    },
    Insert(usize, usize),
    InsertShared(usize, usize),
    Compress(usize, usize),
    Release(usize),
    KeepAlive(usize),
    /// A new client replaces this one.
    Join(usize),
}

fn len() -> impl Strategy<Value = usize> {
    prop_oneof![
        8 => 0..400_usize,
        2 => 0..20_000_usize,
        1 => 65_000..66_000_usize,
        1 => 0..200_000_usize,
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let publish = (
        0..2_usize,
        len(),
        prop::bool::weighted(0.2),
        any::<[bool; 3]>(),
    );
    prop_oneof![
        8 => publish.prop_map(|(stream, len, is_noise, taken_by)| Step::Publish {
            stream: stream * usize::from(len % 4 == 0), // most of one stream
            len,
            is_noise,
            taken_by,
        }),
        4 => (0..2_usize, len()).prop_map(|(stream, len)| Step::Publish {
            stream,
            len,
            is_noise: false,
            taken_by: [true; 3],
        }),
        1 => (0..3_usize, len()).prop_map(|(client, len)| Step::Insert(client, len)),
        1 => (0..3_usize, len()).prop_map(|(client, len)| Step::InsertShared(client, len)),
        1 => (0..3_usize, len()).prop_map(|(client, len)| Step::Compress(client, len)),
        1 => (0..3_usize).prop_map(Step::Release),
        2 => (0..3_usize).prop_map(Step::KeepAlive),
        1 => (0..3_usize).prop_map(Step::Join),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_client_decodes_what_it_was_sent_whatever_it_missed_and_whatever_was_inserted(
        steps in vec(step(), 0..40),
    ) {
        let mut streams = [SharedDeflate::new(), SharedDeflate::new()];
        let mut clients = [Client::new(), Client::new(), Client::new()];
        for (seed, step) in steps.into_iter().enumerate() {
            let bytes = |len| payload(seed as u64, len, false);
            match step {
                Step::Publish { stream, len, is_noise, taken_by } => {
                    let plain = payload(seed as u64, len, is_noise);
                    let piece = streams[stream].compress(plain);
                    for (client, _) in clients.iter_mut().zip(taken_by).filter(|(_, takes)| *takes) {
                        client.piece(&piece);
                    }
                }
                Step::Insert(client, len) => clients[client].insert(&bytes(len)),
                Step::InsertShared(client, len) => clients[client].insert_shared(&bytes(len)),
                Step::Compress(client, len) => clients[client].compress(&bytes(len)),
                Step::Release(client) => clients[client].release(),
                Step::KeepAlive(client) => clients[client].keep_alive(),
                Step::Join(client) => {
                    clients[client].finish();
                    clients[client] = Client::new();
                }
            }
        }
        clients.iter_mut().for_each(Client::finish);
    }

    #[test]
    fn a_piece_is_never_longer_than_stored_blocks_are(
        sizes in vec((len(), any::<bool>()), 0..20),
    ) {
        let mut shared = SharedDeflate::new();
        for (seed, (len, is_noise)) in sizes.into_iter().enumerate() {
            let piece = shared.compress(payload(seed as u64, len, is_noise));
            prop_assert!(piece.compressed().len() <= len + 5 * len.div_ceil(65_535));
        }
    }
}

fn pieces(count: u64, len: usize) -> Vec<Piece> {
    let mut shared = SharedDeflate::new();
    let payloads = (0..count).map(|seed| payload(seed, len, false));
    payloads.map(|plain| shared.compress(plain)).collect()
}

#[test]
fn a_client_can_join_before_every_piece_and_shares_the_bytes_from_the_next_restart_point() {
    let pieces = pieces(50, 6000);
    for start in 0..pieces.len() {
        let mut client = Client::new();
        let mut is_synced = false;
        for piece in &pieces[start..] {
            is_synced |= piece.restarts();
            let before = client.wire().len();
            client.piece(piece);
            let sent = &client.wire()[before..];
            assert_eq!(sent == piece.compressed(), is_synced);
        }
        client.finish();
    }
}

#[test]
fn a_client_that_got_bytes_of_its_own_shares_again_from_the_next_restart_point() {
    let pieces = pieces(50, 6000);
    for inserted_at in 0..pieces.len() {
        let mut client = Client::new();
        let mut is_synced = false;
        for (n, piece) in pieces.iter().enumerate() {
            if n == inserted_at {
                client.insert(b"event: resume\ndata: {}\n\n");
                is_synced = false;
            }
            is_synced |= piece.restarts();
            let before = client.wire().len();
            client.piece(piece);
            assert_eq!(&client.wire()[before..] == piece.compressed(), is_synced);
        }
        client.finish();
    }
}

#[test]
fn a_restart_point_comes_with_the_first_piece_behind_64_kib() {
    let pieces = pieces(1000, 250);
    let mut since = RESTART_INTERVAL;
    for piece in &pieces {
        assert_eq!(piece.restarts(), since >= RESTART_INTERVAL);
        if piece.restarts() {
            since = 0;
        }
        since += piece.plain().len();
    }
}

#[test]
fn a_large_piece_behind_a_small_one_is_whole() {
    // Letters compress to more than half, so that the compressor's output is taken in steps.
    let letters = |seed, len| {
        let mut random = fastrand::Rng::with_seed(seed);
        (0..len)
            .map(|_| random.alphanumeric() as u8)
            .collect::<Vec<_>>()
    };
    for kind in 0..3 {
        let (mut shared, mut client) = (SharedDeflate::new(), Client::new());
        for (seed, len) in [(1, 300), (2, 1 << 20), (3, 300)] {
            let plain = match kind {
                0 => letters(seed, len).into(),
                _ => payload(seed, len, kind == 1),
            };
            client.piece(&shared.compress(plain));
        }
        client.finish();
    }
}

#[test]
fn shared_bytes_are_passed_on_without_a_copy() {
    let mut shared = SharedDeflate::new();
    let (first, second) = (
        shared.compress(payload(1, 300, false)),
        shared.compress(payload(2, 300, false)),
    );
    let mut synced = GzipBody::begin(|_| {});
    synced.piece(&first, |part| {
        assert_eq!(part, Part::Shared(first.compressed().clone()));
        assert_eq!(part.as_bytes().as_ptr(), first.compressed().as_ptr());
    });
    let mut joined = GzipBody::begin(|_| {});
    let mut own = 0;
    joined.piece(&second, |part| match part {
        Part::Shared(bytes) => assert_eq!(bytes.as_ptr(), second.plain().as_ptr()),
        Part::Own(bytes) => own += bytes.len(),
    });
    assert_eq!(own, 5, "the head of a stored block");
}

#[test]
fn a_keep_alive_does_not_end_the_sharing() {
    let pieces = pieces(3, 300);
    let mut client = Client::new();
    client.piece(&pieces[0]);
    client.keep_alive();
    let before = client.wire().len();
    client.piece(&pieces[1]);
    assert_eq!(&client.wire()[before..], pieces[1].compressed());
    client.finish();
}

#[test]
fn a_compressor_of_ones_own_is_made_when_it_is_needed_and_can_be_released() {
    let mut body = GzipBody::begin(|_| {});
    assert!(!body.has_compressor());
    let mut lens = Vec::new();
    let mut compress = |body: &mut GzipBody| {
        body.compress(&payload(1, 300, false), |part| {
            lens.push(part.as_bytes().len());
        });
    };
    compress(&mut body);
    compress(&mut body);
    assert!(body.has_compressor());
    body.release();
    assert!(!body.has_compressor());
    compress(&mut body);
    assert!(lens[1] < lens[0] / 2, "it remembers what came before");
    assert_eq!(lens[2], lens[0], "and forgot it");
}

#[test]
fn wherever_a_body_is_cut_the_client_has_a_beginning_of_the_stream_and_knows_that_it_is_not_all() {
    let mut client = Client::new();
    for (n, piece) in pieces(8, 300).iter().enumerate() {
        match n {
            2 => client.keep_alive(),
            3 => client.insert(b"data: of its own\n\n"),
            5 => client.compress(b"data: compressed for it\n\n"),
            _ => {}
        }
        client.piece(piece);
    }
    client.finish();
    let (wire, plain) = (client.wire(), client.plain());
    let mut longest = 0;
    for cut in 0..wire.len() {
        let (mut decoder, mut input, mut decoded) =
            (GzipDecoder::new(100), &wire[..cut], Vec::new());
        while decoder.decode(&mut input, &mut decoded).unwrap() {}
        assert!(plain.starts_with(&decoded) && decoded.len() >= longest);
        assert_eq!(decoder.end(), Err(GzipError::Incomplete));
        longest = decoded.len();
    }
    assert_eq!(longest, plain.len());
}
