//! Clients that come and go, stall, read slowly and reset their connections.

use std::{io, time::Duration};

use fastrand::Rng;
use socket2::SockRef;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep, timeout},
};

use super::{Door, PATIENCE, World, begin, up_to};
use crate::laws::Law;

/// What is asked for. Some of it is in no server.
const PATHS: [&str; 10] = [
    "/news",
    "/flood",
    "/skip",
    "/log",
    "/answers/of-visitors",
    "/count",
    "/fail",
    "/panic",
    "/text",
    "/nothing",
];

pub(super) async fn visit(world: World, mut draws: Rng) {
    begin(&world, &mut draws).await;
    while !world.is_over() {
        let door = world.door(&mut draws);
        let door = if door.is_secured {
            world.direct_door(&mut draws)
        } else {
            door
        };
        if !door.is_secured {
            // Refusals and resets are the server's right: it may be away.
            let _ = visit_once(&world, &door, &mut draws).await;
        }
        world
            .pause(up_to(Duration::from_millis(300), &mut draws))
            .await;
    }
}

async fn visit_once(world: &World, door: &Door, draws: &mut Rng) -> io::Result<()> {
    let mut socket = TcpStream::connect(door.address).await?;
    let path = PATHS[draws.usize(..PATHS.len())];
    let gzip = if draws.bool() {
        "Accept-Encoding: gzip\r\n"
    } else {
        ""
    };
    let version = if draws.u8(..) < 32 { "1.0" } else { "1.1" };
    let request = format!("GET {path} HTTP/{version}\r\nHost: a\r\n{gzip}\r\n");
    socket.write_all(request.as_bytes()).await?;
    read_some(&mut socket, draws).await?;
    world.record.count("visits");
    match draws.u8(..6) {
        // It closes its connection.
        0 => Ok(()),
        1 => SockRef::from(&socket).set_linger(Some(Duration::ZERO)),
        2 => half_close(world, door, socket, path).await,
        3 => {
            world.pause(up_to(Duration::from_secs(10), draws)).await;
            Ok(())
        }
        4 => {
            world.pause(up_to(Duration::from_secs(10), draws)).await;
            read_some(&mut socket, draws).await
        }
        _ => read_slowly(world, socket, draws).await,
    }
}

/// Reads up to some thousand bytes, or as long as some come.
async fn read_some(socket: &mut TcpStream, draws: &mut Rng) -> io::Result<()> {
    let mut left = draws.usize(..20_000);
    let mut buffer = [0; 4096];
    while left > 0 {
        let read = timeout(Duration::from_millis(500), socket.read(&mut buffer));
        match read.await {
            Ok(Ok(0)) | Err(_) => return Ok(()),
            Ok(read) => left = left.saturating_sub(read?),
        }
    }
    Ok(())
}

/// Reads slower than the server sends.
async fn read_slowly(world: &World, mut socket: TcpStream, draws: &mut Rng) -> io::Result<()> {
    let until = Instant::now() + up_to(Duration::from_secs(15), draws);
    let mut buffer = [0; 512];
    while Instant::now() < until && !world.is_over() {
        let read = timeout(Duration::from_secs(2), socket.read(&mut buffer));
        if matches!(read.await, Ok(Ok(0) | Err(_))) {
            world.record.count("slow visitors that were cut");
            break;
        }
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// Ends its own output, for which the server ends the connection.
async fn half_close(
    world: &World,
    door: &Door,
    mut socket: TcpStream,
    path: &str,
) -> io::Result<()> {
    socket.shutdown().await?;
    if !door.is_proxied {
        expect_end(world, socket, &format!("half-closed {path}")).await;
    }
    Ok(())
}

/// Reads until the server ends the connection.
pub(super) async fn expect_end(world: &World, mut socket: TcpStream, what: &str) {
    let read = async {
        let mut buffer = [0; 4096];
        while matches!(socket.read(&mut buffer).await, Ok(1..)) {}
    };
    if timeout(PATIENCE, read).await.is_err() {
        world.record.broken(Law::LeftOpen, what);
    }
}
