//! The event source over `reqwest`: prints the data of each event at a URL, through all reconnections.

use std::{env, error::Error, fs};

use reqwest::{Certificate, Client, redirect};
use sse_tokio::{
    EventSource,
    client::ClientEvent,
    http::{Request, Response},
};

type Failed = Box<dyn Error + Send + Sync>;

/// An event source that sends its requests with `client`.
fn subscribe(client: Client, url: &str) -> Result<EventSource, Failed> {
    let send = move |request: Request<_>| {
        let (client, request) = (client.clone(), reqwest::Request::try_from(request));
        async move { client.execute(request?).await.map(Response::from) }
    };
    Ok(EventSource::new(url)?.with_http_client(send))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failed> {
    let mut arguments = env::args().skip(1);
    let url = arguments.next().ok_or("give a URL")?;
    // The event source follows redirects itself. No `timeout`: that is for the whole response.
    let mut client = Client::builder().redirect(redirect::Policy::none());
    if let Some(file) = arguments.next() {
        client = client.add_root_certificate(Certificate::from_pem(&fs::read(file)?)?);
    }
    let mut source = subscribe(client.build()?, &url)?;
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
