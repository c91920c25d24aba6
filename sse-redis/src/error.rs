//! The errors of Redis.

use std::{error::Error, fmt, io, sync::Arc};

use redis::ServerError;
use sse_driver::event_log::LogError;

/// The error of a request to Redis.
///
/// It is the [source](std::error::Error::source) of each [`LogError`] of this crate:
///
/// ```
/// use sse_driver::event_log::LogError;
/// use sse_redis::RedisError;
/// use std::error::Error;
///
/// fn is_full(error: &LogError) -> bool {
///     let cause = error.source().and_then(|cause| cause.downcast_ref());
///     matches!(cause, Some(RedisError::OutOfMemory { .. }))
/// }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum RedisError {
    /// No connection could be made. The log connects again.
    #[non_exhaustive]
    Unreachable {
        /// The host and the port.
        server: String,
        /// The error of the system.
        cause: Arc<io::Error>,
    },
    /// The server did not answer within [`answer_timeout`](crate::RedisConfig::answer_timeout), or could
    /// not be connected to within [`dial_timeout`](crate::RedisConfig::dial_timeout). The log connects
    /// again.
    TimedOut,
    /// The connection was lost. The log connects again.
    Lost(Arc<io::Error>),
    /// The received bytes are not an answer, or one that is larger than
    /// [`max_answer_bytes`](crate::RedisConfig::max_answer_bytes). The log connects again.
    Protocol(String),
    /// The server refused the connection, or a command, because of the password, the user or its
    /// permissions (`WRONGPASS`, `NOAUTH`, `NOPERM`).
    Refused(String),
    /// The server is a replica, which takes no events. The log connects again, and asks Sentinel again if
    /// there is one.
    Replica(String),
    /// The server has no memory left for the event (`OOM`). Raise its `maxmemory`, or keep fewer events.
    OutOfMemory(String),
    /// The server is a node of a Redis Cluster of several nodes (`MOVED`, `ASK`, `CROSSSLOT`), which this
    /// crate does not follow.
    Cluster(String),
    /// Another error that the server returned, such as `LOADING`, `MISCONF`, `NOREPLICAS` or `WRONGTYPE`.
    Answer(String),
    /// The server has the event, but too few replicas acknowledged it within
    /// [`replicas_timeout`](crate::RedisConfig::replicas_timeout). Publishing the event again may double
    /// it.
    #[non_exhaustive]
    TooFewReplicas {
        /// The number of replicas that have to.
        wanted: usize,
        /// The number of replicas that did.
        acknowledged: usize,
    },
    /// No Sentinel named the master. The log asks again.
    #[non_exhaustive]
    NoMaster {
        /// The name of the master.
        master: String,
        /// The error of the last Sentinel, if one was asked.
        cause: Option<Box<RedisError>>,
    },
    /// As many requests wait as [`max_requests`](crate::RedisConfig::max_requests) or
    /// [`max_request_bytes`](crate::RedisConfig::max_request_bytes) allow: the server answers more slowly
    /// than the program asks. Try again later, or raise them.
    Busy,
    /// The log was not reached yet since it was created; the first attempts are under way.
    NotYet,
    /// The log is no longer used, or the runtime has dropped its tasks.
    Over,
}

impl RedisError {
    /// Returns a short name of the variant, such as `timed-out`: for metrics, and to compare by.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "unreachable",
            Self::TimedOut => "timed-out",
            Self::Lost(_) => "lost",
            Self::Protocol(_) => "protocol",
            Self::Refused(_) => "refused",
            Self::Replica(_) => "replica",
            Self::OutOfMemory(_) => "out-of-memory",
            Self::Cluster(_) => "cluster",
            Self::Answer(_) => "answer",
            Self::TooFewReplicas { .. } => "too-few-replicas",
            Self::NoMaster { .. } => "no-master",
            Self::Busy => "busy",
            Self::NotYet => "not-yet",
            Self::Over => "over",
        }
    }

    /// Returns the meaning of an error that the server returned.
    pub(crate) fn of_answer(error: &ServerError) -> Self {
        Self::of_text(&match error.details() {
            Some(details) => format!("{} {details}", error.code()),
            None => error.code().to_owned(),
        })
    }

    /// Does the same for the error's text, which begins with its code.
    pub(crate) fn of_text(text: &str) -> Self {
        let text = text.strip_prefix('-').unwrap_or(text).to_owned();
        match code_of(&text) {
            "OOM" => Self::OutOfMemory(text),
            "READONLY" => Self::Replica(text),
            "MOVED" | "ASK" | "CROSSSLOT" => Self::Cluster(text),
            "WRONGPASS" | "NOAUTH" | "NOPERM" => Self::Refused(text),
            // What a command of a script is told where `NOPERM` is what the script is told.
            "ERR" if text.contains("The user executing the script can't") => Self::Refused(text),
            _ => Self::Answer(text),
        }
    }

    /// Whether the log is in another epoch than the one that was asked for.
    pub(crate) fn is_other_epoch(&self) -> bool {
        matches!(self, Self::Answer(text) if code_of(text) == "OTHEREPOCH")
    }

    /// Returns whether a publish that failed with it is repeated.
    pub(crate) fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::TimedOut | Self::Lost(_) | Self::Protocol(_) => true,
            Self::Replica(_) | Self::TooFewReplicas { .. } | Self::NoMaster { .. } => true,
            Self::Busy | Self::NotYet => true,
            Self::Answer(text) => {
                let codes = [
                    "LOADING",
                    "MASTERDOWN",
                    "BUSY",
                    "TRYAGAIN",
                    "CLUSTERDOWN",
                    "NOREPLICAS",
                ];
                codes.contains(&code_of(text))
            }
            // The server refuses the connection until its password is changed.
            Self::Refused(text) => matches!(code_of(text), "WRONGPASS" | "NOAUTH"),
            Self::OutOfMemory(_) | Self::Cluster(_) | Self::Over => false,
        }
    }

    /// Returns whether each publish fails with it until the server's settings are changed, or the key of another
    /// program that is in the way is removed.
    pub(crate) fn is_for_good(&self) -> bool {
        match self {
            Self::Cluster(_) | Self::Over => true,
            Self::Refused(_) => !self.may_pass(),
            Self::Answer(text) => code_of(text) == "WRONGTYPE",
            _ => false,
        }
    }
}

fn code_of(text: &str) -> &str {
    text.split(' ').next().unwrap_or_default()
}

impl From<RedisError> for LogError {
    fn from(error: RedisError) -> Self {
        LogError::new(error)
    }
}

impl fmt::Display for RedisError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable { server, cause } => {
                write!(f, "redis at {server} could not be reached: {cause}")
            }
            Self::TimedOut => f.write_str("redis did not answer in time"),
            Self::Lost(cause) => write!(f, "the connection to redis was lost: {cause}"),
            Self::Protocol(what) => write!(f, "redis sent an invalid answer: {what}"),
            Self::Refused(answer) => write!(
                f,
                "redis refused: {answer}; check the password, the user and its permissions"
            ),
            Self::Replica(answer) => write!(
                f,
                "the server is a replica, which takes no events: {answer}; name the master, or \
                 Sentinels that know it"
            ),
            Self::OutOfMemory(answer) => write!(
                f,
                "redis has no memory left: {answer}; raise its `maxmemory`, or lower `max_events`"
            ),
            Self::Cluster(answer) => write!(
                f,
                "the server is one of several nodes of a Redis Cluster, which is not supported: \
                 {answer}; use a server without cluster mode, with Sentinel where it has to fail over"
            ),
            Self::Answer(answer) => write!(f, "redis returned an error: {answer}"),
            Self::TooFewReplicas {
                wanted,
                acknowledged,
            } => write!(
                f,
                "{acknowledged} replicas of {wanted} acknowledged the event in time"
            ),
            Self::NoMaster { master, cause } => {
                write!(f, "no Sentinel named the master `{master}`")?;
                match cause {
                    Some(cause) => write!(f, ": {cause}"),
                    None => f.write_str("; set `addresses`"),
                }
            }
            Self::Busy => f.write_str("too many requests wait for redis; try again later"),
            Self::NotYet => f.write_str("redis was not reached yet"),
            Self::Over => f.write_str("the log is no longer used"),
        }
    }
}

impl Error for RedisError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Unreachable { cause, .. } | Self::Lost(cause) => Some(&**cause),
            Self::NoMaster { cause, .. } => cause.as_ref().map(|cause| &**cause as _),
            _ => None,
        }
    }
}
