//! nginx and haproxy as Debian has them, with the settings of `docs/proxies.md`, in front of a server.
//!
//! `.ci/test` runs this; it needs both programs.

use std::{
    future::Future,
    time::{Duration, Instant},
};

use sse_soak::programs::{Proxy, Running};
use sse_suite::port::Port;
use sse_tokio::{
    ClientEvent, CloseReason, EventSource, KeepAlive, Reply, Request, Router, Server, ServerConfig,
    ServerHandle, Tokio, Topic, TopicConfig,
};
use tokio::{sync::mpsc, task::JoinHandle};

/// How long anything may take before a test gives up: so long that a machine that is busy with other work
/// gets it done. No time is asserted.
const PATIENCE: Duration = Duration::from_secs(300);

/// After how long the proxies cut an idle stream: less than a server's default between two comments.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The time between two comments of the server here.
const KEEP_ALIVE: Duration = Duration::from_millis(250);

async fn patiently<T>(what: &str, future: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(PATIENCE, future).await;
    done.unwrap_or_else(|_| panic!("waited too long for {what}"))
}

/// A server behind a proxy, whose topic is there while it restarts.
struct Setting {
    topic: Topic,
    port: Port,
    proxy: Running,
    clean_ups: mpsc::UnboundedReceiver<CloseReason>,
    tell: mpsc::UnboundedSender<CloseReason>,
    serving: Option<(ServerHandle, JoinHandle<()>)>,
}

impl Setting {
    async fn behind(proxy: Proxy) -> Self {
        let port = Port::reserve();
        let address = port.address();
        let (tell, clean_ups) = mpsc::unbounded_channel();
        let starting = tokio::task::spawn_blocking(move || proxy.start(address, TIMEOUT));
        let mut setting = Self {
            topic: Topic::on(Tokio, TopicConfig::default()),
            port,
            proxy: starting.await.unwrap().unwrap(),
            clean_ups,
            tell,
            serving: None,
        };
        setting.start().await;
        setting
    }

    async fn start(&mut self) {
        let (topic, tell) = (self.topic.clone(), self.tell.clone());
        let events = move |request: &Request| {
            let tell = tell.clone();
            request.clean_up().add(move |reason| {
                let _ = tell.send(reason.clone());
            });
            Reply::from(topic.resume(request))
        };
        let silent = events.clone();
        let router = Router::new()
            .events("/events", move |request: Request| events(&request))
            .events("/silent", move |request: Request| {
                silent(&request).with_keep_alive(KeepAlive::never())
            });
        let mut config = ServerConfig::default();
        config.connection.response.keep_alive = Some(KEEP_ALIVE);
        let server = Server::bind(self.port.address().to_string()).await.unwrap();
        let server = server.with_config(config);
        let handle = server.handle();
        let serving = tokio::spawn(async move {
            server.serve(router).await.unwrap();
        });
        self.serving = Some((handle, serving));
    }

    async fn stop(&mut self) {
        let (handle, serving) = self.serving.take().unwrap();
        handle.shut_down();
        patiently("the server's end", serving).await.unwrap();
    }

    /// A client with the settings of a browser, whose stream is open.
    async fn client(&self, path: &str) -> EventSource {
        let url = format!("http://{}{path}", self.proxy.address);
        let mut client = EventSource::new(url).unwrap();
        patiently("the stream", client.opened()).await.unwrap();
        client
    }

    /// Publishes these one by one, each when the client has the one before.
    async fn pass(&self, client: &mut EventSource, numbers: std::ops::Range<u32>) {
        for number in numbers {
            self.topic.publish(number.to_string()).unwrap();
            expect(client, number).await;
        }
    }
}

async fn expect(client: &mut EventSource, number: u32) {
    let event = patiently("an event", client.next()).await;
    assert_eq!(event.unwrap().unwrap().data(), number.to_string());
}

/// Reads updates of the client until one is wanted.
async fn until(client: &mut EventSource, what: &str, wanted: impl Fn(&ClientEvent) -> bool) {
    patiently(what, async {
        loop {
            let update = client.next_update().await.unwrap();
            if wanted(&update) {
                break;
            }
            assert!(!matches!(update, ClientEvent::Closed(_)), "{update:?}");
        }
    })
    .await;
}

async fn each_event_passes_at_once_and_the_clients_leaving_is_heard(proxy: Proxy) {
    let mut setting = Setting::behind(proxy).await;
    let mut client = setting.client("/events").await;
    setting.pass(&mut client, 0..50).await;
    // The stream is idle when the client leaves.
    drop(client);
    let reason = patiently("the clean-up", setting.clean_ups.recv()).await;
    assert_eq!(reason, Some(CloseReason::ClientWentAway));
}

/// Reads as many comments as there are in twice the proxy's time-out. Returns false if the stream is lost
/// after a silence of that time, in which no comment came.
async fn stays_by_its_comments(client: &mut EventSource) -> bool {
    let (mut comments, mut last) = (0, None::<Instant>);
    while comments < 2 * TIMEOUT.as_millis() / KEEP_ALIVE.as_millis() {
        let update = patiently("a comment", client.next_update()).await.unwrap();
        let silence = last.map(|last| last.elapsed());
        match update {
            ClientEvent::Comment(_) => {
                comments += 1;
                last = Some(Instant::now());
            }
            ClientEvent::Lost { .. } if silence.is_none_or(|silence| silence >= TIMEOUT / 2) => {
                return false;
            }
            ClientEvent::Lost { .. } | ClientEvent::Closed(_) => panic!("{update:?}"),
            _ => {}
        }
    }
    true
}

async fn an_idle_stream_stays_by_its_comments_and_is_cut_without_them(proxy: Proxy) {
    let setting = Setting::behind(proxy).await;
    let mut client = setting.client("/events").await;
    let mut silent = setting.client("/silent").await;
    let is_lost = |update: &ClientEvent| matches!(update, ClientEvent::Lost { .. });
    until(&mut silent, "the proxy's time-out", is_lost).await;
    // Where the machine holds the server up for as long as the proxy waits, the next stream may stay.
    let mut attempts = 0;
    while !stays_by_its_comments(&mut client).await {
        attempts += 1;
        assert!(attempts < 20, "the proxy cuts each stream");
    }
    setting.pass(&mut client, 0..3).await;
}

async fn a_client_with_a_browsers_settings_survives_a_restart_and_misses_nothing(proxy: Proxy) {
    let mut setting = Setting::behind(proxy).await;
    let mut client = setting.client("/events").await;
    setting.pass(&mut client, 0..3).await;
    setting.stop().await;
    // The proxy answers in place of the server, with a stream that ends.
    let is_opened = |update: &ClientEvent| matches!(update, ClientEvent::Open(_));
    until(&mut client, "the proxy's answer", is_opened).await;
    for number in 3..6 {
        setting.topic.publish(number.to_string()).unwrap();
    }
    setting.start().await;
    for number in 3..6 {
        expect(&mut client, number).await;
    }
    setting.pass(&mut client, 6..9).await;
}

macro_rules! behind {
    ($module:ident, $proxy:expr) => {
        mod $module {
            use super::*;

            behind!(@ $proxy, each_event_passes_at_once_and_the_clients_leaving_is_heard);
            behind!(@ $proxy, an_idle_stream_stays_by_its_comments_and_is_cut_without_them);
            behind!(@ $proxy, a_client_with_a_browsers_settings_survives_a_restart_and_misses_nothing);
        }
    };
    (@ $proxy:expr, $test:ident) => {
        #[tokio::test]
        #[ignore = "needs nginx and haproxy: run .ci/test"]
        async fn $test() {
            super::$test($proxy).await;
        }
    };
}

behind!(nginx, Proxy::Nginx);
behind!(haproxy, Proxy::Haproxy);
