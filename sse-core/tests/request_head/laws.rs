//! Laws for any input.

use proptest::{prelude::*, sample::Index};
use sse_core::http::{HeadLimits, HeaderMap, HeaderValue, accepts, header};

use super::{Outcome::Head, limits, read};

const GOOD: &[&str] = &[
    "GET /events HTTP/1.1\r\nHost: example.org\r\nAccept: text/event-stream\r\n\r\n",
    "\r\nGET /a?b=c HTTP/1.1\nHost: a:80\nLast-Event-ID: 7\n\nrest",
    "POST /a HTTP/1.1\r\nHost: [::1]:80\r\nContent-Length: 5\r\n\r\nhello",
    "POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\nHost: a\r\n\r\n0\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\n\r\n",
    "GET http://b/c HTTP/1.1\r\nHost: a\r\n\r\n",
    "CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n\x16\x03",
    "GET / HTTP/1.0\r\n\r\n",
];

#[derive(Clone, Debug)]
enum Mutation {
    Replace(Index, u8),
    Insert(Index, u8),
    Remove(Index),
    /// Copies one part to another place.
    Copy(Index, Index, Index),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let telling = prop::sample::select(b"\r\n\0 \t:/.,;0159HhaGT#?@[]%*\x7f\x80\xff".to_vec());
    let byte = prop_oneof![4 => telling, 1 => any::<u8>()];
    let at = any::<Index>;
    prop_oneof![
        (at(), byte.clone()).prop_map(|(at, byte)| Mutation::Replace(at, byte)),
        (at(), byte).prop_map(|(at, byte)| Mutation::Insert(at, byte)),
        at().prop_map(Mutation::Remove),
        (at(), at(), at()).prop_map(|(from, to, at)| Mutation::Copy(from, to, at)),
    ]
}

fn mutate(mut input: Vec<u8>, mutations: &[Mutation]) -> Vec<u8> {
    for mutation in mutations {
        let length = input.len();
        match mutation {
            Mutation::Insert(at, byte) => input.insert(at.index(length + 1), *byte),
            Mutation::Copy(from, to, at) => {
                let (from, to) = (from.index(length + 1), to.index(length + 1));
                let copy = input[from.min(to)..from.max(to)].to_vec();
                let at = at.index(length + 1);
                input.splice(at..at, copy);
            }
            Mutation::Replace(..) | Mutation::Remove(_) if input.is_empty() => {}
            Mutation::Replace(at, byte) => input[at.index(length)] = *byte,
            Mutation::Remove(at) => _ = input.remove(at.index(length)),
        }
    }
    input
}

fn cut<'a>(input: &'a [u8], cuts: &[Index]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<_> = cuts.iter().map(|at| at.index(input.len() + 1)).collect();
    cuts.sort_unstable();
    let mut pieces = Vec::new();
    let mut start = 0;
    for at in cuts {
        pieces.push(&input[start..at]);
        start = at;
    }
    pieces.push(&input[start..]);
    pieces
}

fn any_limits() -> impl Strategy<Value = HeadLimits> {
    prop_oneof![
        Just(HeadLimits::default()),
        (0..120_usize, 0..5_usize, 0..20_usize)
            .prop_map(|(head, fields, target)| limits(head, fields, target)),
    ]
}

/// Checks any head that either reader accepts.
fn assert_unambiguous(limits: HeadLimits, input: &[u8], rest: &[u8]) {
    let head = &input[..input.len() - rest.len()];
    assert!(input.ends_with(rest));
    assert!(head.len() <= limits.head);
    assert!(!head.contains(&0));
    let text = String::from_utf8_lossy(head).replace("\r\n", "\n");
    assert!(!text.contains('\r'));
    let text = text.trim_start_matches('\n');
    let lines = text.strip_suffix("\n\n").unwrap();
    assert!(!lines.contains("\n\n"));
    let mut lines = lines.split('\n');
    let first: Vec<_> = lines.next().unwrap().split(' ').collect();
    assert_eq!(first.len(), 3, "{first:?}");
    assert!(first[1].len() <= limits.target);
    assert!(["HTTP/1.0", "HTTP/1.1"].contains(&first[2]));
    let names: Vec<_> = lines
        .map(|line| line.split_once(':').unwrap().0.to_ascii_lowercase())
        .collect();
    assert!(names.len() <= limits.fields);
    let count = |wanted: &str| names.iter().filter(|name| *name == wanted).count();
    assert!(count("host") == 1 || (count("host") == 0 && first[2] == "HTTP/1.0"));
    assert!(count("content-length") + count("transfer-encoding") <= 1);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn the_result_does_not_depend_on_the_cuts(
        good in prop::sample::select(GOOD),
        mutations in prop::collection::vec(mutation(), 0..4),
        limits in any_limits(),
        cuts in prop::collection::vec(any::<Index>(), 0..8),
    ) {
        let input = mutate(good.as_bytes().to_vec(), &mutations);
        let whole = read(limits, [&input[..]]);
        prop_assert_eq!(&read(limits, cut(&input, &cuts)), &whole);
        prop_assert_eq!(&read(limits, input.chunks(1)), &whole);
        if let Head(_, rest) = &whole {
            assert_unambiguous(limits, &input, rest);
        }
    }

    #[test]
    fn any_bytes_are_read_without_a_panic(
        input in prop::collection::vec(any::<u8>(), 0..200),
        limits in any_limits(),
        cuts in prop::collection::vec(any::<Index>(), 0..8),
    ) {
        let whole = read(limits, [&input[..]]);
        prop_assert_eq!(read(limits, cut(&input, &cuts)), whole);
        // These are parts of a request, too, so that the parser reads beyond the first byte.
        for good in ["GET / HTTP/1.1\r\nHost: a\r\nX: ", "GET /", "GET http://", "G", "GET / HTTP/1.1\r\nHost: "] {
            let input = [good.as_bytes(), &input, b"\r\n\r\n"].concat();
            let whole = read(limits, [&input[..]]);
            if let Head(_, rest) = &whole {
                assert_unambiguous(limits, &input, rest);
            }
            prop_assert_eq!(read(limits, cut(&input, &cuts)), whole);
        }
    }

    #[test]
    fn any_accept_fields_are_read_without_a_panic(
        values in prop::collection::vec(prop_oneof![
            prop::collection::vec(any::<u8>(), 0..40),
            "[ \t,;=/*\"q.01a-z+]{0,40}".prop_map(String::into_bytes),
            "(text|\\*)/(event-stream|\\*)( ?; ?[qQa]=[0-9.\"a]{0,4}){0,2}".prop_map(String::into_bytes),
        ], 0..4),
    ) {
        let mut headers = HeaderMap::new();
        for value in values.iter().filter_map(|value| HeaderValue::from_bytes(value).ok()) {
            headers.append(header::ACCEPT, value);
        }
        let _any = accepts(&headers, "text", "event-stream");
        // A range that is as specific as any decides.
        headers.append(header::ACCEPT, HeaderValue::from_static("text/event-stream"));
        prop_assert!(accepts(&headers, "text", "event-stream"));
    }
}
