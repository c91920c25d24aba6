//! The event source over `hyper` on smol: prints the data of each event at a URL, through all
//! reconnections. Each request has a connection of its own, for HTTP/2 over TLS.

use std::{env, error::Error, future::Future, sync::Arc};

use futures_rustls::{TlsConnector, pki_types::ServerName};
use http_body_util::Full;
use hyper::{
    body::{Bytes, Incoming},
    client::conn::http2,
    rt::Executor,
};
use smol::net::TcpStream;
use smol_hyper::rt::FuturesIo;
use sse_smol::{
    EventSource,
    client::ClientEvent,
    http::{Request, Response},
    tls::{Certificates, Roots, client_config},
};

type Failed = Box<dyn Error + Send + Sync>;

/// Has smol drive the connections.
#[derive(Clone)]
struct Smol;

impl<F: Future<Output: Send> + Send + 'static> Executor<F> for Smol {
    fn execute(&self, future: F) {
        smol::spawn(future).detach();
    }
}

/// An event source whose requests are sent over connections that `tls` makes.
fn subscribe(tls: TlsConnector, url: &str) -> Result<EventSource, Failed> {
    let send = move |request: Request<Bytes>| send(tls.clone(), request);
    Ok(EventSource::new(url)?.with_http_client(send))
}

async fn send(tls: TlsConnector, request: Request<Bytes>) -> Result<Response<Incoming>, Failed> {
    let uri = request.uri();
    let host = uri.host().ok_or("the URL has no host")?.to_owned();
    let port = uri.port_u16().unwrap_or(443);
    let socket = TcpStream::connect((host.as_str(), port)).await?;
    let socket = tls.connect(ServerName::try_from(host)?, socket).await?;
    let (mut sender, connection) = http2::handshake(Smol, FuturesIo::new(socket)).await?;
    // It ends with its last response.
    smol::spawn(connection).detach();
    Ok(sender.send_request(request.map(Full::new)).await?)
}

async fn run() -> Result<(), Failed> {
    let mut arguments = env::args().skip(1);
    let url = arguments.next().ok_or("give a URL")?;
    let roots = match arguments.next() {
        Some(file) => Roots::Only(Certificates::from_pem_file(file)?),
        None => Roots::Platform,
    };
    let mut tls = Arc::unwrap_or_clone(client_config(&roots, None)?);
    tls.alpn_protocols = vec![b"h2".to_vec()];
    let mut source = subscribe(Arc::new(tls).into(), &url)?;
    while let Some(update) = source.next_update().await {
        match update {
            ClientEvent::Open(response) => eprintln!("open, over {:?}", response.version()),
            ClientEvent::Event(event) => println!("{}", event.data()),
            ClientEvent::Lost { loss, wait } => eprintln!("{loss}; again in {wait:?}"),
            ClientEvent::Closed(end) => eprintln!("over: {}", end?),
            _ => {}
        }
    }
    Ok(())
}

fn main() -> Result<(), Failed> {
    smol::block_on(run())
}
