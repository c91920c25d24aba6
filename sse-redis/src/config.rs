//! The address of Redis, and the bounds of the connections to it.

use std::{fmt, time::Duration};

/// The address of Redis, and the bounds of the connections to it.
///
/// ```
/// use sse_redis::RedisConfig;
///
/// let mut config = RedisConfig::default();
/// config.host = "10.0.0.7".into();
/// config.password = Some("secret".into());
/// assert!(!format!("{config:?}").contains("secret"));
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub struct RedisConfig {
    /// The host: a name, or an IP address. `127.0.0.1` by default.
    pub host: String,
    /// The port. 6379 by default.
    pub port: u16,
    /// The user of the ACL. `default` by default. It is used only with a password.
    pub user: String,
    /// The password. None by default.
    pub password: Option<String>,
    /// The Sentinels that are asked for the server at every connection attempt. `None` by default: the
    /// server is then at [`host`](Self::host) and [`port`](Self::port), which are ignored otherwise.
    pub sentinel: Option<SentinelConfig>,
    /// TLS to the server, and to the Sentinels if there are some. `None` by default.
    #[cfg(feature = "tls")]
    pub tls: Option<RedisTls>,
    /// The number of replicas that have to acknowledge an event before its publish succeeds (`WAIT`). 0
    /// by default: a publish then succeeds once the server itself has the event.
    ///
    /// Such publishes have a connection of their own, so that nothing else waits for replicas. They are
    /// sent together, and wait together.
    pub replicas: usize,
    /// The time that a publish waits for replicas. After it the publish is repeated until
    /// [`publish_timeout`](Self::publish_timeout), and then fails with
    /// [`TooFewReplicas`](crate::RedisError::TooFewReplicas) as
    /// [`Unknown`](sse_driver::event_log::AppendError::Unknown): the server has the event, and a failover
    /// may lose it. 1 s by default.
    pub replicas_timeout: Duration,
    /// The prefix of every key and channel. `sse` by default.
    pub prefix: String,
    /// About how many events a topic's stream keeps (`MAXLEN ~`). 10,000 by default.
    pub max_events: u64,
    /// The largest encoded event that its bell carries, in bytes. 64 KiB by default. Larger ones are read
    /// from the stream.
    pub max_bell_bytes: usize,
    /// The longest time of a connection attempt, including the first commands. 5 s by default.
    pub dial_timeout: Duration,
    /// The longest wait for an answer. 5 s by default. After that the connection is closed, because
    /// answers come in order: the outcome of every waiting request is then unknown.
    pub answer_timeout: Duration,
    /// The time for which a publish is repeated. 10 s by default.
    pub publish_timeout: Duration,
    /// The idle time after which the server is sent a `PING`. 10 s by default.
    pub ping_after: Duration,
    /// The wait between a loss and the next connection attempt. 100 ms by default; it doubles with each
    /// failure, up to 5 s. Less than 10 ms counts as 10 ms, and more than 5 s as 5 s.
    pub redial: Duration,
    /// The largest number of requests that wait for their answers on a connection. 10,000 by default.
    /// Beyond it, reads fail at once and publishes are repeated until
    /// [`publish_timeout`](Self::publish_timeout).
    pub max_requests: usize,
    /// The largest size of such requests in all, in bytes. 64 MiB by default. A larger one has to wait
    /// alone.
    pub max_request_bytes: usize,
    /// The largest answer in bytes. 64 MiB by default. A larger one ends the connection.
    pub max_answer_bytes: usize,
}

impl Default for RedisConfig {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".into(),
            port: 6379,
            user: "default".into(),
            password: None,
            sentinel: None,
            #[cfg(feature = "tls")]
            tls: None,
            replicas: 0,
            replicas_timeout: Duration::from_secs(1),
            prefix: "sse".into(),
            max_events: 10_000,
            max_bell_bytes: 64 * 1024,
            dial_timeout: Duration::from_secs(5),
            answer_timeout: Duration::from_secs(5),
            publish_timeout: Duration::from_secs(10),
            ping_after: Duration::from_secs(10),
            redial: Duration::from_millis(100),
            max_requests: 10_000,
            max_request_bytes: 64 * 1024 * 1024,
            max_answer_bytes: 64 * 1024 * 1024,
        }
    }
}

/// Does not show the password.
impl fmt::Debug for RedisConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut f = f.debug_struct("RedisConfig");
        f.field("host", &self.host)
            .field("port", &self.port)
            .field("user", &self.user)
            .field("has_password", &self.password.is_some())
            .field("sentinel", &self.sentinel);
        #[cfg(feature = "tls")]
        f.field("has_tls", &self.tls.is_some());
        f.field("replicas", &self.replicas)
            .field("replicas_timeout", &self.replicas_timeout)
            .field("prefix", &self.prefix)
            .field("max_events", &self.max_events)
            .field("max_bell_bytes", &self.max_bell_bytes)
            .field("dial_timeout", &self.dial_timeout)
            .field("answer_timeout", &self.answer_timeout)
            .field("publish_timeout", &self.publish_timeout)
            .field("ping_after", &self.ping_after)
            .field("redial", &self.redial)
            .field("max_requests", &self.max_requests)
            .field("max_request_bytes", &self.max_request_bytes)
            .field("max_answer_bytes", &self.max_answer_bytes)
            .finish()
    }
}

/// The Sentinels of a server and its replicas.
///
/// They are asked at every connection attempt, one after the other; the first that knows the master is
/// trusted. The log connects to the address that it names, which the program has to be able to reach
/// (`replica-announce-ip`, `sentinel announce-ip`).
///
/// ```
/// use sse_redis::{RedisConfig, SentinelConfig};
///
/// let mut sentinel = SentinelConfig::default();
/// sentinel.addresses = ["a", "b", "c"].map(|host| (host.to_owned(), 26379)).into();
/// sentinel.master = "events".into();
/// let mut config = RedisConfig::default();
/// config.sentinel = Some(sentinel);
/// ```
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SentinelConfig {
    /// The host and the port of each Sentinel. Empty by default.
    pub addresses: Vec<(String, u16)>,
    /// The Sentinels' name of the master. `mymaster` by default.
    pub master: String,
    /// The user at the Sentinels. `default` by default. It is used only with a password.
    pub user: String,
    /// The password for the Sentinels, which is not that of the server. `None` by default.
    pub password: Option<String>,
    /// The longest time for each Sentinel, connecting included, before the next one is asked. 1 s by
    /// default. All together have [`dial_timeout`](RedisConfig::dial_timeout).
    pub timeout: Duration,
}

impl Default for SentinelConfig {
    fn default() -> Self {
        Self {
            addresses: Vec::new(),
            master: "mymaster".into(),
            user: "default".into(),
            password: None,
            timeout: Duration::from_secs(1),
        }
    }
}

/// Does not show the password.
impl fmt::Debug for SentinelConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SentinelConfig")
            .field("addresses", &self.addresses)
            .field("master", &self.master)
            .field("user", &self.user)
            .field("has_password", &self.password.is_some())
            .field("timeout", &self.timeout)
            .finish()
    }
}

/// TLS to Redis. The default trusts the roots that the runtime trusts, such as the platform's with the
/// feature `tls` of an adapter.
///
/// ```
/// use std::sync::Arc;
/// use sse_driver::tls::rustls::ClientConfig;
/// use sse_redis::{RedisConfig, RedisTls};
///
/// // An adapter's `tls::client_config` creates one, such as with an authority of your own.
/// fn over_tls(client: Arc<ClientConfig>) -> RedisConfig {
///     let mut tls = RedisTls::default();
///     tls.config = Some(client);
///     let mut config = RedisConfig::default();
///     config.tls = Some(tls);
///     config
/// }
/// ```
#[cfg(feature = "tls")]
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct RedisTls {
    /// The configuration, with the trusted roots and the certificate for a server that asks for one
    /// (`tls-auth-clients`). The runtime's own by default.
    pub config: Option<std::sync::Arc<sse_driver::tls::rustls::ClientConfig>>,
    /// The name in the server's certificate. The host of the connection by default.
    pub server_name: Option<String>,
}
