//! Neither the cuts of the input, nor the method that it is passed in by, nor the time of polling makes a
//! difference.

use proptest::{prelude::*, sample::Index};
use sse_core::{DecoderLimits, client::EventSourceConfig, http::StatusCode};

use crate::harness::{CHUNKED, Client, OPEN, cases};

const ANSWERS: [&str; 8] = [
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n\
     id: 1\ndata: a\n\nretry: 5\r\n: c\rdata: b\r\rdata: half",
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n\
     5;x\r\nid: 1\r\n9\r\n\ndata: a\n\r\n1\r\n\n\r\n0\r\nt: x\r\n\r\nrest",
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 19\r\n\r\n\
     data: a\n\ndata: b\n\n: more than it said",
    "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n\
     HTTP/1.0 200 OK\r\nContent-Type: text/event-stream\r\n\r\n\
     data: longer than a line of twenty bytes\n\ndata: b\n\n",
    "HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nno\nno",
    "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked\r\n\r\n\
     5\r\n<html\r\n1\r\n>\r\n0\r\n\r\n",
    "HTTP/1.1 307 Temporary Redirect\r\nLocation: /there\r\n\r\n",
    "HTTP/1.1 503 Later\r\nRetry-After: 100\r\n\r\n",
];

fn config() -> EventSourceConfig {
    let mut config = EventSourceConfig::default();
    config.decoder_limits = DecoderLimits::default().with_line(20);
    config.max_unexpected_body = 4;
    config.retry_statuses = vec![StatusCode::SERVICE_UNAVAILABLE];
    config
}

/// The method by which a piece of a response is passed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Slice,
    /// A buffer with bytes after the received ones.
    Buffer,
}

fn hand_in(client: &mut Client, piece: &[u8], by: By) {
    let now = client.now;
    if by == By::Slice {
        return client.source.handle_input(now, piece);
    }
    let mut buffer = client.source.take_buffer();
    if buffer.len() < piece.len() {
        buffer = b"data: what was not received\n\n".repeat(20);
    }
    buffer[..piece.len()].copy_from_slice(piece);
    client.source.handle_input_in(now, buffer, piece.len());
}

/// Plays a response in pieces to a caller that polls after some of them. Returns the log, and the final
/// state.
fn play<'a>(pieces: impl IntoIterator<Item = (&'a [u8], bool, By)>) -> (Vec<String>, String) {
    let mut client = Client::new(config());
    client.connect();
    for (piece, listens, by) in pieces {
        hand_in(&mut client, piece, by);
        if listens {
            client.poll();
        }
    }
    client.poll();
    let told = client.told();
    // No more input of a connection that is given up is passed in.
    let is_given_up = told.iter().any(|line| line == "disconnect");
    if !is_given_up {
        client.end();
    }
    let more = client.told();
    let state = format!(
        "{:?} {:?} {:?} {:?}",
        client.source.phase(),
        client.source.last_event_id(),
        client.source.url(),
        client.waits
    );
    ([told, more].concat(), state)
}

proptest! {
    #![proptest_config(cases(1000))]

    #[test]
    fn cuts_and_pauses_make_no_difference(
        answer in prop::sample::select(&ANSWERS[..]),
        changes in prop::collection::vec(
            (any::<Index>(), prop::sample::select(b"\r\n\0 :;0159aF\xff".to_vec()), 0..3_u8),
            0..3,
        ),
        cuts in prop::collection::vec(any::<Index>(), 0..6),
        listens in prop::collection::vec(any::<bool>(), 7),
        by in prop::collection::vec(prop::sample::select(&[By::Slice, By::Buffer][..]), 7),
    ) {
        let mut answer = answer.as_bytes().to_vec();
        for (at, byte, how) in changes {
            let at = at.index(answer.len());
            match how {
                0 => answer[at] = byte,
                1 => answer.insert(at, byte),
                _ => _ = answer.remove(at),
            }
        }
        let whole = play([(&answer[..], true, By::Slice)]);
        prop_assert_eq!(&play([(&answer[..], true, By::Buffer)]), &whole);
        for by in [By::Slice, By::Buffer] {
            prop_assert_eq!(&play(answer.chunks(1).map(|byte| (byte, true, by))), &whole);
            prop_assert_eq!(&play(answer.chunks(1).map(|byte| (byte, false, by))), &whole);
        }

        let mut cuts: Vec<_> = cuts.iter().map(|at| at.index(answer.len() + 1)).collect();
        cuts.sort_unstable();
        let starts = [0].into_iter().chain(cuts.iter().copied());
        let ends = cuts.iter().copied().chain([answer.len()]);
        let pieces = starts.zip(ends).map(|(start, end)| &answer[start..end]);
        let pieces = pieces.zip(listens).zip(by);
        let pieces = pieces.map(|((piece, listens), by)| (piece, listens, by));
        prop_assert_eq!(&play(pieces), &whole);
    }
}

#[test]
fn the_answers_are_what_they_seem_to_be() {
    let told = |answer: &str| play([(answer.as_bytes(), true, By::Slice)]).0.split_off(1);
    let expected: [&[&str]; 8] = [
        &[
            "open 200",
            r#"message "1" "a""#,
            "retry 5ms",
            ": c",
            r#"message "1" "b""#,
            "disconnect",
            "lost Ended",
        ],
        &["open 200", r#"message "1" "a""#, "disconnect", "lost Ended"],
        &[
            "open 200",
            r#"message "" "a""#,
            r#"message "" "b""#,
            "disconnect",
            "lost Ended",
        ],
        &[
            "open 200",
            "discarded Line",
            r#"message "" "b""#,
            "disconnect",
            "lost Ended",
        ],
        &["disconnect", r#"failed Status 404 "no\nn" cut"#],
        &["disconnect", r#"failed ContentType 200 "<htm" cut"#],
        &["disconnect", "connect http example.org 80"],
        &["disconnect", r#"lost Status 503 """#],
    ];
    for (answer, expected) in ANSWERS.into_iter().zip(expected) {
        assert_eq!(told(answer), expected, "{answer}");
    }
}

#[test]
fn bytes_that_arrive_before_earlier_ones_are_decoded_follow_them() {
    let plain = |number: u32| format!("data: {number:02}\n\n");
    let chunk = |number: u32| format!("a\r\n{}\r\n", plain(number));
    let framings: [(&str, &dyn Fn(u32) -> String); 2] = [(OPEN, &plain), (CHUNKED, &chunk)];
    for (head, event) in framings {
        let mut client = Client::new(EventSourceConfig::default());
        client.connect();
        client.receive(head);
        client.told();
        let (mut sent, mut taken) = (0, 0);
        for _ in 0..20 {
            // Three arrive, and two are taken.
            for _ in 0..3 {
                client
                    .source
                    .handle_input(client.now, event(sent).as_bytes());
                sent += 1;
            }
            for _ in 0..2 {
                let expected = format!(r#"message "" "{taken:02}""#);
                assert_eq!(client.take_received(), Some(expected));
                taken += 1;
            }
        }
    }
}
