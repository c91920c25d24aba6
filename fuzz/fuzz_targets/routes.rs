//! Routes any paths by any routes, and compares the result with a matcher that is slow and obvious: it
//! decodes the path segment by segment, and tries every route.
//!
//! - A route that is found matches, and its handler gets what it says, decoded.
//! - Where no route is found, none matches.
//! - Of several routes that match, the most specific one is found.
//! - However a path is percent-encoded, the result is the same.
//!
//! The first line is the path; the others are routes.
#![no_main]

use std::{
    pin::pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, Waker},
};

use libfuzzer_sys::fuzz_target;
use sse_driver::{
    core::{
        http::{HeadLimits, RequestHead, RequestHeadReader, StatusCode},
        lifecycle::{CleanUpOwner, Shutdown},
    },
    router::{self, Reply, Request, Routed, Router, Routes},
};

/// A part of a route's segment.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(Vec<u8>),
    Param(String),
    Rest(String),
}

/// A route's path as the slow matcher reads it: segments of parts.
#[derive(Clone, Debug)]
struct Pattern(Vec<Vec<Part>>);

type Params = Vec<(String, String)>;

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Found {
    Route(usize, Params),
    Status(StatusCode),
}

/// Percent-decodes a segment; `None` where a percent sign does not stand before two digits.
fn decode(text: &str) -> Option<Vec<u8>> {
    let (mut decoded, mut rest) = (Vec::new(), text.as_bytes());
    while let [byte, after @ ..] = rest {
        rest = after;
        if *byte != b'%' {
            decoded.push(*byte);
            continue;
        }
        let digits = str::from_utf8(after.get(..2)?).ok()?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        decoded.push(u8::from_str_radix(digits, 16).ok()?);
        rest = &after[2..];
    }
    Some(decoded)
}

impl Pattern {
    /// Reads a route that the router takes.
    fn read(path: &str) -> Self {
        let path = path.strip_prefix('/').unwrap();
        // A parameter's name has no slash: the router refuses those.
        Self(path.split('/').map(read_segment).collect())
    }

    /// Returns the values of the parameters if the path matches: every possible assignment.
    fn matches(&self, path: &[Vec<u8>]) -> Vec<Option<Params>> {
        let mut all = vec![Some(Vec::new())];
        let mut segments = path.iter();
        for (at, parts) in self.0.iter().enumerate() {
            if let Some(Part::Rest(name)) = parts.last() {
                let rest: Vec<_> = segments.map(Vec::as_slice).collect();
                return extend(all, rest_values(&parts[..parts.len() - 1], name, &rest));
            }
            let Some(segment) = segments.next() else {
                return Vec::new();
            };
            all = extend(all, segment_values(parts, segment));
            if at + 1 == self.0.len() && segments.len() > 0 {
                return Vec::new();
            }
        }
        all
    }

    /// Returns how specific each segment is: the length of the text before the parameter, whether that is
    /// no wildcard, and the length of the text after it.
    fn specificity(&self) -> Vec<(usize, bool, usize)> {
        let len = |part: Option<&Part>| match part {
            Some(Part::Literal(text)) => text.len(),
            _ => 0,
        };
        let of_segment = |parts: &Vec<Part>| match parts.as_slice() {
            [Part::Literal(text)] => (text.len(), true, 0),
            parts => {
                let has_rest = matches!(parts.last(), Some(Part::Rest(_)));
                (len(parts.first()), !has_rest, len(parts.last()))
            }
        };
        self.0.iter().map(of_segment).collect()
    }
}

fn read_segment(text: &str) -> Vec<Part> {
    let (mut parts, mut literal, mut rest) = (Vec::new(), String::new(), text);
    while let Some(next) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("{{").or_else(|| rest.strip_prefix("}}")) {
            (literal, rest) = (literal + &rest[..1], after);
        } else if let Some(after) = rest.strip_prefix('{') {
            let (name, after) = after.split_once('}').unwrap();
            parts.push(Part::Literal(decode(&literal).unwrap()));
            literal.clear();
            parts.push(match name.strip_prefix('*') {
                Some(name) => Part::Rest(name.to_owned()),
                None => Part::Param(name.to_owned()),
            });
            rest = after;
        } else {
            literal.push(next);
            rest = &rest[next.len_utf8()..];
        }
    }
    parts.push(Part::Literal(decode(&literal).unwrap()));
    parts.retain(|part| *part != Part::Literal(Vec::new()));
    parts
}

/// Returns whether a handler may not get this: it would leave its own path.
fn is_dot_segment(segment: &[u8]) -> bool {
    [b".".as_slice(), b".."].contains(&segment)
}

/// Every way in which the parts match a whole segment. `None` is one with a value that is not UTF-8, or a dot
/// segment.
fn segment_values(parts: &[Part], segment: &[u8]) -> Vec<Option<Params>> {
    match parts.split_first() {
        None if segment.is_empty() => vec![Some(Vec::new())],
        None => Vec::new(),
        Some((Part::Literal(literal), others)) => match segment.strip_prefix(literal.as_slice()) {
            Some(rest) => segment_values(others, rest),
            None => Vec::new(),
        },
        Some((Part::Param(name) | Part::Rest(name), others)) => (1..=segment.len())
            .flat_map(|end| {
                let value = String::from_utf8(segment[..end].to_vec()).ok();
                let value = value.filter(|value| !is_dot_segment(value.as_bytes()));
                let value = value.map(|value| vec![(name.clone(), value)]);
                extend(vec![value], segment_values(others, &segment[end..]))
            })
            .collect(),
    }
}

/// The value of a wildcard behind `before`: all that is left, at least one byte.
fn rest_values(before: &[Part], name: &str, rest: &[&[u8]]) -> Vec<Option<Params>> {
    let Some((first, others)) = rest.split_first() else {
        return Vec::new();
    };
    let first = match before {
        [] => *first,
        [Part::Literal(literal)] => match first.strip_prefix(literal.as_slice()) {
            Some(first) => first,
            None => return Vec::new(),
        },
        _ => return Vec::new(),
    };
    if first.is_empty() && others.is_empty() {
        return Vec::new();
    }
    let segments = [&[first], others].concat();
    let decoded = segments.iter().map(|segment| {
        let text = String::from_utf8(segment.to_vec()).ok()?;
        if is_dot_segment(segment) {
            return None;
        }
        // A slash of a segment is told from those between segments.
        Some(text.replace('/', "%2F"))
    });
    let value = decoded.collect::<Option<Vec<_>>>().map(|it| it.join("/"));
    vec![value.map(|value| vec![(name.to_owned(), value)])]
}

/// Every combination of two lists of assignments.
fn extend(all: Vec<Option<Params>>, more: Vec<Option<Params>>) -> Vec<Option<Params>> {
    let both = |(a, b): (&Option<Params>, &Option<Params>)| Some([a.clone()?, b.clone()?].concat());
    let pairs = all.iter().flat_map(|a| more.iter().map(move |b| (a, b)));
    pairs.map(both).collect()
}

/// Reads the head of a request for this path.
fn head(path: &str) -> Option<RequestHead> {
    let text = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut reader = RequestHeadReader::new(HeadLimits::default());
    reader.read(&mut text.as_bytes()).ok()?
}

/// Routes a request, and calls its handler.
fn route(routes: &Routes, path: &str, called: &Mutex<Option<(usize, Params)>>) -> Option<Found> {
    let owner = CleanUpOwner::new();
    let context = router::Context::new(owner.handle(), Shutdown::new().signal());
    let reply = match routes.route(head(path)?, context) {
        Routed::Answer(reply) => reply,
        Routed::Call(reply) => {
            let Poll::Ready(reply) = pin!(reply).poll(&mut Context::from_waker(Waker::noop()))
            else {
                panic!("the handler answers at once");
            };
            reply
        }
        Routed::Receive(_) => panic!("there is no body"),
    };
    let called = called.lock().unwrap().take();
    Some(match called {
        Some((index, params)) => Found::Route(index, params),
        None => Found::Status(reply.status()),
    })
}

/// Encodes every byte but slashes between segments; `None` where the path does not decode.
fn encode_all(path: &str) -> Option<String> {
    let encode = |segment: Vec<u8>| -> String {
        segment.iter().map(|byte| format!("%{byte:02x}")).collect()
    };
    let segments = path.split('/').map(|segment| decode(segment).map(encode));
    Some(segments.collect::<Option<Vec<_>>>()?.join("/"))
}

fuzz_target!(|text: &str| {
    let mut lines = text.split('\n');
    let path = lines.next().unwrap_or_default();
    if !path.starts_with('/') || path.contains(['?', '#']) {
        return;
    }
    let called = Arc::<Mutex<Option<(usize, Params)>>>::default();
    let mut router = Router::new();
    let mut patterns = Vec::new();
    for (index, route) in lines.take(6).enumerate() {
        let (called, asked) = (called.clone(), param_names(route));
        patterns.push(route);
        router = router.get(route, move |request: Request| {
            let value = |name: &String| {
                let value = request.path_param(name).unwrap();
                (name.clone(), value.to_owned())
            };
            let params = asked.iter().map(value).collect();
            *called.lock().unwrap() = Some((index, params));
            Reply::empty(StatusCode::OK)
        });
    }
    let Ok(routes) = router.build() else {
        return;
    };
    let Some(found) = route(&routes, path, &called) else {
        return;
    };
    check(path, &patterns, &found);
    // A path that is three times as long may be too long.
    if let Some(again) = encode_all(path).and_then(|it| route(&routes, &it, &called)) {
        assert_eq!(again, found);
    }
});

/// The names of a route's parameters, in order.
fn param_names(route: &str) -> Vec<String> {
    let text = route.replace("{{", "").replace("}}", "");
    let names = text.split('{').skip(1).filter_map(|it| it.split_once('}'));
    names
        .map(|it| it.0.trim_start_matches('*').to_owned())
        .collect()
}

/// Checks the result against the slow matcher.
fn check(path: &str, routes: &[&str], found: &Found) {
    let segments: Option<Vec<_>> = path[1..].split('/').map(decode).collect();
    let bad_request = Found::Status(StatusCode::BAD_REQUEST);
    let Some(segments) = segments else {
        return assert_eq!(*found, bad_request);
    };
    let is_dot = |it: &Vec<u8>| *it == b"." || *it == b"..";
    if segments.iter().any(is_dot) {
        return assert_eq!(*found, bad_request);
    }
    let patterns: Vec<_> = routes.iter().map(|it| Pattern::read(it)).collect();
    let matching: Vec<_> = patterns.iter().map(|it| it.matches(&segments)).collect();
    let those = (0..routes.len()).filter(|at| !matching[*at].is_empty());
    let best = those.max_by_key(|at| patterns[*at].specificity());
    match found {
        Found::Route(index, params) => {
            let all = &matching[*index];
            assert!(all.contains(&Some(params.clone())), "{params:?} of {all:?}");
            assert_eq!(best, Some(*index));
        }
        Found::Status(StatusCode::NOT_FOUND) => {
            let one = matching.iter().position(|all| !all.is_empty());
            assert_eq!(one, None);
        }
        // A value is not UTF-8 or a dot segment, or a literal begins inside of an encoded byte, which is one that
        // the router encodes, too: in `/}` the `7D` of `/{a}7D` is found behind the `%`.
        Found::Status(StatusCode::BAD_REQUEST) => {
            let is_encoded = |byte: u8| !byte.is_ascii() || b"%\"<>[\\]^`{|}".contains(&byte);
            let has_none = best.is_some_and(|at| matching[at].contains(&None));
            assert!(has_none || path.bytes().any(is_encoded));
        }
        Found::Status(status) => panic!("{status}"),
    }
}
