//! The clients of other projects, each used as its documentation says.

use eventsource_stream::Eventsource;
use futures_util::StreamExt;

use crate::{Client, Error};

pub(crate) const CLIENTS: [(&str, Client); 4] = [
    (
        "reqwest 0.12, and **`sse_core::EventStream`**",
        |url, events| Box::pin(with_ours(url, events)),
    ),
    (
        "reqwest 0.12, and `eventsource-stream` 0.2",
        |url, events| Box::pin(eventsource_stream(url, events)),
    ),
    ("`reqwest-eventsource` 0.6", |url, events| {
        Box::pin(reqwest_eventsource(url, events))
    }),
    ("`eventsource-client` 0.16", |url, events| {
        Box::pin(eventsource_client(url, events))
    }),
];

async fn with_ours(url: String, events: usize) -> Result<usize, Error> {
    let chunks = reqwest::get(url).await?.bytes_stream();
    let mut source = sse_core::EventStream::new(chunks);
    let mut bytes = 0;
    for _ in 0..events {
        bytes += source.next().await.ok_or("the end")??.data().len();
    }
    Ok(bytes)
}

async fn eventsource_stream(url: String, events: usize) -> Result<usize, Error> {
    let mut source = reqwest::get(url).await?.bytes_stream().eventsource();
    let mut bytes = 0;
    for _ in 0..events {
        bytes += source.next().await.ok_or("the end")??.data.len();
    }
    Ok(bytes)
}

async fn reqwest_eventsource(url: String, events: usize) -> Result<usize, Error> {
    let mut source = reqwest_eventsource::EventSource::get(url);
    let (mut bytes, mut taken) = (0, 0);
    while taken < events {
        if let reqwest_eventsource::Event::Message(event) =
            source.next().await.ok_or("the end")??
        {
            bytes += event.data.len();
            taken += 1;
        }
    }
    source.close();
    Ok(bytes)
}

async fn eventsource_client(url: String, events: usize) -> Result<usize, Error> {
    use eventsource_client::{Client, ClientBuilder, SSE};

    let mut source = ClientBuilder::for_url(&url)?.build_http().stream();
    let (mut bytes, mut taken) = (0, 0);
    while taken < events {
        if let SSE::Event(event) = source.next().await.ok_or("the end")?? {
            bytes += event.data.len();
            taken += 1;
        }
    }
    Ok(bytes)
}
