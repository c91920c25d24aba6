//! The decoder over a body of `hyper`: prints the data of each event at a URL.

use std::{env, error::Error};

use futures_util::StreamExt;
use http_body_util::{BodyExt, Empty};
use hyper::{Request, Uri, body::Bytes, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use sse_core::EventStream;
use tokio::net::TcpStream;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let uri: Uri = env::args().nth(1).ok_or("give a URL")?.parse()?;
    let authority = uri.authority().ok_or("give a URL with a host")?.clone();
    let socket = TcpStream::connect((authority.host(), authority.port_u16().unwrap_or(80))).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(socket)).await?;
    tokio::spawn(connection);

    let request = Request::get(uri.path())
        .header(header::HOST, authority.as_str())
        .header(header::ACCEPT, "text/event-stream")
        .body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await?;
    let mut events = EventStream::new(response.into_body().into_data_stream());
    while let Some(event) = events.next().await {
        println!("{}", event?.data());
    }
    Ok(())
}
