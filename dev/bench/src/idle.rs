//! Idle connections, whose memory is measured: a server of ours, and clients that have read one event.

use std::{
    error::Error,
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use futures_util::{StreamExt, stream};
use sse_tokio::{
    Router, ServerConfig, Topic,
    driver::{Runtime, Server},
    topic::TopicConfig,
};

pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The longest time that a client waits for its event.
const PATIENCE: Duration = Duration::from_secs(30);

/// Serves with the defaults, a stream for each client (`stream`) or a topic for all (`topic`). Calls `listening`
/// with the address.
pub(crate) async fn serve_ours<R: Runtime + Default>(
    server: &str,
    listening: impl FnOnce(String),
) -> Result<()> {
    let router = match server {
        "stream" => Router::new().events("/", |_| stream::iter(["hello"]).chain(stream::pending())),
        "topic" => {
            let topic = Topic::on(R::default(), TopicConfig::default());
            topic.publish("hello")?;
            Router::new().events("/", move |_| topic.subscribe_from_oldest())
        }
        _ => return Err(format!("there is no server {server}").into()),
    };
    let mut config = ServerConfig::default();
    config.max_connections = usize::MAX;
    let server = Server::<R>::bind("127.0.0.1:0").await?.with_config(config);
    listening(server.local_addr()?.to_string());
    server.serve(router).await?;
    Ok(())
}

/// Returns a client that has read its event.
pub(crate) fn connect(address: &str) -> Result<TcpStream> {
    let mut socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")?;
    let (mut text, mut buffer) = (Vec::new(), [0; 1024]);
    while !text.windows(5).any(|window| window == b"hello") {
        match socket.read(&mut buffer)? {
            0 => return Err("the server closed a connection".into()),
            n => text.extend_from_slice(&buffer[..n]),
        }
    }
    Ok(socket)
}
