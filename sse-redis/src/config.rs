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
        f.debug_struct("RedisConfig")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("user", &self.user)
            .field("has_password", &self.password.is_some())
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
