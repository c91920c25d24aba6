//! Writes the seeds of the fuzz targets: the decoder's vectors and some heads, each after the bytes from
//! which a target takes its chunks and bounds, some compressed bodies, some histories of a topic and of an
//! event source, the items that the macros' tests have, some routes, connections over TLS, and lives
//! of a stream that nodes share.
//!
//! `cargo run -p sse-fuzz-seeds`, in the folder above.

use std::{error::Error, fs, io::Write, path::Path};

use base64::{Engine, prelude::BASE64_STANDARD};
use flate2::{
    Compression, GzBuilder,
    write::{DeflateEncoder, ZlibEncoder},
};
use quote::ToTokens;
use serde_json::Value;
use syn::{Attribute, Item};

/// The tests of the macros.
const MACROS: [&str; 2] = [
    "../sse-driver/macros/tests",
    "../sse-driver/macros/tests/refused",
];

/// Paths, each with routes.
const ROUTES: [&str; 7] = [
    "/a/b\n/a/{x}\n/{x}/b\n/a/b",
    "/w/%61dmin\n/w/{*rest}\n/w/admin",
    "/a%2Fb/c\n/{x}/c\n/a/{*x}",
    "/a/%2e%2E/b\n/{*x}",
    "/w//x\n/w/{*rest}\n/{a}/{b}/{c}",
    "/pre-x\n/pre-{a}\n/{a}-x\n/%70{a}",
    "/%7Ba%7D/%C3%A9\n/{{a}}/é\n/{a}/{b}",
];

const VECTORS: &str = "../sse-core/tests/vectors/event-stream-vectors.json";

const REQUESTS: [&str; 8] = [
    "GET / HTTP/1.1\r\nHost: example.org\r\n\r\n",
    "GET /a?b=c HTTP/1.1\r\nHost: [::1]:8080\r\nAccept: text/event-stream\r\nLast-Event-ID: 7\r\n\r\n",
    "\r\nGET http://example.org/ HTTP/1.0\r\n\r\n",
    "OPTIONS * HTTP/1.1\nHost: a\n\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\nContent-Length: 5\r\n\r\n",
    "GET / HTTP/2.0\r\nHost: a\r\n folded\r\n\r\n",
];

const RESPONSES: [&str; 6] = [
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n\r\ndata: x\n\n",
    "HTTP/1.0 200\r\ncontent-type: text/plain, text/event-stream\r\n\r\n",
    "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 302 Found\r\nLocation: /x\r\n\r\n",
    "HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n",
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n",
    "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
];

/// A call of a target: its number among the others there, and its arguments' bytes.
type Call = (u32, &'static [u8]);

/// The number of calls, and of kinds of IDs.
const TOPIC_CALLS: u32 = 10;
const TOPIC_IDS: u32 = 7;

const PUBLISH: Call = (0, &[20, 0]);
const PUBLISH_LARGE: Call = (0, &[0, 4]);
const WAIT: Call = (2, &[60]);
const OLDEST: Call = (3, &[]);
const POLL: Call = (6, &[0]);
const POLL_ALL: Call = (7, &[0]);
const UNSUBSCRIBE: Call = (8, &[0]);
const CLOSE: Call = (9, &[]);

/// Histories of a topic, each with every bound below.
const LIVES: [&[Call]; 6] = [
    &[
        OLDEST, PUBLISH, POLL_ALL, PUBLISH, PUBLISH, POLL, CLOSE, POLL_ALL,
    ],
    &[
        OLDEST,
        POLL,
        PUBLISH,
        PUBLISH,
        PUBLISH,
        PUBLISH,
        POLL_ALL,
        UNSUBSCRIBE,
    ],
    &[
        PUBLISH, PUBLISH, PUBLISH, PUBLISH, WAIT, PUBLISH, WAIT, OLDEST, POLL_ALL,
    ],
    &[
        OLDEST,
        POLL,
        PUBLISH_LARGE,
        PUBLISH_LARGE,
        PUBLISH_LARGE,
        POLL_ALL,
        PUBLISH,
        POLL_ALL,
    ],
    &[
        OLDEST,
        OLDEST,
        OLDEST,
        POLL,
        PUBLISH,
        POLL,
        UNSUBSCRIBE,
        POLL,
        PUBLISH,
        POLL,
        CLOSE,
    ],
    &[PUBLISH, CLOSE, PUBLISH, OLDEST, POLL_ALL, POLL],
];

/// Events, bytes, age if any, whether slow readers are skipped ahead, what is announced.
const TOPIC_BOUNDS: [&[u8]; 5] = [
    &[200, 0, 200, 0, 0, 1],
    &[2, 0, 200, 0, 0, 1],
    &[2, 0, 200, 0, 1, 2],
    &[200, 0, 4, 0, 1, 0],
    &[200, 0, 200, 1, 100, 0, 2],
];

/// The number of calls of an event source.
const CLIENT_CALLS: u32 = 13;

const CONNECTED: Call = (0, &[]);
/// The first two of seven.
const OPEN: Call = (1, &[0, 0, 0, 0]);
const OPEN_CHUNKED: Call = (1, &[0x25, 0x49, 0x92, 0x24]);
const EOF: Call = (4, &[]);
const TRANSPORT_ERROR: Call = (5, &[]);
const WAIT_FOR_DEADLINE: Call = (7, &[]);
const TELL: Call = (10, &[]);
const WHOLE_EVENT: Call = (12, &[7]);

/// Histories of an event source's connections.
const CONNECTIONS: [&[Call]; 5] = [
    &[CONNECTED, OPEN, WHOLE_EVENT, TELL, EOF],
    &[CONNECTED, OPEN_CHUNKED, EOF],
    &[CONNECTED, TRANSPORT_ERROR],
    &[EOF],
    &[WAIT_FOR_DEADLINE],
];

/// The number of calls of an end of TLS, and of faults on the wire.
const TLS_CALLS: u32 = 7;
const TLS_FAULTS: u32 = 8;

const HANDSHAKE: Call = (0, &[]);
const READ: Call = (1, &[0, 8]);
const WRITE: Call = (2, &[0xe8, 3]);
const BREAK_OFF: Call = (4, &[0]);
const END: Call = (4, &[1]);
const ROOM: Call = (5, &[0, 0x20]);
const FAULT: u32 = 6;

/// A connection over TLS: an end, and its call.
const TALK: [(u8, Call); 14] = [
    (0, ROOM),
    (1, ROOM),
    (0, HANDSHAKE),
    (1, HANDSHAKE),
    (0, HANDSHAKE),
    (1, HANDSHAKE),
    (0, WRITE),
    (1, WRITE),
    (1, READ),
    (0, READ),
    (1, WRITE),
    (1, END),
    (0, READ),
    (0, BREAK_OFF),
];

/// What happens on the wire: a changed byte, an end, and bytes and records that are lost or moved.
const WIRE_FAULTS: [Call; 7] = [
    (0, &[7, 0, 1]),
    (2, &[3, 0]),
    (3, &[]),
    (4, &[0]),
    (5, &[0]),
    (6, &[0]),
    (7, &[0]),
];

/// The number of calls of nodes that share a stream.
const MEMBER_CALLS: u32 = 19;

/// A stream that the first of three nodes starts: one of two claims is in the log first.
const STREAM: [Call; 24] = [
    (0, &[0]),
    (0, &[1]),
    (9, &[0]),
    (9, &[1]),
    (10, &[0, 9]),
    (10, &[1, 9]),
    (8, &[0]),
    (8, &[0]),
    (8, &[1]),
    (8, &[1]),
    (9, &[0]),
    (5, &[1]),
    (9, &[1]),
    (10, &[1, 9]),
    (7, &[0]),
    (8, &[0]),
    (8, &[0]),
    (8, &[1]),
    (3, &[0]),
    (9, &[0]),
    (10, &[0, 9]),
    (8, &[0]),
    (8, &[1]),
    (8, &[2]),
];

const DEATHS: [Call; 2] = [(14, &[1]), (14, &[2])];

/// What may happen to it in between: ends, failures, losses, and time.
const STREAM_FAULTS: [Call; 14] = [
    (1, &[0]),
    (2, &[1]),
    (4, &[0]),
    (6, &[1]),
    (10, &[0, 0]),
    (10, &[0, 1]),
    (10, &[0, 2]),
    (13, &[1]),
    (14, &[1]),
    (15, &[]),
    (16, &[40]),
    (17, &[0]),
    (18, &[]),
    (11, &[0]),
];

fn main() -> Result<(), Box<dyn Error>> {
    let vectors: Value = serde_json::from_str(&fs::read_to_string(VECTORS)?)?;
    let vectors = vectors["vectors"].as_array().or(vectors.as_array());
    for (number, vector) in vectors.ok_or("no vectors")?.iter().enumerate() {
        let mut bytes = vec![(number % 20) as u8, 0];
        for chunk in vector["chunks"].as_array().ok_or("no chunks")? {
            bytes.extend(BASE64_STANDARD.decode(chunk.as_str().ok_or("no text")?)?);
        }
        write("decode", number, &bytes)?;
    }
    for (target, heads) in [
        ("request_head", &REQUESTS[..]),
        ("response_head", &RESPONSES),
    ] {
        for (number, head) in heads.iter().enumerate() {
            write(
                target,
                number,
                &[&[number as u8][..], head.as_bytes()].concat(),
            )?;
        }
    }
    for (number, routes) in ROUTES.iter().enumerate() {
        write("routes", number, routes.as_bytes())?;
    }
    write_bodies()?;
    write_lives()?;
    write_items()?;
    write_connections()?;
    write_streams()?;
    write_subscriptions()
}

/// Writes the life of a stream as it is, and with each fault behind each call; with the other two nodes, and
/// without them.
fn write_streams() -> Result<(), Box<dyn Error>> {
    let behind = |at| STREAM_FAULTS.map(|fault| Some((at, fault)));
    let faults = (0..STREAM.len()).flat_map(behind).chain([None]);
    let worlds = faults.flat_map(|fault| [(fault, 0), (fault, DEATHS.len())]);
    for (number, (fault, deaths)) in worlds.enumerate() {
        // Four times, and no calls of a member that is told anything.
        let mut bytes = [0; 4 * 6 + 1].to_vec();
        for death in &DEATHS[..deaths] {
            put_call(&mut bytes, MEMBER_CALLS, *death);
        }
        for (at, call) in STREAM.into_iter().enumerate() {
            put_call(&mut bytes, MEMBER_CALLS, call);
            if let Some((_, fault)) = fault.filter(|(behind, _)| *behind == at) {
                put_call(&mut bytes, MEMBER_CALLS, fault);
            }
        }
        write("member", number, &bytes)?;
    }
    Ok(())
}

/// Writes a connection of each version of TLS, anew and resumed: as it is, and with each fault on the wire
/// behind each call.
fn write_connections() -> Result<(), Box<dyn Error>> {
    let behind = |at| WIRE_FAULTS.map(|fault| Some((at, fault)));
    let faults = (0..TALK.len()).flat_map(behind).chain([None]);
    let kinds = [[0, 0], [0, 1], [1, 0], [1, 1]];
    let seeds = faults.flat_map(|fault| kinds.map(|kind| (kind, fault)));
    for (number, (kind, fault)) in seeds.enumerate() {
        let mut bytes = kind.to_vec();
        for (at, (end, (call, arguments))) in TALK.into_iter().enumerate() {
            bytes.extend([1, end]);
            bytes.extend(choice(call, TLS_CALLS));
            bytes.extend_from_slice(arguments);
            if let Some((_, (fault, arguments))) = fault.filter(|(behind, _)| *behind == at) {
                bytes.extend([1, end]);
                bytes.extend(choice(FAULT, TLS_CALLS));
                bytes.extend(choice(fault, TLS_FAULTS));
                bytes.extend_from_slice(arguments);
            }
        }
        write("tls", number, &bytes)?;
    }
    Ok(())
}

/// Writes every item of the macros' tests that has one of the macros, as the macro gets it.
fn write_items() -> Result<(), Box<dyn Error>> {
    let mut number = 0;
    for folder in MACROS {
        for file in fs::read_dir(folder)? {
            let file = file?.path();
            if file.extension().is_none_or(|it| it != "rs") {
                continue;
            }
            for item in syn::parse_file(&fs::read_to_string(file)?)?.items {
                for seed in seeds_of(item) {
                    write("macros", number, &seed)?;
                    number += 1;
                }
            }
        }
    }
    Ok(())
}

fn is_one(attribute: &Attribute, name: &str) -> bool {
    attribute.path().is_ident(name)
}

/// Returns the input of the target `macros` for each macro that the item has.
fn seeds_of(mut item: Item) -> Vec<Vec<u8>> {
    let attributes = match &mut item {
        Item::Impl(item) => &mut item.attrs,
        Item::Fn(item) => &mut item.attrs,
        Item::Enum(item) => &mut item.attrs,
        Item::Struct(item) => &mut item.attrs,
        _ => return Vec::new(),
    };
    let named = [("controller", 0), ("sse", 1)];
    let found = named.into_iter().find_map(|(name, which)| {
        let at = attributes.iter().position(|it| is_one(it, name))?;
        Some((attributes.remove(at), which))
    });
    let derives = attributes.iter().any(|it| is_one(it, "derive"));
    attributes.retain(|it| !is_one(it, "derive"));
    let input = |which: u8, args: String| {
        let item = item.to_token_stream().to_string();
        [&[which], args.as_bytes(), b"\0", item.as_bytes()].concat()
    };
    match found {
        Some((attribute, which)) => {
            let args = attribute.meta.require_list();
            let args = args.map_or_else(|_| String::new(), |it| it.tokens.to_string());
            vec![input(which, args)]
        }
        None if derives => vec![input(2, String::new()), input(3, String::new())],
        None => Vec::new(),
    }
}

/// Bodies in each of the codings that the client decodes.
fn write_bodies() -> Result<(), Box<dyn Error>> {
    let plain = b"data: the same again and again\n\n".repeat(100);
    let level = Compression::fast();
    let mut gzip = GzBuilder::new()
        .extra([7; 5])
        .filename("name")
        .comment("comment")
        .write(vec![0xf0], level);
    let mut zlib = ZlibEncoder::new(vec![0xf1], level);
    let mut raw = DeflateEncoder::new(vec![0xf1], level);
    gzip.write_all(&plain)?;
    zlib.write_all(&plain)?;
    raw.write_all(&plain)?;
    let bodies = [gzip.finish()?, zlib.finish()?, raw.finish()?];
    for (number, body) in bodies.iter().enumerate() {
        write("gunzip", number, body)?;
    }
    Ok(())
}

/// Writes a connection that opens, and then each two of the others.
fn write_subscriptions() -> Result<(), Box<dyn Error>> {
    let pairs = CONNECTIONS
        .iter()
        .flat_map(|second| CONNECTIONS.map(|third| [CONNECTIONS[0], second, third]));
    for (number, connections) in pairs.enumerate() {
        // It reconnects without a limit; then the seed of the waits.
        let mut bytes = vec![0; 1 + 1 + 8];
        for calls in connections {
            for call in [&[TELL], calls, &[TELL, WAIT_FOR_DEADLINE]].concat() {
                put_call(&mut bytes, CLIENT_CALLS, call);
            }
        }
        for call in [TELL, CONNECTED] {
            put_call(&mut bytes, CLIENT_CALLS, call);
        }
        write("client_event_source", number, &bytes)?;
    }
    Ok(())
}

/// Writes each history as it is, and for every kind of ID once with resumptions from it in between.
fn write_lives() -> Result<(), Box<dyn Error>> {
    let mut number = 0;
    for bounds in TOPIC_BOUNDS {
        for life in LIVES {
            for id in (0..TOPIC_IDS).map(Some).chain([None]) {
                let mut bytes = bounds.to_vec();
                for call in life {
                    put_call(&mut bytes, TOPIC_CALLS, *call);
                    if let Some(id) = id {
                        // The ID's own argument is one of the first events, where it has one.
                        let argument = [&choice(id, TOPIC_IDS)[..], &[1, 0, 0, 0, 0, 0, 0, 0]];
                        let argument = &argument.concat()[..id_len(id)];
                        put_call(&mut bytes, TOPIC_CALLS, (4, argument));
                    }
                }
                write("topic", number, &bytes)?;
                number += 1;
            }
        }
    }
    Ok(())
}

/// Returns the number of bytes of an ID of this kind.
fn id_len(id: u32) -> usize {
    4 + [0, 2, 8, 2, 1, 6, 3][id as usize]
}

/// Writes a call as `arbitrary` reads it: that there is one, which one, and its arguments.
fn put_call(bytes: &mut Vec<u8>, of: u32, (call, arguments): (u32, &[u8])) {
    bytes.push(1);
    bytes.extend(choice(call, of));
    bytes.extend_from_slice(arguments);
}

/// Returns the bytes that choose this one of so many.
fn choice(which: u32, of: u32) -> [u8; 4] {
    let number = (u64::from(which) << 32).div_ceil(of.into());
    (number as u32).to_le_bytes()
}

fn write(target: &str, number: usize, bytes: &[u8]) -> Result<(), Box<dyn Error>> {
    let folder = Path::new("corpus").join(target);
    fs::create_dir_all(&folder)?;
    Ok(fs::write(folder.join(format!("seed-{number:03}")), bytes)?)
}
