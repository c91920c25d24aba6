//! A bound on the memory that all connections, request bodies and histories hold together.

use std::{fmt, sync::Arc};

use bytes::Bytes;

#[cfg(feature = "topic")]
use crate::sync;
use crate::sync::{AtomicUsize, Ordering::Relaxed, lazy_static};

/// A bound, in bytes, on the memory that its users hold together: request bodies, queued output, and the
/// histories of topics.
///
/// Clones are handles to the same budget. A server or an embedding takes its budget from
/// `ResponseConfig::budget`, and a topic from `TopicConfig::budget`. The default of both is the [budget
/// of the process](Self::of_process), which they then share.
///
/// # At the bound
///
/// | what | has at most | then |
/// |---|---|---|
/// | request bodies | a quarter | the request is answered 503 |
/// | histories | half | a topic drops its oldest events earlier, except those that readers hold and the newest one |
/// | queued output | what the others leave | a stream takes no further event until everything before it is transmitted |
/// | new connections | | while the whole budget is in use they are answered 503 |
///
/// Uploads therefore cannot use up the memory that streams need, and histories cannot keep new
/// connections out. A connection with nothing queued takes one event however full the budget is: it waits
/// for its own client only, so no wake-up can be lost. The budget can be exceeded by these events, one
/// for each connection.
///
/// Events that slow readers have taken and not yet sent stay in memory whether a topic drops them or not.
/// A topic therefore drops events only where that frees at least half of their memory. It can exceed the
/// budget by as much as such readers hold, and by no more than its own bound.
///
/// # What is counted
///
/// Queues and histories count in whole [granules](Self::GRANULE): less than one granule does not count,
/// and costs nothing. Events of a topic count once, for as long as anything holds them, however many
/// clients they wait for. A request body counts until the handler drops it, and a whole response unless
/// something else holds its bytes. The few hundred bytes of an idle connection, the application's own
/// memory and the kernel's buffers do not count.
///
/// ```
/// use sse_core::Budget;
///
/// let budget = Budget::new(64 * 1024 * 1024);
/// let mut config = sse_core::topic::TopicConfig::default();
/// config.budget = budget.clone();
/// assert_eq!(budget.used().total(), 0);
/// ```
#[derive(Clone)]
pub struct Budget {
    shared: Arc<Shared>,
}

struct Shared {
    limit: usize,
    /// The budget that this one is a part of, which counts the same bytes.
    whole: Option<Budget>,
    total: AtomicUsize,
    used: [AtomicUsize; Holding::ALL.len()],
}

/// A kind of memory that counts in a [`Budget`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holding {
    /// A request's body.
    Body,
    /// Output that waits to be written.
    Queue,
    /// A topic's history.
    History,
}

impl Holding {
    const ALL: [Self; 3] = [Self::Body, Self::Queue, Self::History];
}

/// The number of bytes of a [`Budget`] in use, by kind.
///
/// Each number is exact, but two of them may have been read at slightly different moments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BudgetUse {
    /// Bytes of request bodies.
    pub bodies: usize,
    /// Bytes of output that waits to be written.
    pub queued: usize,
    /// Bytes of the histories of topics, and of their events that clients have yet to take.
    pub history: usize,
}

impl BudgetUse {
    /// Returns the sum of all kinds, in bytes.
    #[must_use]
    pub fn total(&self) -> usize {
        let Self {
            bodies,
            queued,
            history,
        } = self;
        bodies.saturating_add(*queued).saturating_add(*history)
    }
}

impl Budget {
    /// The size of the [budget of the process](Self::of_process): 1 GiB.
    pub const DEFAULT: usize = 1024 * 1024 * 1024;

    /// The unit in which queues and histories are counted: 4 KiB. See [What is
    /// counted](Self#what-is-counted).
    pub const GRANULE: usize = 4 * 1024;

    /// Creates a budget of `limit` bytes, which shares nothing with the [budget of the
    /// process](Self::of_process). Every server and topic that is given a clone counts in it.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self::inside(limit, None)
    }

    /// Creates a budget of `limit` bytes inside this one. Bytes counted in the part count in this budget,
    /// too, and fit only where both have room. A part has no shares of its own: histories may use all of
    /// it, as far as the whole budget has room for histories.
    ///
    /// ```
    /// use sse_core::{Budget, topic::{TopicMapConfig}};
    ///
    /// // All rooms together use at most 64 MiB of the process's budget.
    /// let mut config = TopicMapConfig::default();
    /// config.topic.budget = Budget::of_process().part(64 * 1024 * 1024);
    /// ```
    #[must_use]
    pub fn part(&self, limit: usize) -> Self {
        Self::inside(limit, Some(self.clone()))
    }

    fn inside(limit: usize, whole: Option<Self>) -> Self {
        Self {
            shared: Arc::new(Shared {
                limit,
                whole,
                total: AtomicUsize::new(0),
                used: Default::default(),
            }),
        }
    }

    /// Returns the budget of the process, of [`DEFAULT`](Self::DEFAULT) bytes. Servers, embeddings and
    /// topics use it where their config names no other.
    #[must_use]
    pub fn of_process() -> Self {
        lazy_static! {
            static ref OF_PROCESS: Budget = Budget::new(Budget::DEFAULT);
        }
        OF_PROCESS.clone()
    }

    /// Returns the size of the budget, in bytes.
    #[must_use]
    pub fn limit(&self) -> usize {
        self.shared.limit
    }

    /// Returns the number of bytes in use, by kind. It is cheap, for metrics.
    #[must_use]
    pub fn used(&self) -> BudgetUse {
        let used = |holding: Holding| self.counter(holding).load(Relaxed);
        BudgetUse {
            bodies: used(Holding::Body),
            queued: used(Holding::Queue),
            history: used(Holding::History),
        }
    }

    /// Returns whether the budget, or a budget that it is a [part](Self::part) of, has no bytes left.
    /// Servers and embeddings answer new connections with 503 while this is so.
    #[must_use]
    pub fn is_exhausted(&self) -> bool {
        self.shared.total.load(Relaxed) >= self.shared.limit
            || self.shared.whole.as_ref().is_some_and(Self::is_exhausted)
    }

    /// Returns whether the budget has room for `bytes` more.
    #[cfg(feature = "topic")]
    pub(crate) fn fits(&self, holding: Holding, bytes: usize) -> bool {
        let fits = |used: &AtomicUsize, most| used.load(Relaxed).saturating_add(bytes) <= most;
        let fits_whole = |whole: &Self| whole.fits(holding, bytes);
        bytes == 0
            || fits(&self.shared.total, self.shared.limit)
                && fits(self.counter(holding), self.share_of(holding))
                && self.shared.whole.as_ref().is_none_or(fits_whole)
    }

    /// Creates an empty reservation, which can grow.
    #[doc(hidden)]
    #[must_use]
    pub fn reserve(&self, holding: Holding) -> Reservation {
        Reservation {
            budget: self.clone(),
            holding,
            bytes: 0,
        }
    }

    /// Returns `bytes` as `Bytes` that count until the last handle to them is dropped.
    #[cfg(feature = "topic")]
    pub(crate) fn count(&self, holding: Holding, bytes: Vec<u8>) -> Bytes {
        if bytes.len() < Self::GRANULE {
            return bytes.into();
        }
        let mut reservation = self.reserve(holding);
        reservation.resize_rounded(bytes.len());
        reservation.hold(bytes)
    }

    /// Rounds `bytes` down to whole granules. Less than one granule is 0, so that small amounts need no
    /// counting.
    pub(crate) fn rounded(bytes: usize) -> usize {
        bytes - bytes % Self::GRANULE
    }

    /// Returns the share of the budget that this kind may use.
    fn share_of(&self, holding: Holding) -> usize {
        let limit = self.shared.limit;
        match holding {
            _ if self.shared.whole.is_some() => limit,
            Holding::Body => limit / 4,
            Holding::Queue => limit,
            Holding::History => limit / 2,
        }
    }

    fn counter(&self, holding: Holding) -> &AtomicUsize {
        let [body, queue, history] = &self.shared.used;
        match holding {
            Holding::Body => body,
            Holding::Queue => queue,
            Holding::History => history,
        }
    }

    /// Counts `bytes` more if they fit, and returns whether they did.
    fn try_add(&self, holding: Holding, bytes: usize) -> bool {
        let own = self.counter(holding);
        if !add_below(own, bytes, self.share_of(holding)) {
            return false;
        }
        if !add_below(&self.shared.total, bytes, self.shared.limit) {
            own.fetch_sub(bytes, Relaxed);
            return false;
        }
        let whole = self.shared.whole.as_ref();
        let is_inside = whole.is_none_or(|whole| whole.try_add(holding, bytes));
        if !is_inside {
            own.fetch_sub(bytes, Relaxed);
            self.shared.total.fetch_sub(bytes, Relaxed);
        }
        is_inside
    }

    fn add(&self, holding: Holding, bytes: usize) {
        self.counter(holding).fetch_add(bytes, Relaxed);
        self.shared.total.fetch_add(bytes, Relaxed);
        if let Some(whole) = &self.shared.whole {
            whole.add(holding, bytes);
        }
    }

    fn subtract(&self, holding: Holding, bytes: usize) {
        self.counter(holding).fetch_sub(bytes, Relaxed);
        self.shared.total.fetch_sub(bytes, Relaxed);
        if let Some(whole) = &self.shared.whole {
            whole.subtract(holding, bytes);
        }
    }
}

fn add_below(count: &AtomicUsize, bytes: usize, most: usize) -> bool {
    let added = |count: usize| count.checked_add(bytes).filter(|sum| *sum <= most);
    count.fetch_update(Relaxed, Relaxed, added).is_ok()
}

/// Bytes reserved in a [`Budget`]; dropping the reservation gives them back.
#[derive(Debug)]
pub struct Reservation {
    budget: Budget,
    holding: Holding,
    bytes: usize,
}

impl Reservation {
    /// Returns the size of the reservation, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Changes the size of the reservation to `bytes`, if that fits in the budget. Returns whether it
    /// does.
    #[must_use]
    pub fn try_grow(&mut self, bytes: usize) -> bool {
        let more = bytes.saturating_sub(self.bytes);
        let grown = more == 0 || self.budget.try_add(self.holding, more);
        if grown {
            self.bytes = self.bytes.max(bytes);
        }
        grown
    }

    /// Changes the size of the reservation to `bytes`, whether the budget has room or not, because the
    /// memory is in use already.
    pub fn resize(&mut self, bytes: usize) {
        match bytes.checked_sub(self.bytes) {
            Some(0) => {}
            Some(more) => self.budget.add(self.holding, more),
            None => self.budget.subtract(self.holding, self.bytes - bytes),
        }
        self.bytes = bytes;
    }

    /// Does the same as [`resize`](Self::resize), in whole granules.
    pub fn resize_rounded(&mut self, bytes: usize) {
        self.resize(Budget::rounded(bytes));
    }

    /// Returns `bytes` as `Bytes` that hold the reservation until the last handle to them is dropped.
    #[must_use]
    pub fn hold(self, bytes: Vec<u8>) -> Bytes {
        match self.bytes {
            // The reservation is empty: there is nothing to give back.
            0 => bytes.into(),
            _ => Bytes::from_owner(Counted {
                bytes,
                reservation: self,
            }),
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.resize(0);
    }
}

/// Bytes that are counted for as long as anything holds them.
#[derive(Debug)]
pub(crate) struct Counted {
    bytes: Vec<u8>,
    #[cfg_attr(not(feature = "topic"), allow(dead_code))] // Dropped together with the bytes.
    reservation: Reservation,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Bytes that are counted for as long as anything holds them, and that know whether a reader holds them.
#[cfg(feature = "topic")]
#[derive(Debug)]
pub(crate) enum Lendable {
    /// Too small to be counted.
    Small(Bytes),
    Large {
        owner: sync::Arc<Counted>,
        /// The bytes that readers share; `None` if no reader has come since the last check.
        lent: Option<Bytes>,
    },
}

#[cfg(feature = "topic")]
impl Lendable {
    pub(crate) fn new(budget: &Budget, holding: Holding, bytes: Vec<u8>) -> Self {
        if bytes.len() < Budget::GRANULE {
            return Self::Small(bytes.into());
        }
        let mut reservation = budget.reserve(holding);
        reservation.resize_rounded(bytes.len());
        Self::Large {
            owner: sync::Arc::new(Counted { bytes, reservation }),
            lent: None,
        }
    }

    /// Returns the bytes, for a reader to hold.
    pub(crate) fn lend(&mut self) -> &Bytes {
        match self {
            Self::Small(bytes) => bytes,
            Self::Large { owner, lent } => {
                lent.get_or_insert_with(|| Bytes::from_owner(Lent(owner.clone())))
            }
        }
    }

    /// Returns how many bytes dropping this would free in the budget: none while a reader holds the
    /// bytes.
    pub(crate) fn frees(&mut self) -> usize {
        match self {
            Self::Small(_) => 0,
            Self::Large { owner, lent } => {
                // `Bytes` does not tell how many handles there are, so this handle has to be dropped
                // first.
                *lent = None;
                match sync::Arc::strong_count(owner) {
                    1 => owner.reservation.bytes(),
                    _ => 0,
                }
            }
        }
    }
}

#[cfg(feature = "topic")]
impl AsRef<[u8]> for Lendable {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Small(bytes) => bytes,
            Self::Large { owner, .. } => &owner.bytes,
        }
    }
}

#[cfg(feature = "topic")]
struct Lent(sync::Arc<Counted>);

#[cfg(feature = "topic")]
impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.0.bytes
    }
}

/// The budget of the process.
impl Default for Budget {
    fn default() -> Self {
        Self::of_process()
    }
}

/// Two handles are equal if they are handles to the same budget.
impl PartialEq for Budget {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl Eq for Budget {}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budget")
            .field("limit", &self.limit())
            .field("used", &self.used())
            .finish()
    }
}

#[cfg(all(test, feature = "topic"))]
mod tests;
