//! axum: its own `Sse`, and a replay by hand, as programs write it: the last events in a list, and
//! a channel for new ones, both under one lock, so that nothing is missing between them.

use std::{
    collections::VecDeque,
    convert::Infallible,
    future::IntoFuture,
    net::TcpStream,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    Router,
    extract::State,
    http::HeaderMap,
    response::sse::{Event, Sse},
    routing::get,
    serve::ListenerExt,
};
use futures_util::{Stream, StreamExt, stream};
use tokio::{
    net::TcpListener,
    sync::{broadcast, watch},
};
use tokio_stream::wrappers::BroadcastStream;

use crate::{
    Result,
    process::Orders,
    server::{obey, tokio_runtime},
    tls,
    tls_listener::TlsListener,
};

/// The number of events that are kept, and that the channel holds.
const HISTORY: usize = 2_000;
const CAPACITY: usize = 1_024;

#[derive(Clone)]
struct Events {
    shared: Arc<Mutex<Shared>>,
    stopped: watch::Receiver<bool>,
}

struct Shared {
    history: VecDeque<(u64, Event)>,
    live: broadcast::Sender<Event>,
}

pub(crate) fn serve(orders: Orders, control: TcpStream) -> Result<()> {
    tokio_runtime()?.block_on(async {
        let listener = TcpListener::bind(orders.own_address()?).await?;
        let (live, _) = broadcast::channel(CAPACITY);
        let shared = Arc::new(Mutex::new(Shared {
            history: VecDeque::new(),
            live,
        }));
        let publisher = shared.clone();
        orders.clock.publish(move |number| {
            let event = Event::default().id(number.to_string());
            let event = event.data(number.to_string());
            let mut shared = publisher.lock().unwrap_or_else(PoisonError::into_inner);
            // This fails when there is no receiver.
            let _ = shared.live.send(event.clone());
            shared.history.push_back((number, event));
            if shared.history.len() > HISTORY {
                shared.history.pop_front();
            }
        });
        let (stop, stopped) = watch::channel(false);
        obey(control, move || {
            let _ = stop.send(true);
        })?;
        let end = wait_for(stopped.clone());
        let app = Router::new()
            .route("/", get(events))
            .with_state(Events { shared, stopped });
        match tls::server_config(orders.handshakes)? {
            None => {
                let listener = listener.tap_io(|socket| {
                    let _ = socket.set_nodelay(true);
                });
                let served = axum::serve(listener, app).with_graceful_shutdown(end);
                served.into_future().await?;
            }
            Some(config) => {
                let listener = TlsListener::new(listener, config)?;
                let served = axum::serve(listener, app).with_graceful_shutdown(end);
                served.into_future().await?;
            }
        }
        Ok(())
    })
}

async fn wait_for(mut stopped: watch::Receiver<bool>) {
    // This fails when the sender was dropped.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

/// Yields the events that the client does not have, and then new ones, until the server is stopped.
async fn events(
    State(events): State<Events>,
    headers: HeaderMap,
) -> Sse<impl Stream<Item = std::result::Result<Event, Infallible>>> {
    let last = headers.get("last-event-id");
    let last = last.and_then(|it| it.to_str().ok()?.parse::<u64>().ok());
    let shared = events.shared.lock().unwrap_or_else(PoisonError::into_inner);
    let missed: Vec<Event> = match last {
        None => Vec::new(),
        Some(last) => {
            let missed = shared.history.iter().filter(|(number, _)| *number > last);
            missed.map(|(_, event)| event.clone()).collect()
        }
    };
    let live = BroadcastStream::new(shared.live.subscribe());
    drop(shared);
    // A client that is too slow for the channel has to reconnect.
    let live = live.take_while(|event| std::future::ready(event.is_ok()));
    let live = live.filter_map(|event| std::future::ready(event.ok()));
    let all = stream::iter(missed).chain(live).map(Ok);
    Sse::new(all.take_until(Box::pin(wait_for(events.stopped))))
}
