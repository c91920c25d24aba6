//! A runtime that is shut down while connections are open, or is not there. Only tokio's can be: those of
//! the other adapters last as long as the process.

use std::{
    io::{Read, Write},
    net::TcpStream,
    sync::mpsc,
    thread,
    time::Duration,
};

use futures_util::{FutureExt, Stream, StreamExt, stream};
use sse_tokio::{
    CloseReason, Request, ResumableStreams, Router, Server, Tokio,
    core::topic::resumable::{ResumableConfig, StreamEnd},
    event_log::{MemoryLog, SharedStreams, SharedStreamsConfig},
};
use tokio::runtime;

#[test]
fn every_clean_up_runs_where_streams_are_idle() {
    every_clean_up_runs(|| stream::iter(["hello"]).chain(stream::pending()));
}

#[test]
fn every_clean_up_runs_where_streams_are_busy() {
    every_clean_up_runs(|| {
        stream::repeat(()).then(async |()| {
            tokio::task::yield_now().await;
            "hello"
        })
    });
}

fn every_clean_up_runs<S>(events: impl Fn() -> S + Send + Sync + 'static)
where
    S: Stream<Item = &'static str> + Send + 'static,
{
    let (log, told) = mpsc::channel();
    let router = Router::new().events("/", move |request: Request| {
        let log = log.clone();
        request
            .clean_up()
            .add(move |reason| log.send(reason.clone()).unwrap());
        events()
    });
    let servers = runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let address = servers.block_on(async {
        let server = Server::bind("127.0.0.1:0").await.unwrap();
        let address = server.local_addr().unwrap();
        tokio::spawn(server.serve(router));
        address
    });
    let open: Vec<_> = (0..10)
        .map(|_| {
            let mut client = TcpStream::connect(address).unwrap();
            client
                .write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                .unwrap();
            let mut text = Vec::new();
            while !text.windows(5).any(|window| window == b"hello") {
                let mut buffer = [0; 1024];
                let n = client.read(&mut buffer).unwrap();
                text.extend_from_slice(&buffer[..n]);
            }
            client
        })
        .collect();
    drop(servers);
    let reasons: Vec<_> = told.try_iter().collect();
    assert_eq!(reasons.len(), open.len(), "once each: {reasons:?}");
    // Either may be dropped first: the server, which cuts its connections, or their tasks.
    for reason in reasons {
        let expected = [CloseReason::TaskDropped, CloseReason::Shutdown];
        assert!(expected.contains(&reason), "{reason}");
    }
}

#[test]
fn a_stream_that_is_started_outside_of_a_runtime_is_over() {
    let streams = ResumableStreams::on(Tokio, ResumableConfig::default());
    let elsewhere = streams.clone();
    let starts = thread::spawn(move || {
        let started = elsewhere.start("job", |_| stream::pending::<&str>());
        started.is_ok()
    });
    assert!(starts.join().is_err(), "tokio spawns no task there");
    // Clients that ask for it do not wait for a producer that never runs.
    let stream = streams.get("job").unwrap();
    assert_eq!(stream.end(), Some(StreamEnd::Dropped));
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let next = streams.start("next", |_| stream::iter(["one"])).unwrap();
        assert_eq!(next.ended().await, StreamEnd::Complete);
    });
}

#[test]
fn a_stream_of_many_nodes_that_is_started_outside_of_a_runtime_can_be_started_later() {
    let mut config = SharedStreamsConfig::default();
    config.followed.client_wait = Duration::from_secs(5);
    let streams = SharedStreams::on(Tokio, MemoryLog::new(7), config);
    let elsewhere = streams.clone();
    let starts = thread::spawn(move || {
        let starts = elsewhere.start("job", |_| stream::iter(["one"]));
        starts.now_or_never().is_some()
    });
    assert!(starts.join().is_err(), "tokio spawns no task there");
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let started = streams.start("job", |_| stream::iter(["one"])).await;
        assert!(started.unwrap());
    });
}
