//! The examples and promises of the documentation that this project started from, as `docs/reference.md`
//! lists them.

mod handlers;

use std::sync::mpsc;

use futures_util::future::{Either, select};
use sse_core::{
    client::EventSourceConfig,
    topic::{Topic, TopicConfig},
};
use sse_driver::router::Router;

use crate::{
    Adapter, EventSource, PATIENCE, patiently,
    running::{Running, start},
    yield_now,
};
use handlers::{Data, Errors, Greetings, Live, StatusUpdate};

/// The names of an adapter, as the handlers use them.
mod adapter {
    pub(super) use sse_driver::{controller, prelude::*};
}

struct Example {
    server: Running,
    updates: Topic,
    /// The reasons that clean-up gets.
    over: mpsc::Receiver<String>,
}

impl Example {
    fn start<A: Adapter>() -> Self {
        let (told, over) = mpsc::channel();
        let updates = Topic::on(A::Runtime::default(), TopicConfig::default());
        let status = StatusUpdate {
            status: "running",
            timestamp: 1,
        };
        let router = Router::new()
            .controller(Greetings {
                greeting: "Hello, world!".into(),
            })
            .controller(Data { status })
            .controller(Live {
                updates: updates.clone(),
                over: told.clone(),
            })
            .controller(Errors { over: told });
        let server = start::<A>(router);
        Self {
            server,
            updates,
            over,
        }
    }

    fn is_sent(&self, path: &str, events: &str) {
        let answer = self.server.get(path).answer();
        assert_eq!(answer.field("content-type"), Some("text/event-stream"));
        assert_eq!(answer.events(), (events.into(), true), "{path}");
    }

    fn is_over(&self, reasons: &[&str]) {
        for reason in reasons {
            assert_eq!(self.over.recv_timeout(PATIENCE).as_deref(), Ok(*reason));
        }
        self.server.empty();
        assert!(self.over.try_recv().is_err(), "clean-up runs once");
    }

    fn source<A: Adapter>(&self, path: &str) -> EventSource<A> {
        let mut config = EventSourceConfig::default();
        config.reconnection = None;
        let url = format!("http://{}{path}", self.server.address);
        EventSource::<A>::with_config(url, config).unwrap()
    }

    /// Waits until a subscriber has joined.
    async fn joined<A: Adapter>(&self) {
        patiently::<A, _>(async {
            while self.updates.stats().subscribers == 0 {
                yield_now().await;
            }
        })
        .await;
    }
}

pub fn an_annotated_handler_sends_its_two_events<A: Adapter>() {
    let example = Example::start::<A>();
    let two = "data: Hello, world!\n\ndata: Goodbye, world!\n\n";
    example.is_sent("/greetings/updates", two);
}

pub fn the_connection_closes_when_the_stream_ends<A: Adapter>() {
    let example = Example::start::<A>();
    let five: String = (0..5).map(|n| format!("data: update {n}\n\n")).collect();
    example.is_sent("/greetings/limited", &five);
    example.server.empty();
}

pub fn data_is_text_or_json<A: Adapter>() {
    const STATUS: &str = r#"{"status":"running","timestamp":1}"#;
    let example = Example::start::<A>();
    example.is_sent("/data/string", "data: two\ndata: lines\n\n");
    example.is_sent("/data/number", "data: 42\n\n");
    example.is_sent("/data/map", &format!("data: {{\"now\":{STATUS}}}\n\n"));
    example.is_sent("/data/list", &format!("data: [{STATUS}]\n\n"));
    example.is_sent("/data/object", &format!("data: {STATUS}\n\n"));
    example.is_sent("/data/once", &format!("data: {STATUS}\n\n"));
}

pub fn clean_up_runs_when_the_server_ends_the_stream<A: Adapter>() {
    let example = Example::start::<A>();
    A::block_on(async {
        let mut events = example.source::<A>("/live/updates");
        let first = select(Box::pin(events.next()), Box::pin(example.joined::<A>())).await;
        assert!(matches!(first, Either::Right(_)), "there is no event yet");
        drop(first);
        example.updates.publish("the last one").unwrap();
        example.updates.close();
        let last = patiently::<A, _>(events.next()).await.unwrap().unwrap();
        assert_eq!(last.data(), "the last one");
        assert!(patiently::<A, _>(events.next()).await.is_none());
    });
    example.is_over(&["first: the stream ended", "second: the stream ended"]);
}

pub fn clean_up_runs_when_the_client_leaves<A: Adapter>() {
    let example = Example::start::<A>();
    let mut client = example.server.get("/live/updates");
    client.read_until("text/event-stream");
    // Nothing is published: the stream is idle.
    drop(client);
    example.is_over(&[
        "first: the client went away",
        "second: the client went away",
    ]);
}

pub fn an_endless_stream_ends_with_its_client<A: Adapter>() {
    let example = Example::start::<A>();
    let mut client = example.server.get("/live/endless");
    client.read_until("data: 1000\n\n");
    drop(client);
    example.is_over(&["the client went away"]);
}

pub fn a_failing_source_is_told_cut_short_or_asked_again<A: Adapter>() {
    let example = Example::start::<A>();
    let told = "data: an update\n\ndata: Error: out of paper\n\n";
    example.is_sent("/errors/told", told);

    let answer = example.server.get("/errors/failed").answer();
    assert_eq!(answer.events(), ("data: an update\n\n".into(), false));
    example.is_over(&["the stream failed: out of paper"]);

    let mut client = example.server.get("/errors/asked-again");
    let text = client.read_until("data: another update\n\n");
    let first = text.find("data: an update\n\n");
    let told = text.find("data: There is nothing for a moment.\n\n");
    assert!(first.is_some() && first < told, "{text}");
}

pub fn a_client_hears_both_events_and_the_end<A: Adapter>() {
    let example = Example::start::<A>();
    A::block_on(async {
        let mut events = example.source::<A>("/greetings/updates");
        let mut heard = Vec::new();
        while let Some(event) = patiently::<A, _>(events.next()).await {
            heard.push(event.unwrap().data().to_owned());
        }
        assert_eq!(heard, ["Hello, world!", "Goodbye, world!"]);
    });
}

pub fn a_client_stops_by_break<A: Adapter>() {
    let example = Example::start::<A>();
    A::block_on(async {
        let mut events = example.source::<A>("/live/endless");
        while let Some(event) = patiently::<A, _>(events.next()).await {
            if event.unwrap().data() == "10" {
                break;
            }
        }
    });
    example.is_over(&["the client went away"]);
}

pub fn a_client_stops_by_cancelling<A: Adapter>() {
    let example = Example::start::<A>();
    A::block_on(async {
        let mut events = example.source::<A>("/live/updates");
        let cancel = events.handle();
        let next = Box::pin(events.next());
        let Either::Right((_, next)) = select(next, Box::pin(example.joined::<A>())).await else {
            panic!("there is no event yet")
        };
        cancel.close();
        assert!(patiently::<A, _>(next).await.is_none(), "it has stopped");
    });
    example.is_over(&[
        "first: the client went away",
        "second: the client went away",
    ]);
}
