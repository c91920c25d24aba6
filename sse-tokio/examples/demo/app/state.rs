//! What the server tells of itself.

use std::{
    convert::Infallible,
    process,
    time::{Duration, Instant},
};

use serde::Serialize;

use super::feed::{Feed, Update};
use crate::on::{
    adapter::{IntoEvent, OpenStream, OpenStreams},
    sleep,
};

/// The largest number of streams that pages list.
const LISTED: usize = 20;

/// The time after which a browser that lost its stream asks again.
pub(super) const RECONNECTION_TIME: Duration = Duration::from_secs(1);

/// A run of a server, and its open streams.
#[derive(Debug, Serialize)]
pub(super) struct State {
    address: String,
    pid: u32,
    run: u32,
    up_seconds: f64,
    /// The number of all open streams, of which the newest are listed.
    open: usize,
    streams: Vec<Stream>,
}

#[derive(Debug, Serialize)]
struct Stream {
    id: String,
    path: String,
    peer: String,
    events: u64,
    seconds: f64,
}

impl From<OpenStream> for Stream {
    fn from(stream: OpenStream) -> Self {
        Self {
            id: stream.id.to_string(),
            path: stream.path.to_string(),
            peer: stream
                .peer
                .map_or_else(String::new, |peer| peer.to_string()),
            events: stream.events,
            seconds: rounded(stream.since.elapsed()),
        }
    }
}

/// Publishes the server's state every second.
pub(super) async fn publish_state(
    feed: &Feed,
    address: &str,
    run: u32,
    open: &OpenStreams,
) -> Infallible {
    let start = Instant::now();
    loop {
        let mut streams = open.list();
        let state = Update::State(State {
            address: address.to_owned(),
            pid: process::id(),
            run,
            up_seconds: rounded(start.elapsed()),
            open: streams.len(),
            streams: streams
                .split_off(streams.len().saturating_sub(LISTED))
                .into_iter()
                .map(Stream::from)
                .collect(),
        });
        // The reconnection time goes with an event that has data: alone it would be an empty event to some
        // clients.
        let event = state.into_event();
        feed.publish(event.map(|event| event.with_reconnection_time(RECONNECTION_TIME)));
        sleep(Duration::from_secs(1)).await;
    }
}

/// Returns the time in seconds, with one decimal.
pub(super) fn rounded(time: Duration) -> f64 {
    (time.as_secs_f64() * 10.0).round() / 10.0
}
