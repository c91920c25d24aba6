//! The decoder over the body of a response of `reqwest`: prints the data of each event at a URL.

use std::{env, error::Error, pin::pin};

use futures_util::StreamExt;
use sse_core::EventStream;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = env::args().nth(1).ok_or("give a URL")?;
    let response = reqwest::get(url).await?.error_for_status()?;
    let mut events = pin!(EventStream::new(response.bytes_stream()));
    while let Some(event) = events.next().await {
        println!("{}", event?.data());
    }
    // To go on later: ask with this as the Last-Event-ID.
    eprintln!("the last event ID: {:?}", events.last_event_id());
    Ok(())
}
