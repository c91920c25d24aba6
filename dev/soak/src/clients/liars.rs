//! Clients that send what is no request, half a request, or a body that is none.

use std::{io, time::Duration};

use fastrand::Rng;
use tokio::{io::AsyncWriteExt, net::TcpStream};

use super::{World, begin, up_to, visitors::expect_end};

/// Requests that the server refuses, or answers and then closes the connection.
const LIES: [&str; 16] = [
    "GET / HTTP/1.1\r\n\r\n",
    "GET /nothing HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "GET /nothing HTTP/1.1\r\nHost : a\r\n\r\n",
    "GET /nothing HTTP/1.1\nHost: a\rX: b\n\n",
    "GET /nothing HTTP/9.9\r\nHost: a\r\n\r\n",
    "GET  /nothing HTTP/1.1\r\nHost: a\r\n\r\n",
    "DELETE /nothing HTTP/1.1\r\nHost: a\r\n\r\n",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n[1,2]",
    "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n[1,2]",
    "POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
    "POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\n[1,2]\r\n0\r\n\r\n",
    "POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
    "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n[",
    "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n[]and more",
    "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{fc}",
];

/// What is sent in halves, so that its end never comes.
const HALVES: [&str; 5] = [
    "",
    "GET /new",
    "GET /news HTTP/1.1\r\nHost: a\r\nX-Very-Long: ",
    "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n[1, ",
    "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n[1,\r\n",
];

pub(super) async fn lie(world: World, mut draws: Rng) {
    begin(&world, &mut draws).await;
    while !world.is_over() {
        // It may be away.
        let _ = lie_once(&world, &mut draws).await;
        world
            .pause(up_to(Duration::from_millis(300), &mut draws))
            .await;
    }
}

async fn lie_once(world: &World, draws: &mut Rng) -> io::Result<()> {
    let door = world.direct_door(draws);
    let mut socket = TcpStream::connect(door.address).await?;
    let (kind, bytes) = draw(draws);
    world.record.count(kind);
    if draws.bool() {
        socket.write_all(&bytes).await?;
    } else {
        // In pieces, and ever slower.
        for piece in bytes.chunks(draws.usize(1..bytes.len().max(2))) {
            socket.write_all(piece).await?;
            world.pause(up_to(Duration::from_millis(200), draws)).await;
        }
    }
    if draws.u8(..) < 32 {
        // It does not wait for what it gets.
        return Ok(());
    }
    let start = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]).into_owned();
    expect_end(world, socket, &format!("{kind}: {start:?}")).await;
    Ok(())
}

/// Draws what is sent, and what it is called in the report.
fn draw(draws: &mut Rng) -> (&'static str, Vec<u8>) {
    match draws.u8(..8) {
        0 | 1 => {
            let half = HALVES[draws.usize(..HALVES.len())];
            ("half requests", half.as_bytes().to_vec())
        }
        2 => {
            let length = draws.usize(..4_000);
            ("random bytes", (0..length).map(|_| draws.u8(..)).collect())
        }
        3 => {
            let field = "x".repeat(draws.usize(..40_000));
            let head = format!("GET /nothing HTTP/1.1\r\nHost: a\r\nX: {field}\r\n\r\n");
            ("long heads", head.into_bytes())
        }
        4 => {
            let body = format!("[{}1]", "1,".repeat(draws.usize(..60_000)));
            let head = format!(
                "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n\
                 Content-Length: {}\r\n\r\n{body}",
                body.len()
            );
            ("uploads", head.into_bytes())
        }
        _ => {
            let lie = LIES[draws.usize(..LIES.len())];
            let mut bytes = lie.as_bytes().to_vec();
            // A change somewhere. What comes of it may be a request, for a page that is not there.
            if draws.u8(..) < 64 {
                let at = draws.usize(..bytes.len());
                bytes[at] = draws.u8(..);
            }
            ("bad requests", bytes)
        }
    }
}
