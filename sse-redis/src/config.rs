//! Where Redis is, and the bounds of the connections to it.

use std::{fmt, time::Duration};

/// Where Redis is, and the bounds of the connections to it.
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
    /// The user of the ACL. `default` by default; it counts where there is a password.
    pub user: String,
    /// The password. None by default.
    pub password: Option<String>,
    /// The Sentinels that are asked for the server at every dial. None by default: then it is at
    /// [`host`](Self::host) and [`port`](Self::port), which do not count otherwise.
    pub sentinel: Option<SentinelConfig>,
    /// TLS to the server, and to Sentinels where there are some. None by default.
    #[cfg(feature = "tls")]
    pub tls: Option<RedisTls>,
    /// How many replicas have to acknowledge an event before its publish succeeds (`WAIT`). 0 by default:
    /// then it succeeds once the server itself has the event.
    ///
    /// Such publishes have a connection of their own, so that nothing else waits for replicas. They go out
    /// together, and wait together.
    pub replicas: usize,
    /// How long replicas are waited for, before a publish is tried again until
    /// [`publish_timeout`](Self::publish_timeout), and then fails with
    /// [`TooFewReplicas`](crate::RedisError::TooFewReplicas) as
    /// [`Unknown`](sse_driver::event_log::AppendError::Unknown): the server has the event, and a failover may
    /// lose it. 1 s by default.
    pub replicas_timeout: Duration,
    /// What every key and channel begins with. `sse` by default.
    pub prefix: String,
    /// About how many events a topic's stream keeps (`MAXLEN ~`). 10,000 by default.
    pub max_events: u64,
    /// The largest event, encoded, that its bell carries. 64 KiB by default. Larger ones are read.
    pub max_bell_bytes: usize,
    /// How long a dial and the opening of a connection take at most. 5 s by default.
    pub dial_timeout: Duration,
    /// How long an answer is waited for. 5 s by default. Then the connection is given up, since answers
    /// come in order: whatever waits on it is told that the outcome is unknown.
    pub answer_timeout: Duration,
    /// How long a publish is tried. 10 s by default.
    pub publish_timeout: Duration,
    /// After how much silence the server is asked whether it is there (`PING`). 10 s by default.
    pub ping_after: Duration,
    /// How long after a loss a connection is dialed again. 100 ms by default; it doubles with each
    /// failure, up to 5 s.
    pub redial: Duration,
    /// How many requests wait for their answers on a connection. 10,000 by default. Beyond it, reads fail at
    /// once and publishes are tried again until [`publish_timeout`](Self::publish_timeout).
    pub max_requests: usize,
    /// How many bytes such requests have in all. 64 MiB by default. A larger one has to wait alone.
    pub max_request_bytes: usize,
    /// How large an answer is at most. 64 MiB by default. A larger one ends the connection.
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

/// Without the password.
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
/// They are asked at every dial, one after the other, and the first that knows the master is believed. The
/// log connects to the address that they name, so that it has to be one that the program reaches
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
    /// The host and the port of each. None by default.
    pub addresses: Vec<(String, u16)>,
    /// What they call the master. `mymaster` by default.
    pub master: String,
    /// The user at the Sentinels. `default` by default; it counts where there is a password.
    pub user: String,
    /// The password for the Sentinels, which is not the server's. None by default.
    pub password: Option<String>,
    /// How long each is asked, connecting included, before the next one is. 1 s by default. All together have
    /// [`dial_timeout`](RedisConfig::dial_timeout).
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

/// Without the password.
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

/// TLS to Redis. The default trusts what the runtime trusts, such as the platform's roots with the feature
/// `tls` of an adapter.
///
/// ```
/// use std::sync::Arc;
/// use sse_driver::tls::rustls::ClientConfig;
/// use sse_redis::{RedisConfig, RedisTls};
///
/// // An adapter's `tls::client_config` makes one, with an authority of one's own for example.
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
    /// The configuration: whom the log trusts, and the certificate that it shows where the server asks for
    /// one (`tls-auth-clients`). What the runtime brings by default.
    pub config: Option<std::sync::Arc<sse_driver::tls::rustls::ClientConfig>>,
    /// The name that the server's certificate is for. The host that is dialed by default.
    pub server_name: Option<String>,
}
