//! How many streams may be open at once, in all and for each key of the application's choice.

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

/// A bound on how many streams are open at once: in all, and for each key of the application's
/// choice, such as a user or an address.
///
/// [`Router::limit`] has it before the routes of a router. A handler that knows its key later takes a
/// place by [`admit`](Self::admit). A place is given back when the connection is over, whatever ended
/// it. Clones are handles to the same limit, so that several routes can share one.
///
/// At the bound of all streams the answer is 503, and at that of a key it is 429, each with a
/// `Retry-After` that is drawn, so that those who were refused together do not come back together. An
/// `EventSource` in a page does not come back by itself after either: it is closed, and its page asks
/// again.
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
/// // The key is the client's address. A request without a known address counts among all alone.
/// let by_address = |request: &Request| request.peer_addr().map(|peer| peer.ip().to_string());
/// let news = Router::new()
///     .events("/news", |_| stream::pending::<String>())
///     .limit(limit.clone(), by_address);
/// let router = Router::new().nest("/", news);
/// assert_eq!(limit.open(), 0);
/// ```
///
/// Put it behind what authenticates: a layer that is added [before](Router::layer) is asked before.
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
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamLimitConfig {
    /// How many streams are open at once. 10,000 by default, as many as a server has connections.
    /// Beyond it the answer is 503.
    pub max_open: usize,
    /// How many of them have the same key. 10 by default. Beyond it the answer is 429. A browser has up
    /// to six for each of its pages' origins over HTTP/1.1, and 100 over HTTP/2.
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
    /// Creates a limit with no stream open.
    #[must_use]
    pub fn new(config: StreamLimitConfig) -> Self {
        let open = Open {
            all: 0,
            by_key: BTreeMap::new(),
            // Those that are refused are to be told apart, and no secret depends on it.
            jitter: Jitter::new(0),
        };
        let open = Mutex::new(open);
        Self {
            shared: Arc::new(Shared { config, open }),
        }
    }

    /// Takes a place for the connection of `request`, under this key if any. The place is given back
    /// when the connection is over.
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
    /// [`LimitReached`], and no place is taken. A handler's `?` makes it a refusal: 503 or 429, with
    /// `Retry-After`.
    pub fn admit(
        &self,
        request: &Request,
        key: Option<impl Into<Text>>,
    ) -> Result<(), LimitReached> {
        let key = key.map(Into::into);
        self.open_one(key.clone())?;
        let limit = self.clone();
        // Where the connection is over already this runs at once.
        request
            .clean_up()
            .add(move |_| limit.close_one(key.as_ref()));
        Ok(())
    }

    /// Returns how many streams are open.
    #[must_use]
    pub fn open(&self) -> usize {
        self.lock().all
    }

    /// Returns how many of them have this key.
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
    /// When one that is refused may come back.
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

/// The error of a [`StreamLimit`] that admits no further stream.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LimitReached {
    /// As many are open as there may be: [`StreamLimitConfig::max_open`].
    InAll {
        /// When to ask again: a whole number of seconds.
        retry_after: Duration,
    },
    /// As many are open as may have this key: [`StreamLimitConfig::max_open_per_key`].
    OfKey {
        /// The key.
        key: Text,
        /// When to ask again: a whole number of seconds.
        retry_after: Duration,
    },
}

impl fmt::Display for LimitReached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InAll { .. } => f.write_str(
                "as many streams are open as there may be; try again later, or raise `max_open`",
            ),
            Self::OfKey { key, .. } => write!(
                f,
                "{key:?} has as many streams open as it may have; close one, or raise \
                 `max_open_per_key`"
            ),
        }
    }
}

impl Error for LimitReached {}

impl From<LimitReached> for Refusal {
    /// A 503 at the bound of all streams, and a 429 at that of a key, with `Retry-After`. The text does
    /// not tell the client how many there may be.
    fn from(reached: LimitReached) -> Self {
        let (status, text, retry_after) = match reached {
            LimitReached::InAll { retry_after } => (
                StatusCode::SERVICE_UNAVAILABLE,
                "The server has as many streams as it can take. Try again later.\n",
                retry_after,
            ),
            LimitReached::OfKey { retry_after, .. } => (
                StatusCode::TOO_MANY_REQUESTS,
                "You have as many streams open as you may have. Close one, or try again later.\n",
                retry_after,
            ),
        };
        Self::new(status, text).with_header(header::RETRY_AFTER, retry_after.as_secs().into())
    }
}

impl Router {
    /// Has `limit` before the handlers of this router's routes, as a [layer](Self::layer). `key` is
    /// asked for each request; one with `None` counts among all alone.
    ///
    /// Every request that reaches a handler counts, for as long as its connection lasts. So put a limit
    /// for streams before routes of events, on a router of its own, which is [nested](Self::nest): see
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
