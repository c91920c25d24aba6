//! The event source through tinyproxy. `.ci/test` runs this; it needs `tinyproxy` on the path.

use std::{
    env, fs,
    net::TcpStream,
    process::{self, Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream};
use sse_suite::port::Port;
use sse_tokio::{EventSource, Proxy, Router, Server, client::ClientEvent};

/// How long it may take to listen.
const PATIENCE: Duration = Duration::from_secs(300);

/// A running tinyproxy, which ends with this.
struct TinyProxy {
    process: Child,
    config: std::path::PathBuf,
    port: Port,
}

impl TinyProxy {
    /// Starts it, and waits until it listens. It makes tunnels only to `tunnel`.
    fn start(tunnel: u16) -> Self {
        let port = Port::reserve();
        let config = env::temp_dir().join(format!("sse-tinyproxy-{}.conf", process::id()));
        let text = format!(
            "Port {}\nListen 127.0.0.1\nTimeout 60\nMaxClients 10\nBasicAuth user pass\n\
             ConnectPort {tunnel}\nLogLevel Error\n",
            port.number()
        );
        fs::write(&config, text).unwrap();
        let process = Command::new("tinyproxy")
            .args(["-d", "-c"])
            .arg(&config)
            .stdout(Stdio::null())
            .spawn()
            .expect("tinyproxy on the path");
        let proxy = Self {
            process,
            config,
            port,
        };
        let started = Instant::now();
        while TcpStream::connect(proxy.port.address()).is_err() {
            assert!(started.elapsed() < PATIENCE, "it does not listen");
            thread::sleep(Duration::from_millis(20));
        }
        proxy
    }

    fn url(&self, credentials: &str) -> String {
        format!("http://{credentials}@{}", self.port.address())
    }
}

impl Drop for TinyProxy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_file(&self.config);
    }
}

/// Returns what happens up to the first event, the first loss or the end.
async fn first(mut source: EventSource) -> String {
    while let Some(update) = source.next_update().await {
        match update {
            ClientEvent::Event(event) => return event.data().to_owned(),
            ClientEvent::Lost { loss, .. } => return loss.to_string(),
            ClientEvent::Closed(Err(failure)) => return failure.to_string(),
            _ => {}
        }
    }
    "over".into()
}

#[tokio::test]
#[ignore = "needs tinyproxy"]
async fn events_get_through_tinyproxy() {
    let router = Router::new().events("/", |_| stream::iter(["hello"]).chain(stream::pending()));
    let server = Server::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", server.local_addr().unwrap());
    tokio::spawn(server.serve(router));

    // Nothing listens on the port that tunnels may lead to.
    let allowed = Port::reserve();
    let proxy = TinyProxy::start(allowed.number());
    let through = |credentials: &str, url: &str| {
        let proxy = Proxy::new(&proxy.url(credentials)).unwrap();
        first(EventSource::new(url).unwrap().with_connector(proxy))
    };
    assert_eq!(through("user:pass", &url).await, "hello");
    let refused = through("user:wrong", &url).await;
    assert!(
        refused.contains("407") || refused.contains("401"),
        "{refused}"
    );

    let forbidden = through("user:pass", "https://127.0.0.1:1/").await;
    assert!(
        forbidden.contains("403 Forbidden to CONNECT"),
        "{forbidden}"
    );
    let unreachable = through("user:pass", &format!("https://{}/", allowed.address())).await;
    assert!(unreachable.contains("to CONNECT"), "{unreachable}");
}
