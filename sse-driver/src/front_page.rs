//! The part of the adapters' front pages that is the same for each of them.

/// The sections of an adapter's front page, from its handlers to its features.
///
/// `name` is the crate, and `runtime` its runtime type. `embedding` and `features` are added to the
/// sections of these names, for what one adapter has alone.
#[doc(hidden)]
#[macro_export]
macro_rules! front_page {
    (
        name: $name:literal,runtime: $runtime:literal,embedding: $embedding:literal,features: $features:literal $(,)?
    ) => {
        concat!(
            "
# Handlers

A handler is a function of a [`Request`] that returns a stream, a future of one, or a `Result` whose error
is a [`Refusal`]. The items of the stream implement [`IntoEvent`]: a string is sent unchanged; numbers,
lists, maps and [`Json(T)`](Json) are sent as JSON; an [`Event`] is sent with its ID, event type and
reconnection time.

The connection stays open until the stream ends. The server then delivers the queued events, ends the
response and closes. When the client goes away first, the stream is dropped at once, even if it is idle. In
both cases every callback that the handler added to [`request.clean_up()`](Request::clean_up) runs exactly
once, with the [`CloseReason`].

# Annotated handlers

With the feature `macros`, which is on by default, a handler takes its arguments from the request by their
names and types, and a struct groups handlers under a prefix:

```
use futures_util::{Stream, stream};
use ", $name, "::{CleanUp, LastEventId, Router, controller};

struct News {
    greeting: String,
}

#[controller(\"news\")]
impl News {
    #[sse(\"{room}\")]
    fn follow(
        &self,
        #[path] room: String,
        #[query] limit: Option<usize>, // an invalid number gets a 400
        last: LastEventId,
        clean_up: CleanUp,
    ) -> impl Stream<Item = String> {
        clean_up.add(|reason| println!(\"over: {reason}\"));
        let first = format!(\"{} in {room}, after {:?}\", self.greeting, last.0);
        stream::iter([first]).chain(stream::iter((0..limit.unwrap_or(3)).map(|n| n.to_string())))
    }
}
# use futures_util::StreamExt;
let router = Router::new().controller(News { greeting: \"hello\".into() });
```

[`controller`] lists all arguments and return values. A function with [`sse`] is a handler without a struct.

# A client

[`EventSource`] behaves as a browser's: it reconnects after a loss, after a wait and with the last event ID,
until its stream is over or it is dropped. [`EventSourceConfig`] has its settings. [`Connector`] and
[`EventSource::prepare`](driver::EventSource::prepare) change how it connects and what it sends.

```no_run
use std::time::Duration;
use ", $name, "::{EventSource, EventSourceConfig};

# async fn read() -> Result<(), Box<dyn std::error::Error>> {
let mut config = EventSourceConfig::default();
config.idle_timeout = Some(Duration::from_secs(40)); // a server that is silent for longer is a loss
let mut source = EventSource::with_config(\"http://127.0.0.1:8080/events\", config)?;
while let Some(event) = source.next().await {
    println!(\"{}\", event?.data());
}
# Ok(())
# }
```

# One stream for many clients

A [`Topic`] keeps its newest events in memory, encodes each event once for all clients, and resumes a client
after the last event that it received:

```
use ", $name, "::{Request, Router, Topic, TopicConfig, ", $runtime, "};

let topic = Topic::on(", $runtime, ", TopicConfig::default());
topic.publish(\"hello\")?; // on any thread, at any time
let router = Router::new().events(\"/news\", move |request: Request| topic.resume(&request));
# Ok::<(), ", $name, "::topic::PublishError>(())
```

[`TopicMap`] has topics by name, such as those of rooms, and [`MergedSubscriber`] several topics in one
stream. The module [`topic`] says what clients get after a gap or a restart.

# Streams that outlive their connection

[`ResumableStreams`] run a producer, such as a language model's answer, in a task of its own. Clients
attach, leave and come back, and miss nothing:

```
use futures_util::stream;
use ", $name, "::{
    Attachment, Request, ResumableConfig, ResumableStreams, Router, StartError, ", $runtime, ",
};

fn answer(streams: &ResumableStreams, request: &Request) -> Result<Attachment, StartError> {
    streams.attach_or_start(\"an-id\", request, |_| stream::iter([\"Once\", \" upon\", \" a time\"]))
}

let streams = ResumableStreams::on(", $runtime, ", ResumableConfig::default());
let router = Router::new().events(\"/answer\", move |request: Request| answer(&streams, &request));
```

# In another server

With the feature `http-body` the same handlers respond in hyper and in any other server that accepts an
`http_body::Body`, over HTTP/1.1 and HTTP/2: see [`Embedding`].", $embedding, "

# Tests without a socket

With the feature `test-client`, [`test_client`] calls a router in virtual time: a test of an hour takes no
time, and has the same result in each run.

```
use std::time::Instant;
use ", $name, "::{Router, test_client::{TestClient, TestClock}};

let clock = TestClock::new(Instant::now());
let client = TestClient::new(Router::new().events(\"/\", |_| \"hello\"), &clock)?;
clock.run(async {
    let mut response = client.get(\"/\").await?;
    assert_eq!(response.next_event().await.unwrap().data(), \"hello\");
    Ok::<_, Box<dyn std::error::Error>>(())
})??;
# Ok::<(), Box<dyn std::error::Error>>(())
```

# Many nodes

With the feature `event-log`, the topics of several processes follow one log: an event that one node
publishes reaches the clients of all nodes, and a client that reconnects to another node resumes there. The
crate `sse-redis` is such a log on Redis Streams. See [`event_log`].

# Shutdown

[`Server::handle`](driver::Server::handle) returns a [`ServerHandle`], which shuts the server down
gracefully: streams end by themselves, or at a deadline, and clients resume elsewhere.
[`Server::serve`](driver::Server::serve) says how.

# Features

Items that need a feature say so.

| feature | what it adds |
|---|---|
| `macros` (default) | [`controller`], [`sse`], `#[derive(IntoEvent, FromEvent)]` |
| `tls` | `https` for servers and event sources: [`tls`], [`Server::with_tls`](driver::Server::with_tls), [`EventSource::with_tls`](driver::EventSource::with_tls) |
| `http-body` | [`Embedding`]; the event source over another HTTP client: [`HttpClient`], [`with_http_client`](driver::EventSource::with_http_client) |
", $features, "| `proxy` | HTTP proxies for the event source, set in code or by the environment: [`Proxy`] |
| `compression` | gzip: a topic's events compressed once for all clients ([`TopicConfig::compress`]), a handler's own stream ([`Reply::with_compression`]), the event source ([`EventSourceConfig::accept_gzip`]) |
| `event-log` | topics that follow an external log: [`event_log`] |
| `test-client` | [`test_client`] |
| `tracing` | spans and events of servers and event sources, for `tracing` |

Without any of them there are the server, routers, topics, resumable streams and the event source.

Where a feature is off, the compiler names it for a type, a module or a macro that is missing (\"the item is gated
behind the `tls` feature\"). For a method, a field or a derive it says only that there is none of this name: the
table above and the badges of the documentation name the feature of each.

# The guide

The folder `docs` of the repository has short pages, each about one subject, whose code is compiled:

| subject | page |
|---|---|
| a chat; the progress of a long job; a language model's answer | `chat.md`, `progress.md`, `language-model.md` |
| a stream written as a loop with `yield` | `yield.md` |
| topics combined with other streams, and on many nodes; a restart that loses nothing | `topics.md`, `many-nodes.md`, `restart.md` |
| the page's side of a stream | `page.md` |
| a program's side of a stream | `following.md`, `http-client.md`, `clients.md` |
| the Model Context Protocol | `mcp.md` |
| axum, hyper, and other servers | `axum.md`, `hyper.md`, `custom-server.md` |
| proxies, compression, systemd | `proxies.md`, `compression.md`, `systemd.md` |
| tests | `testing.md` |
| moving here from other crates | `moving.md` |
| when not to use this | `when-not.md` |
"
        )
    };
}
