//! `OpenStreams`: lists the open streams, and ends them from outside their handlers.

use std::{
    collections::BTreeMap,
    fmt,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    task::Waker,
    time::Instant,
};

use sse_core::{
    Text,
    internal::sync::{Mutex, MutexGuard, lock},
    topic::Lag,
};

/// Lists the open streams of servers and embeddings, and ends them from outside their handlers, such as
/// at a logout, or when a token is revoked.
///
/// Give it to a [`ServerConfig`](crate::ServerConfig) or an `EmbeddingConfig`, and keep a clone: clones
/// are handles to the same list. It stores an [`OpenStream`] for as long as the stream is open, which the
/// connection limit bounds; without a list, nothing is stored.
///
/// ```
/// use futures_util::stream;
/// use sse_driver::{OpenStreams, ServerConfig, router::{Request, Router}};
///
/// let streams = OpenStreams::new();
/// let mut config = ServerConfig::default();
/// config.open_streams = Some(streams.clone());
///
/// let router = Router::new().events("/news", |request: Request| {
///     request.label_stream("alice"); // The user who is logged in.
///     stream::pending::<String>()
/// });
///
/// // When Alice logs out:
/// let ended = streams.end_where(|stream| stream.label.as_deref() == Some("alice"), "logged out");
/// # assert_eq!(ended, 0);
/// ```
#[derive(Clone, Default)]
pub struct OpenStreams {
    table: Arc<Mutex<Table>>,
}

#[derive(Default)]
struct Table {
    last_id: u64,
    entries: BTreeMap<StreamId, Arc<Entry>>,
}

/// Identifies a stream in one [`OpenStreams`]. It is unique there, and not secret: it counts up from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamId(u64);

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An open stream, as [`OpenStreams::list`] describes it at that moment.
///
/// ```
/// use sse_driver::OpenStreams;
///
/// /// Ends the streams whose clients are far behind.
/// fn end_slow_ones(streams: &OpenStreams) {
///     for stream in streams.list() {
///         if stream.behind.is_some_and(|events| events > 1_000) {
///             println!("{} of {:?}", stream.path, stream.label);
///             streams.end(stream.id, "too far behind");
///         }
///     }
/// }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OpenStream {
    /// The ID to [end](OpenStreams::end) the stream by.
    pub id: StreamId,
    /// The path of its route, as it was given to the router; `None` in an embedding that has none.
    pub route: Option<Text>,
    /// The path that was asked for, without its query.
    pub path: Text,
    /// The remote address of the connection; `None` where the transport has none.
    pub peer: Option<SocketAddr>,
    /// The address of the client, seen through trusted proxies; `None` where it is unknown.
    pub client: Option<IpAddr>,
    /// The label that the handler set by [`Request::label_stream`](crate::router::Request::label_stream).
    pub label: Option<Text>,
    /// When it was opened.
    pub since: Instant,
    /// The number of events that the stream has taken from its handler.
    pub events: u64,
    /// When the stream took the last of them.
    pub last_event: Option<Instant>,
    /// The number of events of its topic that a subscriber has not taken yet; `None` where the stream is
    /// not a subscriber, or combines several. Events that wait to be written count as taken.
    pub behind: Option<u64>,
}

impl OpenStreams {
    /// Returns a list without streams. It has those of the servers and embeddings that get a clone in
    /// their config.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the open streams, the oldest first. A request whose handler has not responded yet is not
    /// among them.
    #[must_use]
    pub fn list(&self) -> Vec<OpenStream> {
        let entries = self.entries();
        entries.iter().filter_map(|entry| entry.look()).collect()
    }

    /// Returns the number of open streams, including requests whose handlers have not responded yet.
    #[must_use]
    pub fn len(&self) -> usize {
        lock(&self.table).entries.len()
    }

    /// Returns whether [`len`](Self::len) is 0.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Ends a stream between two events: the events that it has taken are delivered, its body ends
    /// properly, and clean-up gets [`CloseReason::Ended`](sse_core::lifecycle::CloseReason::Ended) with
    /// this reason. Its client reconnects, as after any end; refuse it then. A stream whose handler has
    /// not responded yet ends as soon as it has. Returns whether there is such a stream.
    pub fn end(&self, id: StreamId, reason: &str) -> bool {
        let entry = lock(&self.table).entries.get(&id).cloned();
        entry.is_some_and(|entry| {
            entry.end(reason);
            true
        })
    }

    /// [Ends](Self::end) every stream for which `which` returns true. `which` runs outside of any lock,
    /// and also gets streams whose handlers have not responded yet. Returns the number of streams that it
    /// selected.
    pub fn end_where(&self, mut which: impl FnMut(&OpenStream) -> bool, reason: &str) -> usize {
        let picked = self
            .entries()
            .into_iter()
            .filter(|entry| which(&entry.describe()));
        picked.map(|entry| entry.end(reason)).count()
    }

    /// Adds a request, whose handler may respond with a stream.
    pub(crate) fn enter(
        &self,
        now: Instant,
        path: &str,
        peer: Option<SocketAddr>,
        client: Option<IpAddr>,
    ) -> Ticket {
        let mut table = lock(&self.table);
        table.last_id += 1;
        let entry = Arc::new(Entry {
            id: StreamId(table.last_id),
            path: path.into(),
            peer,
            client,
            asked: now,
            state: Mutex::default(),
        });
        table.entries.insert(entry.id, entry.clone());
        drop(table);
        Ticket(Box::new((entry, self.clone())))
    }

    fn entries(&self) -> Vec<Arc<Entry>> {
        lock(&self.table).entries.values().cloned().collect()
    }
}

impl PartialEq for OpenStreams {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.table, &other.table)
    }
}

impl Eq for OpenStreams {}

impl fmt::Debug for OpenStreams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenStreams")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

/// The stored data of a stream. Its path and addresses do not change.
pub(crate) struct Entry {
    id: StreamId,
    path: Text,
    peer: Option<SocketAddr>,
    client: Option<IpAddr>,
    asked: Instant,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    route: Option<Text>,
    label: Option<Text>,
    since: Option<Instant>,
    events: u64,
    last_event: Option<Instant>,
    lag: Option<Lag>,
    /// Why the stream has to end.
    end: Option<Box<str>>,
    /// The task to wake for that.
    task: Option<Waker>,
}

impl Entry {
    pub(crate) fn id(&self) -> StreamId {
        self.id
    }

    pub(crate) fn set_route(&self, route: &str) {
        self.state().route = Some(route.into());
    }

    pub(crate) fn set_label(&self, label: Text) {
        self.state().label = Some(label);
    }

    /// Called before `task` polls the stream. Returns why the stream has to end, if it has.
    pub(crate) fn begin_turn(&self, now: Instant, task: &Waker) -> Option<Box<str>> {
        let mut state = self.state();
        state.since.get_or_insert(now);
        let is_known = matches!(&state.task, Some(known) if known.will_wake(task));
        let before = (!is_known).then(|| state.task.replace(task.clone()));
        let end = state.end.clone();
        drop(state);
        // This must not happen under the lock: it may drop the last handle of a task.
        drop(before);
        end
    }

    /// Called after the stream was polled and yielded `events` events.
    pub(crate) fn end_turn(&self, now: Instant, events: usize, lag: Option<Lag>) {
        let mut state = self.state();
        if events > 0 {
            state.events += events as u64;
            state.last_event = Some(now);
        }
        let before = std::mem::replace(&mut state.lag, lag);
        drop(state);
        drop(before);
    }

    fn end(&self, reason: &str) {
        let mut state = self.state();
        state.end.get_or_insert_with(|| reason.into());
        let task = state.task.take();
        drop(state);
        if let Some(task) = task {
            task.wake();
        }
    }

    /// Returns the description of the stream, once it is open.
    fn look(&self) -> Option<OpenStream> {
        self.state().since?;
        Some(self.describe())
    }

    fn describe(&self) -> OpenStream {
        let state = self.state();
        let lag = state.lag.clone();
        let mut stream = OpenStream {
            id: self.id,
            route: state.route.clone(),
            path: self.path.clone(),
            peer: self.peer,
            client: self.client,
            label: state.label.clone(),
            since: state.since.unwrap_or(self.asked),
            events: state.events,
            last_event: state.last_event,
            behind: None,
        };
        drop(state);
        // The topic has a lock of its own.
        stream.behind = lag.map(|lag| lag.events());
        stream
    }

    /// No foreign code runs under the lock, so a poisoned lock never hides a half-done change.
    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Entry").field(&self.id).finish()
    }
}

/// A stream's place among the open ones, which dropping this removes.
#[derive(Debug)]
pub(crate) struct Ticket(Box<(Arc<Entry>, OpenStreams)>);

impl Ticket {
    pub(crate) fn entry(&self) -> &Arc<Entry> {
        &self.0.0
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let (entry, streams) = &*self.0;
        let removed = lock(&streams.table).entries.remove(&entry.id);
        drop(removed);
    }
}
