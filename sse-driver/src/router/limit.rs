//! A bound on the number of open streams, in all and for each key that the application chooses.

use std::{collections::BTreeMap, error::Error, fmt, num::NonZeroUsize, sync::Arc, time::Duration};

use ::http::{StatusCode, header};
use sse_core::{
    Text,
    internal::{
        Jitter,
        sync::{Mutex, MutexGuard, lock},
    },
};

use super::{Next, Refusal, Reply, Request, Router};

/// A bound on the number of open streams: in all, and for each key that the application chooses, such as
/// a user or an address.
///
/// [`Router::limit`] puts it before the routes of a router. A handler that learns its key later takes a
/// place with [`admit`](Self::admit). A place is returned when the connection is over, whatever ended it.
/// Clones are handles to the same limit, so that several routes can share one.
///
/// At the bound of all streams the client gets a 503, and at that of a key a 429, each with a random
/// `Retry-After`, so that clients that were refused together do not come back together. An `EventSource`
/// in a page does not reconnect by itself after either: it is closed, and its page has to create another
/// one.
///
/// ```
/// use futures_util::stream;
/// use sse_driver::router::{Request, Router, StreamLimit, StreamLimitConfig};
///
/// let mut config = StreamLimitConfig::default();
/// config.max_open = 1_000;
/// config.max_open_per_key = 5;
/// let limit = StreamLimit::new(config);
///
/// // The key is the client's address. A request without a known address only counts in all.
/// let by_address = |request: &Request| request.peer_addr().map(|peer| peer.ip().to_string());
/// let news = Router::new()
///     .events("/news", |_| stream::pending::<String>())
///     .limit(limit.clone(), by_address);
/// let router = Router::new().nest("/", news);
/// assert_eq!(limit.open(), 0);
/// ```
///
/// Put it behind the layer that authenticates: a layer that is added [before](Router::layer) runs before.
#[derive(Clone)]
pub struct StreamLimit {
    shared: Arc<Shared>,
}

struct Shared {
    config: StreamLimitConfig,
    open: Mutex<Open>,
}

struct Open {
    all: usize,
    /// A key is here for as long as it has a stream.
    by_key: BTreeMap<Text, NonZeroUsize>,
    jitter: Jitter,
}

/// The bounds of a [`StreamLimit`].
///
/// ```
/// use sse_driver::router::{StreamLimit, StreamLimitConfig};
///
/// let mut config = StreamLimitConfig::default();
/// config.max_open_per_key = 3;
/// let limit = StreamLimit::new(config);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamLimitConfig {
    /// The largest number of open streams. 10,000 by default, as many as a server has connections. Beyond
    /// it the client gets a 503.
    pub max_open: usize,
    /// The largest number of open streams with the same key. 10 by default. Beyond it the client gets a
    /// 429. A browser opens up to six for each origin over HTTP/1.1, and 100 over HTTP/2.
    pub max_open_per_key: usize,
    /// The longest `Retry-After`, in whole seconds. 10 s by default, at least 1 s.
    pub max_retry_after: Duration,
}

impl Default for StreamLimitConfig {
    fn default() -> Self {
        Self {
            max_open: 10_000,
            max_open_per_key: 10,
            max_retry_after: Duration::from_secs(10),
        }
    }
}

impl StreamLimit {
    /// Creates a limit without open streams. Give clones of it to all handlers that it bounds together.
    #[must_use]
    pub fn new(config: StreamLimitConfig) -> Self {
        let open = Open {
            all: 0,
            by_key: BTreeMap::new(),
            // The numbers only have to differ from one refused client to the next, and need not be
            // secret.
            jitter: Jitter::new(0),
        };
        let open = Mutex::new(open);
        Self {
            shared: Arc::new(Shared { config, open }),
        }
    }

    /// Takes a place for the connection of `request`, under this key if there is one. The place is
    /// returned when the connection is over.
    ///
    /// ```
    /// use futures_util::stream;
    /// use sse_driver::router::{Refusal, Request, StreamLimit, extract};
    ///
    /// async fn news(
    ///     limit: StreamLimit,
    ///     request: Request,
    /// ) -> Result<impl futures_core::Stream<Item = &'static str>, Refusal> {
    ///     let user: String = extract::cookie(&request, "user")?;
    ///     limit.admit(&request, Some(user))?;
    ///     Ok(stream::iter(["news"]))
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`LimitReached`]; no place is taken then. With `?` in a handler it becomes a refusal: 503 or 429,
    /// with `Retry-After`.
    pub fn admit(
        &self,
        request: &Request,
        key: Option<impl Into<Text>>,
    ) -> Result<(), LimitReached> {
        let key = key.map(Into::into);
        self.open_one(key.clone())?;
        let limit = self.clone();
        // If the connection is over already this runs at once.
        request
            .clean_up()
            .add(move |_| limit.close_one(key.as_ref()));
        Ok(())
    }

    /// Returns the number of open streams that were [admitted](Self::admit), for metrics.
    #[must_use]
    pub fn open(&self) -> usize {
        self.lock().all
    }

    /// Returns the number of open streams that were admitted with this key.
    #[must_use]
    pub fn open_of(&self, key: &str) -> usize {
        self.lock().by_key.get(key).map_or(0, |open| open.get())
    }

    /// Returns the bounds.
    #[must_use]
    pub fn config(&self) -> &StreamLimitConfig {
        &self.shared.config
    }

    fn open_one(&self, key: Option<Text>) -> Result<(), LimitReached> {
        let config = self.config();
        let mut open = self.lock();
        if open.all >= config.max_open {
            let retry_after = open.draw(config);
            return Err(LimitReached::InAll { retry_after });
        }
        if let Some(key) = key {
            let of_key = open.by_key.get(&key).map_or(0, |open| open.get());
            if of_key >= config.max_open_per_key {
                let retry_after = open.draw(config);
                return Err(LimitReached::OfKey { key, retry_after });
            }
            open.by_key
                .entry(key)
                .and_modify(|open| *open = open.saturating_add(1))
                .or_insert(NonZeroUsize::MIN);
        }
        open.all += 1;
        Ok(())
    }

    fn close_one(&self, key: Option<&Text>) {
        let mut open = self.lock();
        open.all = open.all.saturating_sub(1);
        let Some(key) = key else { return };
        let left = open.by_key.get(key).map_or(0, |open| open.get() - 1);
        match (NonZeroUsize::new(left), open.by_key.get_mut(key)) {
            (Some(left), Some(open)) => *open = left,
            _ => drop(open.by_key.remove(key)),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        lock(&self.shared.open)
    }
}

impl Open {
    /// Draws the time after which a refused client may come back.
    fn draw(&mut self, config: &StreamLimitConfig) -> Duration {
        let longest = config.max_retry_after.as_secs().max(1);
        Duration::from_secs(1 + self.jitter.below(longest))
    }
}

impl fmt::Debug for StreamLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamLimit")
            .field("config", self.config())
            .field("open", &self.open())
            .finish_non_exhaustive()
    }
}

/// The error of a [`StreamLimit`] that admits no further stream. A handler's `?` makes a refusal of it,
/// with `Retry-After`: 503 for `InAll`, 429 for `OfKey`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LimitReached {
    /// [`StreamLimitConfig::max_open`] streams are open.
    InAll {
        /// The time to wait before the next request, in whole seconds: at random, from 1 s to
        /// [`StreamLimitConfig::max_retry_after`].
        retry_after: Duration,
    },
    /// [`StreamLimitConfig::max_open_per_key`] streams with this key are open.
    OfKey {
        /// The key.
        key: Text,
        /// The time to wait before the next request, as above.
        retry_after: Duration,
    },
}

impl fmt::Display for LimitReached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InAll { .. } => f.write_str(
                "the limit of open streams is reached; try again later, or raise `max_open`",
            ),
            Self::OfKey { key, .. } => write!(
                f,
                "{key:?} is at its limit of open streams; close one, or raise \
                 `max_open_per_key`"
            ),
        }
    }
}

impl Error for LimitReached {}

impl From<LimitReached> for Refusal {
    /// Converts to a 503 at the bound of all streams, and a 429 at that of a key, with `Retry-After`. The text does
    /// not tell the client the bound.
    fn from(reached: LimitReached) -> Self {
        let (status, text, retry_after) = match reached {
            LimitReached::InAll { retry_after } => (
                StatusCode::SERVICE_UNAVAILABLE,
                "The server is at its limit of streams. Try again later.\n",
                retry_after,
            ),
            LimitReached::OfKey { retry_after, .. } => (
                StatusCode::TOO_MANY_REQUESTS,
                "You are at your limit of open streams. Close one, or try again later.\n",
                retry_after,
            ),
        };
        Self::new(status, text).with_header(header::RETRY_AFTER, retry_after.as_secs().into())
    }
}

impl Router {
    /// Puts `limit` before the handlers of this router's routes, as a [layer](Self::layer). `key` is
    /// called for each request; a request for which it returns `None` only counts in all.
    ///
    /// Every request that reaches a handler counts, for as long as its connection lasts. Put a limit for
    /// streams only before routes of events, on a router of its own that is [nested](Self::nest): see
    /// [`StreamLimit`].
    #[must_use]
    pub fn limit<K: Into<Text>>(
        self,
        limit: StreamLimit,
        key: impl Fn(&Request) -> Option<K> + Send + Sync + 'static,
    ) -> Self {
        self.layer(move |request: Request, next: Next| {
            let admitted = limit.admit(&request, key(&request));
            async move {
                admitted?;
                Ok::<Reply, LimitReached>(next.run(request).await)
            }
        })
    }
}
