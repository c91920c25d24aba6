//! One bound on the memory that all connections, request bodies and histories hold together.

use std::{fmt, sync::Arc};

use bytes::Bytes;

#[cfg(feature = "topic")]
use crate::sync;
use crate::sync::{AtomicUsize, Ordering::Relaxed, lazy_static};

/// A bound, in bytes, on what all that share it hold together: request bodies, queued output, and the
/// histories of topics.
///
/// Clones are handles to the same budget. Settings have one, `ResponseConfig::budget` for the
/// connections of a server or the responses of an embedding, `TopicConfig::budget` for a history, and
/// the default is the [budget of the process](Self::of_process): everything shares it that is given
/// no other.
///
/// # At the bound
///
/// | what | has at most | then |
/// |---|---|---|
/// | request bodies | a quarter | the request is answered 503 |
/// | histories | half | a topic drops its oldest events earlier, but not what readers hold; the newest stays |
/// | queued output | what the others leave | a stream goes on once everything before is transmitted |
/// | new connections | | while all of it is used they are answered 503 |
///
/// Uploads therefore cannot take what streams need, and histories cannot keep newcomers out. A
/// connection with nothing queued takes one event whatever the others hold: it waits for its own
/// client and for nothing else, so that no wake-up can be lost. By so much, an event for each
/// connection, the budget can be exceeded.
///
/// Events that slow readers have taken and not yet sent stay in memory whether a topic drops them or
/// not. A topic therefore drops events only where at least half of their memory becomes free; by
/// as much again as such readers hold, and no more than its own bound, it can exceed the budget.
///
/// # What is counted
///
/// Queues and histories count in whole [granules](Self::GRANULE): what is smaller does not count, and
/// costs nothing. Events of a topic count once, for as long as anything holds them, however many
/// clients they wait for. A request body counts until the handler drops it, a whole response
/// where nothing else holds its bytes. The few hundred bytes of an idle connection, the
/// application's own memory and the kernel's buffers are outside.
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
    /// The budget that this is a part of: it counts what this one counts.
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

/// How much of a [`Budget`] is used, in bytes.
///
/// Each number is right; two of them may be of moments that lie a little apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BudgetUse {
    /// By request bodies.
    pub bodies: usize,
    /// By output that waits to be written.
    pub queued: usize,
    /// By the histories of topics, and by what clients have still to take of them.
    pub history: usize,
}

impl BudgetUse {
    /// By all of them.
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
    /// How much the [budget of the process](Self::of_process) is: 1 GiB.
    pub const DEFAULT: usize = 1024 * 1024 * 1024;

    /// In steps of how many bytes queues and histories are counted: 4 KiB.
    pub const GRANULE: usize = 4 * 1024;

    /// Creates a budget of so many bytes, which nothing shares yet.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self::inside(limit, None)
    }

    /// Returns a budget of so many bytes inside this one: what it counts, this one counts, too, and there
    /// is room only where both have it. A part has no shares of its own: histories may take all of it, as
    /// far as the whole has room for histories.
    ///
    /// ```
    /// use sse_core::{Budget, topic::{TopicMapConfig}};
    ///
    /// // All rooms together take no more than 64 MiB of the process's budget.
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

    /// Creates the budget that everything shares which is given no other: [`DEFAULT`](Self::DEFAULT)
    /// bytes.
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

    /// Returns the number of bytes in use.
    #[must_use]
    pub fn used(&self) -> BudgetUse {
        let used = |holding: Holding| self.counter(holding).load(Relaxed);
        BudgetUse {
            bodies: used(Holding::Body),
            queued: used(Holding::Queue),
            history: used(Holding::History),
        }
    }

    /// Returns whether all of it is used, or all of a budget that it is a [part](Self::part) of. Servers
    /// and embeddings turn newcomers away as long as it is.
    #[must_use]
    pub fn is_exhausted(&self) -> bool {
        self.shared.total.load(Relaxed) >= self.shared.limit
            || self.shared.whole.as_ref().is_some_and(Self::is_exhausted)
    }

    /// Whether there is room for so many more bytes.
    #[cfg(feature = "topic")]
    pub(crate) fn fits(&self, holding: Holding, bytes: usize) -> bool {
        let fits = |used: &AtomicUsize, most| used.load(Relaxed).saturating_add(bytes) <= most;
        let fits_whole = |whole: &Self| whole.fits(holding, bytes);
        bytes == 0
            || fits(&self.shared.total, self.shared.limit)
                && fits(self.counter(holding), self.share_of(holding))
                && self.shared.whole.as_ref().is_none_or(fits_whole)
    }

    /// Creates a reservation of no bytes.
    #[doc(hidden)]
    #[must_use]
    pub fn reserve(&self, holding: Holding) -> Reservation {
        Reservation {
            budget: self.clone(),
            holding,
            bytes: 0,
        }
    }

    /// These bytes, which count until the last handle to them is dropped.
    #[cfg(feature = "topic")]
    pub(crate) fn count(&self, holding: Holding, bytes: Vec<u8>) -> Bytes {
        if bytes.len() < Self::GRANULE {
            return bytes.into();
        }
        let mut reservation = self.reserve(holding);
        reservation.resize_rounded(bytes.len());
        reservation.hold(bytes)
    }

    /// So much in whole granules. Below one it is nothing, so that what is small costs no count.
    pub(crate) fn rounded(bytes: usize) -> usize {
        bytes - bytes % Self::GRANULE
    }

    /// How much of it these may take together.
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

    /// Counts so many more, where that is inside.
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

    /// Makes it so large, where that is inside the budget. Says whether it is.
    #[must_use]
    pub fn try_grow(&mut self, bytes: usize) -> bool {
        let more = bytes.saturating_sub(self.bytes);
        let grown = more == 0 || self.budget.try_add(self.holding, more);
        if grown {
            self.bytes = self.bytes.max(bytes);
        }
        grown
    }

    /// Makes it so large or so small, whether the budget has room or not: the memory is there.
    pub fn resize(&mut self, bytes: usize) {
        match bytes.checked_sub(self.bytes) {
            Some(0) => {}
            Some(more) => self.budget.add(self.holding, more),
            None => self.budget.subtract(self.holding, self.bytes - bytes),
        }
        self.bytes = bytes;
    }

    /// The same in whole granules.
    pub fn resize_rounded(&mut self, bytes: usize) {
        self.resize(Budget::rounded(bytes));
    }

    /// These bytes, which hold the reservation until the last handle to them is dropped.
    #[must_use]
    pub fn hold(self, bytes: Vec<u8>) -> Bytes {
        match self.bytes {
            // There is nothing to give back.
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
    #[cfg_attr(not(feature = "topic"), allow(dead_code))] // dropped with the bytes
    reservation: Reservation,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Bytes that are counted for as long as anything holds them, and that can be asked whether anything
/// but this does.
#[cfg(feature = "topic")]
#[derive(Debug)]
pub(crate) enum Lendable {
    /// Too small to be counted.
    Small(Bytes),
    Large {
        owner: sync::Arc<Counted>,
        /// What readers share. `None` where none has come since the last look.
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

    /// The bytes, for a reader.
    pub(crate) fn lend(&mut self) -> &Bytes {
        match self {
            Self::Small(bytes) => bytes,
            Self::Large { owner, lent } => {
                lent.get_or_insert_with(|| Bytes::from_owner(Lent(owner.clone())))
            }
        }
    }

    /// How much less the budget would count without this: nothing, where a reader holds the bytes.
    pub(crate) fn frees(&mut self) -> usize {
        match self {
            Self::Small(_) => 0,
            Self::Large { owner, lent } => {
                // Bytes do not tell how many hold them, so that this has to let go first.
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

/// Two handles are equal that are handles to the same budget.
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
