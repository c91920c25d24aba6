//! The event source over `hyper` on tokio: prints the data of each event at a URL, through all
//! reconnections.

use std::{env, error::Error, sync::Arc};

use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use sse_tokio::{
    EventSource,
    client::ClientEvent,
    http::Request,
    tls::{Certificates, Roots, client_config},
};

type Failed = Box<dyn Error + Send + Sync>;
type HyperClient = Client<HttpsConnector<HttpConnector>, Full<hyper::body::Bytes>>;

/// An event source that sends its requests with `client`.
fn subscribe(client: HyperClient, url: &str) -> Result<EventSource, Failed> {
    let send = move |request: Request<_>| client.request(request.map(Full::new));
    Ok(EventSource::new(url)?.with_http_client(send))
}

/// A client for HTTP/1.1 and HTTP/2 with a pool of connections.
fn hyper_client(roots: &Roots) -> Result<HyperClient, Failed> {
    let mut tls = Arc::unwrap_or_clone(client_config(roots, None)?);
    // The connector says what it speaks.
    tls.alpn_protocols.clear();
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(tls)
        .https_or_http()
        .enable_http1()
        .enable_http2()
        .build();
    // A request that fails before it is sent is sent again at once, unless this says otherwise.
    let mut client = Client::builder(TokioExecutor::new());
    Ok(client.retry_canceled_requests(false).build(connector))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failed> {
    let mut arguments = env::args().skip(1);
    let url = arguments.next().ok_or("give a URL")?;
    let roots = match arguments.next() {
        Some(file) => Roots::Only(Certificates::from_pem_file(file)?),
        None => Roots::Platform,
    };
    let mut source = subscribe(hyper_client(&roots)?, &url)?;
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
