//! Writes what fuzzing begins with: the decoder's vectors and some heads, each with the bytes before
//! it that a target takes its cuts and bounds from.
//!
//! `cargo run --example seeds`, in this directory.

use std::{error::Error, fs, path::Path};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::Value;

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
    Ok(())
}

fn write(target: &str, number: usize, bytes: &[u8]) -> Result<(), Box<dyn Error>> {
    let folder = Path::new("corpus").join(target);
    fs::create_dir_all(&folder)?;
    Ok(fs::write(folder.join(format!("seed-{number:03}")), bytes)?)
}
