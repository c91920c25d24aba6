//! Reads a response from its bytes.

use sse_core::http::{HeaderMap, HeaderName, HeaderValue};

use super::{End, Sight};

/// Returns the response of these bytes as a client sees it, and whether the server has sent everything.
pub fn read(received: &[u8], is_head: bool, at_end: bool) -> Sight {
    let mut sight = Sight::default();
    let split = received.windows(4).position(|four| four == b"\r\n\r\n");
    let Some(split) = split else {
        sight.end = if at_end { End::BrokeOff } else { End::Open };
        return sight;
    };
    let (head, rest) = (&received[..split], &received[split + 4..]);
    let head = std::str::from_utf8(head).unwrap();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap();
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(": ").unwrap();
        let name: HeaderName = name.parse().unwrap();
        headers.append(name, HeaderValue::from_str(value).unwrap());
    }
    sight.set_head(status.parse().unwrap(), &headers);
    let has_body = !is_head && ![204, 205, 304].contains(&sight.status.unwrap());
    let (body, complete) = match headers.get("transfer-encoding") {
        _ if !has_body => (rest.to_vec(), rest.is_empty()),
        Some(_) => chunks(rest),
        None => (rest.to_vec(), sight.length == Some(rest.len() as u64)),
    };
    sight.set_body(&body);
    sight.end = match (complete, at_end) {
        (_, false) => End::Open,
        (true, true) => End::Ended,
        (false, true) => End::BrokeOff,
    };
    sight
}

/// Returns the bytes in the chunks, and whether the last chunk is there.
fn chunks(mut rest: &[u8]) -> (Vec<u8>, bool) {
    let mut body = Vec::new();
    while let Some(line) = rest.windows(2).position(|two| two == b"\r\n") {
        let size = std::str::from_utf8(&rest[..line]).unwrap();
        let size = usize::from_str_radix(size, 16).unwrap();
        rest = &rest[line + 2..];
        if size == 0 {
            assert_eq!(rest, b"\r\n", "nothing follows the last chunk");
            return (body, true);
        }
        let there = size.min(rest.len());
        body.extend_from_slice(&rest[..there]);
        rest = rest.get(size + 2..).unwrap_or_default();
    }
    (body, false)
}
