//! The server's side: a process that publishes, and serves until it gets the order to stop.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    os::fd::AsFd,
    thread,
    time::Duration,
};

use sse_async_std::AsyncStd;
use sse_redis::{RedisConfig, RedisLog};
use sse_smol::Smol;
use sse_tokio::{
    Event, Request, Router, ServerConfig, ServerHandle, Tokio, Topic, TopicConfig,
    driver::{
        Runtime, Server,
        event_log::{FollowedTopic, FollowedTopics, FollowedTopicsConfig},
    },
};

use crate::{Result, process::Orders, tls};

/// The name of the topic that follows a log.
const TOPIC: &str = "storm";

/// The longest time that Redis may take to answer at first.
const PATIENCE: Duration = Duration::from_secs(10);

/// The servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The limit.
    Bare,
    /// axum's own `Sse`, with a replay by hand.
    #[cfg(feature = "peers")]
    Axum,
    Tokio,
    Smol,
    AsyncStd,
    /// On tokio, with a topic that follows a log on Redis.
    Redis,
}

impl Kind {
    pub(crate) const ALL: &[Self] = &[
        Self::Bare,
        #[cfg(feature = "peers")]
        Self::Axum,
        Self::Tokio,
        Self::Smol,
        Self::AsyncStd,
        Self::Redis,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            #[cfg(feature = "peers")]
            Self::Axum => "axum",
            Self::Tokio => "sse-tokio",
            Self::Smol => "sse-smol",
            Self::AsyncStd => "sse-async-std",
            Self::Redis => "sse-redis",
        }
    }

    pub(crate) fn named(name: &str) -> Result<Self> {
        let found = Self::ALL.iter().find(|kind| kind.name() == name);
        found
            .copied()
            .ok_or_else(|| format!("there is no server {name}").into())
    }
}

/// The settings by which a graceful shutdown spreads the clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spread {
    None,
    Retry,
    Ends,
    Both,
}

impl Spread {
    pub(crate) const ALL: [Self; 4] = [Self::None, Self::Retry, Self::Ends, Self::Both];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Retry => "retry",
            Self::Ends => "ends",
            Self::Both => "both",
        }
    }

    pub(crate) fn named(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|spread| spread.name() == name);
        found.ok_or_else(|| format!("there is no spread {name}").into())
    }

    fn config(self) -> ServerConfig {
        let mut config = ServerConfig::default();
        let windows = &mut config.shutdown_spread;
        if matches!(self, Self::None | Self::Retry) {
            windows.ends = Duration::ZERO;
        }
        if matches!(self, Self::None | Self::Ends) {
            windows.retry = Duration::ZERO;
        }
        config
    }
}

/// Serves with these arguments.
pub(crate) fn serve(how: &[String]) -> Result<()> {
    let [control, orders @ ..] = how else {
        return Err("this is for the program itself".into());
    };
    let orders = Orders::from_arguments(orders)?;
    let _ = rlimit::increase_nofile_limit(1 << 16);
    let control = TcpStream::connect(control)?;
    match orders.kind {
        Kind::Bare => crate::bare::serve(orders, control),
        #[cfg(feature = "peers")]
        Kind::Axum => crate::with_axum::serve(orders, control),
        Kind::Tokio => tokio_runtime()?.block_on(async {
            let server = match orders.address {
                None => Server::new(Tokio, given()?),
                Some(address) => Server::bind(address.to_string()).await?,
            };
            serve_topic(server, orders, control).await
        }),
        Kind::Redis => tokio_runtime()?.block_on(serve_log(orders, control)),
        Kind::Smol => smol::block_on(async {
            let server = Server::<Smol>::bind(orders.own_address()?).await?;
            smol::spawn(serve_topic(server, orders, control)).await
        }),
        Kind::AsyncStd => async_std::task::block_on(async {
            let server = Server::<AsyncStd>::bind(orders.own_address()?).await?;
            async_std::task::spawn(serve_topic(server, orders, control)).await
        }),
    }
}

impl Orders {
    pub(crate) fn own_address(&self) -> Result<String> {
        let address = self
            .address
            .ok_or("this server listens on an address alone")?;
        Ok(address.to_string())
    }
}

pub(crate) fn tokio_runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?)
}

/// Returns the socket that is this process's standard input.
fn given() -> Result<tokio::net::TcpListener> {
    let listener = TcpListener::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    listener.set_nonblocking(true)?;
    Ok(tokio::net::TcpListener::from_std(listener)?)
}

async fn serve_topic<R: Runtime + Default>(
    server: Server<R>,
    orders: Orders,
    control: TcpStream,
) -> Result<()> {
    let topic = Topic::on(R::default(), TopicConfig::default());
    let publisher = topic.clone();
    orders.clock.publish(move |number| {
        // This cannot fail: the event is small enough, and the ID is valid.
        let _ = publisher.publish(Event::new(number.to_string()).under_id(number));
    });
    let subscribe = move |request: Request| topic.resume(&request);
    run(
        server,
        orders,
        control,
        Router::new().events("/", subscribe),
    )
    .await
}

async fn serve_log(orders: Orders, control: TcpStream) -> Result<()> {
    let server = Server::<Tokio>::bind(orders.own_address()?).await?;
    let topic = topic_on_redis(orders.redis).await?;
    let subscribe = move |request: Request| topic.resume(&request);
    run(
        server,
        orders,
        control,
        Router::new().events("/", subscribe),
    )
    .await
}

/// Returns the topic of a log to which other processes write, too.
pub(crate) async fn topic_on_redis(port: u16) -> Result<FollowedTopic> {
    let mut config = RedisConfig::default();
    config.port = port;
    let log = RedisLog::on(Tokio, config);
    let topics = FollowedTopics::on(Tokio, log, FollowedTopicsConfig::default());
    let topic = topics.topic(TOPIC)?;
    topic.ready(PATIENCE).await?;
    Ok(topic)
}

async fn run<R: Runtime>(
    mut server: Server<R>,
    orders: Orders,
    control: TcpStream,
    router: Router,
) -> Result<()> {
    server = server.with_config(orders.spread.config());
    if let Some(config) = tls::server_config(orders.handshakes)? {
        server = server.with_tls(config);
    }
    let handle: ServerHandle = server.handle();
    obey(control, move || handle.shut_down())?;
    server.serve(router).await?;
    Ok(())
}

/// Reports that it listens, and stops when it gets the order to.
pub(crate) fn obey(mut control: TcpStream, stop: impl FnOnce() + Send + 'static) -> Result<()> {
    control.write_all(b"l")?;
    thread::spawn(move || {
        // The end of the control connection is such an order, too.
        let _ = control.read(&mut [0]);
        stop();
    });
    Ok(())
}
