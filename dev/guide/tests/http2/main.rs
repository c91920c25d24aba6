//! HTTP/2 over TLS in Chromium: one page has many streams at once. Over HTTP/1.1 it could not,
//! because browsers open no more than six connections to a server.
//!
//! `.ci/test` runs this; it needs `chromium` and `chromedriver` on the path.

use std::sync::{Arc, Mutex};

use fantoccini::Client;
use futures_util::{StreamExt, stream};
use sse_tokio::{
    CloseReason, Embedding, Event, HeaderValue, Request, Response, Router, http::header,
};
use tokio::sync::watch;

use chromium::{Driver, until};

#[allow(unreachable_pub)] // a test has no interface
#[path = "../../../../sse-tokio/tests/chromium/mod.rs"]
mod chromium;
#[allow(unreachable_pub)]
#[path = "../secured/mod.rs"]
mod secured;

/// Twice as many as a page could have over HTTP/1.1.
const STREAMS: usize = 12;

const PAGE: &str = "<!doctype html><title>many streams</title><script>
const sources = [], seen = [], losses = [];
function open(n) {
    const source = new EventSource(`/streams/${n}`);
    seen[n] = [];
    losses[n] = 0;
    source.onmessage = ({ data, lastEventId }) => seen[n].push([data, lastEventId]);
    source.onerror = () => losses[n]++;
    sources[n] = source;
}
for (let n = 0; n < COUNT; n++) open(n);
</script>";

/// The name of each ended stream, with the reason.
type Log = Arc<Mutex<Vec<(String, CloseReason)>>>;

/// Each stream yields a greeting with the last event ID of its client, and is idle then, until
/// `ended` has its number.
fn router(log: &Log, ended: watch::Receiver<String>) -> Router {
    let log = log.clone();
    Router::new()
        .get("/", |_| {
            let mut page = Response::new(PAGE.replace("COUNT", &STREAMS.to_string()));
            let html = HeaderValue::from_static("text/html; charset=utf-8");
            page.headers_mut().insert(header::CONTENT_TYPE, html);
            page
        })
        .events("/streams/{n}", move |request: Request| {
            let n = request.path_param("n").unwrap_or_default().to_owned();
            let (log, stream) = (log.clone(), n.clone());
            request.clean_up().add(move |reason: &CloseReason| {
                log.lock().unwrap().push((stream, reason.clone()));
            });
            let after = request.last_event_id().unwrap_or("nothing");
            let hello = Event::new(format!("after {after}")).with_id(format!("id-{n}"));
            let mut ended = ended.clone();
            // A stream that is opened again is not ended again.
            ended.mark_unchanged();
            let end = async move { while ended.changed().await.is_ok() && *ended.borrow() != n {} };
            stream::iter([hello])
                .chain(stream::pending())
                .take_until(end)
        })
}

/// Waits until the script returns true.
async fn wait_for_script(page: &Client, what: &str, script: &str) {
    until(what, async || {
        let value = page.execute(script, Vec::new()).await.unwrap();
        value.as_bool().unwrap().then_some(())
    })
    .await;
}

fn reasons(log: &Log, n: usize) -> Vec<CloseReason> {
    let log = log.lock().unwrap();
    let of_this = log.iter().filter(|(stream, _)| *stream == n.to_string());
    of_this.map(|(_, reason)| reason.clone()).collect()
}

#[tokio::test]
#[ignore = "needs chromium and chromedriver: run .ci/test"]
async fn a_page_has_many_streams_at_once_and_each_is_cleaned_up() {
    let (log, embedding) = (Log::default(), Embedding::default());
    let (end, ended) = watch::channel(String::new());
    let protocols: [&[u8]; 2] = [b"h2", b"http/1.1"];
    let server = secured::serve(embedding.clone(), router(&log, ended), &protocols).await;
    let driver = Driver::start().await;
    let url = format!("https://localhost:{}/", server.address.port());
    let page = chromium::open(&driver, &url).await;

    // All of them are open at once, over HTTP/2.
    wait_for_script(
        &page,
        "an event on every stream",
        &format!("return seen.filter((events) => events.length === 1).length === {STREAMS}"),
    )
    .await;
    // The response with the page is over a moment later.
    until("these streams alone", async || {
        (embedding.open() == STREAMS).then_some(())
    })
    .await;
    let protocol = "return performance.getEntriesByType('navigation')[0].nextHopProtocol";
    assert_eq!(page.execute(protocol, Vec::new()).await.unwrap(), "h2");
    assert!(log.lock().unwrap().is_empty());

    // The page closes some idle streams: the clean-up of these runs, and of no other.
    let closed = [3, 7, 11];
    let script = "for (const n of arguments[0]) sources[n].close()";
    let argument = serde_json::to_value(closed).unwrap();
    page.execute(script, vec![argument]).await.unwrap();
    until("the clean-up of the closed ones", async || {
        (embedding.open() == STREAMS - closed.len()).then_some(())
    })
    .await;
    for n in 0..STREAMS {
        let expected = match closed.contains(&n) {
            true => vec![CloseReason::ClientWentAway],
            false => Vec::new(),
        };
        assert_eq!(reasons(&log, n), expected, "stream {n}");
    }

    // The server ends one stream: the browser opens it again, with the ID of the last event.
    end.send("5".to_owned()).unwrap();
    let resumed = "return seen[5].some(([data]) => data === 'after id-5')";
    wait_for_script(&page, "a stream that goes on", resumed).await;
    assert_eq!(reasons(&log, 5)[0], CloseReason::StreamEnded);
    let losses = "return losses.filter((count) => count > 0).length === 1";
    wait_for_script(&page, "the loss of that stream alone", losses).await;

    // The page is closed, and all its streams end.
    page.close().await.unwrap();
    until("the clean-up of the rest", async || {
        (embedding.open() == 0).then_some(())
    })
    .await;
    let log = log.lock().unwrap();
    let (ended, away): (Vec<_>, Vec<_>) = log
        .iter()
        .partition(|(_, reason)| *reason == CloseReason::StreamEnded);
    assert!(!ended.is_empty());
    assert_eq!(away.len(), STREAMS);
    assert!(
        away.iter()
            .all(|(_, reason)| *reason == CloseReason::ClientWentAway)
    );
}
