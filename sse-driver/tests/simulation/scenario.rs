//! The world of a seed: its settings, and what is going to happen in it.

use std::time::Duration;

use fastrand::Rng;
use sse_core::{
    Budget,
    client::EventSourceConfig,
    http::StatusCode,
    topic::{Announce, TopicConfig, WhenTooSlow, resumable::ResumableConfig},
};
use sse_driver::{OpenStreams, ServerConfig, embedding::EmbeddingConfig};

use crate::{
    chaos::{Disarray, Wakers},
    clients::Wish,
    registry::Kind,
    transport::Manner,
    wire::Trouble,
};

/// Something that is going to happen.
#[derive(Clone, Debug)]
pub enum Action {
    /// This many events are published to a topic.
    Publish(usize, u64),
    Join(Box<Wish>),
    /// A client of the foreign server joins.
    JoinForeign(Kind, usize),
    /// The client with this number, if there is one, leaves: properly or without a close.
    Close(usize),
    Cancel(usize),
    CancelForeign(usize),
    /// Something goes wrong with a link, counted from the newest.
    Suffer(usize, Trouble),
    /// The server shuts down, and another one begins after it.
    ShutDown,
    Cut,
    /// The server's future is dropped.
    DropServer,
    ShutDownEmbedding,
    CutEmbedding,
    /// The topic that forgets begins anew.
    BeginAnew,
    /// The producer of this name is stopped.
    StopJob(usize),
    /// The client with this number pauses, resumes after some time, or wants another connection.
    Pause(usize),
    Resume(usize),
    Reconnect(usize),
    /// The open streams of every third client, from this one on, are ended from outside.
    EndStreams(usize),
    /// About half of the tasks have no turn for this time.
    HoldUp(Duration),
}

/// The bounds with which close reasons are compared.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    pub stall_timeout: Duration,
    pub respond_timeout: Duration,
    pub body_timeout: Duration,
    pub drain_timeout: Duration,
    pub head_timeout: Duration,
    /// Whether budgets may be short: a used-up budget may delay a task further.
    pub has_short_budgets: bool,
}

#[derive(Clone, Debug)]
pub struct Scenario {
    pub disarray: Disarray,
    pub is_tls: bool,
    pub server: ServerConfig,
    pub embedding: EmbeddingConfig,
    pub topic: TopicConfig,
    pub jobs: ResumableConfig,
    /// Whether the servers list their open streams.
    pub lists_streams: bool,
    /// The number of bytes that everything together may hold.
    pub budget: usize,
    pub largest_event: usize,
    pub dawdling: f64,
    pub longest_pause: Duration,
    pub longest_decision: Duration,
    pub longest_feed: usize,
    /// The number of addresses of the server's name before the right one.
    pub false_addresses: usize,
    /// The actions, and their times.
    pub actions: Vec<(Duration, Action)>,
}

/// The longest wait of a client before it connects again.
pub const CEILING: Duration = Duration::from_secs(10);

impl Scenario {
    pub fn draw(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let rng = &mut rng;
        let time = Duration::from_secs(about(rng, 1, 120) as u64);
        let is_tls = cfg!(feature = "tls") && rng.u8(..4) == 0;
        let budget = match rng.u8(..4) {
            0 => about(rng, 64 * 1024, 1024 * 1024),
            _ => 1 << 40,
        };
        let server = server_config(rng);
        let respond_timeout = server.connection.response.respond_timeout;
        let mut embedding = EmbeddingConfig::default();
        embedding.response = server.connection.response.clone();
        embedding.shutdown_timeout = server.shutdown_timeout;
        embedding.shutdown_spread = server.shutdown_spread;
        embedding.max_open = server.max_connections;
        let largest_event = about(rng, 1, 2000);
        let actions = about(rng, 3, 60);
        let mut actions: Vec<_> = (0..actions)
            .map(|_| (time.mul_f64(rng.f64()), action(rng, is_tls)))
            .collect();
        for (at, number) in pauses(&actions) {
            let pause = Duration::from_millis(about(rng, 1, 20_000) as u64);
            actions.push((at + pause, Action::Resume(number)));
        }
        actions.sort_by_key(|(at, _)| *at);
        Self {
            disarray: disarray(rng),
            is_tls,
            embedding,
            topic: topic_config(rng),
            jobs: jobs_config(rng),
            lists_streams: rng.u8(..4) > 0,
            budget,
            largest_event,
            dawdling: match rng.bool() {
                true => 0.0,
                false => rng.f64() * 0.3,
            },
            longest_pause: Duration::from_millis(about(rng, 1, 20_000) as u64),
            longest_decision: respond_timeout.mul_f64(rng.f64() * 2.0),
            longest_feed: about(rng, 1, 200),
            false_addresses: rng.usize(..3),
            server,
            actions,
        }
    }

    /// Lets the settings share one budget from here on, which is that of one world.
    pub fn share_budget(&mut self) -> Budget {
        let budget = Budget::new(self.budget);
        self.server.connection.response.budget = budget.clone();
        self.embedding.response.budget = budget.clone();
        self.topic.budget = budget.clone();
        budget
    }

    /// Returns the list of the servers' open streams, if they have one: that of one world from here
    /// on.
    pub fn share_streams(&mut self) -> Option<OpenStreams> {
        let streams = self.lists_streams.then(OpenStreams::new);
        self.server.open_streams = streams.clone();
        self.embedding.open_streams = streams.clone();
        streams
    }

    /// Prints a line for each part.
    pub fn print(&self) {
        let Self { actions, .. } = self;
        eprintln!("{:?}", self.disarray);
        eprintln!("TLS: {}; budget: {}", self.is_tls, self.budget);
        eprintln!("{:?}; {:?}", self.server, self.topic);
        eprintln!(
            "dawdling: {} for {:?}; decisions: {:?}; feeds: {}; false addresses: {}",
            self.dawdling,
            self.longest_pause,
            self.longest_decision,
            self.longest_feed,
            self.false_addresses
        );
        for (at, action) in actions {
            eprintln!("{:>12.6} {action:?}", at.as_secs_f64());
        }
    }

    pub fn bounds(&self) -> Bounds {
        Bounds {
            stall_timeout: self.server.connection.stall_timeout,
            respond_timeout: self.server.connection.response.respond_timeout,
            head_timeout: self.server.connection.head_timeout,
            drain_timeout: self.server.connection.drain_timeout,
            body_timeout: self.server.connection.response.body_timeout,
            has_short_budgets: self.disarray.short_budgets > 0.0,
        }
    }
}

/// Returns when clients pause, and which.
fn pauses(actions: &[(Duration, Action)]) -> Vec<(Duration, usize)> {
    let pauses = actions.iter().filter_map(|(at, action)| match action {
        Action::Pause(number) => Some((*at, *number)),
        _ => None,
    });
    pauses.collect()
}

fn disarray(rng: &mut Rng) -> Disarray {
    Disarray {
        wakers: *rng
            .choice(&[Wakers::New, Wakers::Same, Wakers::Either])
            .unwrap_or(&Wakers::New),
        needless: share(rng, 0.5),
        held_up: share(rng, 0.1),
        longest_hold_up: Duration::from_millis(about(rng, 1, 30_000) as u64),
        // The laws of deadlines hold only in worlds without late tasks.
        short_budgets: match rng.bool() {
            true => share(rng, 0.8),
            false => 0.0,
        },
        piece: about(rng, 4, 16 * 1024),
        slow_flushes: share(rng, 0.5),
        manner: *rng
            .choice(&[
                Manner::Plain,
                Manner::TakesInBeforeWriting,
                Manner::IsReadBeforeWriting,
            ])
            .unwrap_or(&Manner::Plain),
        capacity: about(rng, 64, 64 * 1024),
        longest_latency: Duration::from_millis(about(rng, 1, 500) as u64),
        lost_dials: share(rng, 0.3),
        late_notices: share(rng, 1.0),
    }
}

fn action(rng: &mut Rng, is_tls: bool) -> Action {
    match rng.u8(..30) {
        0..=4 => Action::Publish(rng.usize(..3), about(rng, 1, 100) as u64),
        5..=8 => Action::Join(Box::new(wish(rng, is_tls))),
        9..=10 => {
            let kind = kind(rng);
            Action::JoinForeign(kind, body(rng, kind))
        }
        11 => Action::Close(rng.usize(..8)),
        12 => Action::Cancel(rng.usize(..8)),
        13 => Action::CancelForeign(rng.usize(..4)),
        14..=16 => Action::Suffer(rng.usize(..6), trouble(rng)),
        17 => match rng.u8(..3) {
            0 => Action::ShutDown,
            1 => Action::Cut,
            _ => Action::DropServer,
        },
        18 => match rng.bool() {
            true => Action::ShutDownEmbedding,
            false => Action::CutEmbedding,
        },
        19 => Action::BeginAnew,
        20 => Action::StopJob(rng.usize(..3)),
        21 => Action::Pause(rng.usize(..8)),
        22..=23 => Action::Reconnect(rng.usize(..8)),
        24..=25 => Action::EndStreams(rng.usize(..3)),
        _ => Action::HoldUp(Duration::from_secs(rng.u64(1..=40))),
    }
}

fn trouble(rng: &mut Rng) -> Trouble {
    match rng.u8(..5) {
        0 => Trouble::Reset,
        1 => Trouble::End,
        2 => Trouble::HalfClose,
        3 => Trouble::Freeze(Duration::from_millis(about(rng, 1, 20_000) as u64)),
        _ => Trouble::Silence,
    }
}

fn kind(rng: &mut Rng) -> Kind {
    match rng.u8(..20) {
        0..=3 => Kind::Forgetful,
        4..=5 => Kind::Slow,
        6..=7 => Kind::Selected,
        8 => Kind::Mapped,
        9..=10 => Kind::Merged,
        11 => Kind::MergedSelected,
        12..=13 => Kind::Feed,
        14 => Kind::Upload,
        15 => Kind::Page,
        16..=18 => Kind::Job,
        _ => Kind::Gone,
    }
}

fn body(rng: &mut Rng, kind: Kind) -> usize {
    match kind {
        Kind::Upload => about(rng, 1, 20_000),
        _ => 0,
    }
}

fn wish(rng: &mut Rng, is_tls: bool) -> Wish {
    let kind = kind(rng);
    let is_redirected = kind != Kind::Upload && rng.u8(..4) == 0;
    Wish {
        kind,
        hops: is_redirected.then(|| rng.u32(..4)),
        is_tls,
        prepares: rng.u8(..3) == 0,
        is_elsewhere: rng.u8(..4) == 0,
        body: body(rng, kind),
        config: client_config(rng),
    }
}

fn client_config(rng: &mut Rng) -> EventSourceConfig {
    let mut config = EventSourceConfig::default();
    #[cfg(feature = "compression")]
    {
        config.accept_gzip = rng.bool();
    }
    config.high_water_mark = about(rng, 1, 64 * 1024);
    config.connect_timeout = Duration::from_secs(rng.u64(5..20));
    config.head_timeout = Duration::from_secs(rng.u64(5..20));
    config.idle_timeout = match rng.bool() {
        true => Some(Duration::from_secs(rng.u64(25..60))),
        false => None,
    };
    config.retry_statuses = vec![StatusCode::REQUEST_TIMEOUT, StatusCode::SERVICE_UNAVAILABLE];
    if let Some(reconnection) = &mut config.reconnection {
        reconnection.time = Duration::from_millis(about(rng, 200, 3000) as u64);
        reconnection.floor = Duration::from_millis(about(rng, 200, 2000) as u64);
        reconnection.ceiling = CEILING;
        reconnection.settled_after = Duration::from_secs(rng.u64(..60));
    }
    config
}

fn server_config(rng: &mut Rng) -> ServerConfig {
    let mut config = ServerConfig::default();
    config.max_connections = match rng.u8(..4) {
        0 => rng.usize(1..6),
        _ => 1000,
    };
    config.shutdown_timeout = Duration::from_millis(about(rng, 1, 10_000) as u64);
    if rng.bool() {
        config.shutdown_spread.ends = Duration::ZERO;
    }
    config.shutdown_spread.per_second = about(rng, 1, 100) as u32;
    let connection = &mut config.connection;
    connection.head_timeout = Duration::from_secs(rng.u64(5..20));
    connection.stall_timeout = Duration::from_secs(rng.u64(5..20));
    connection.drain_timeout = Duration::from_secs(rng.u64(5..20));
    let response = &mut connection.response;
    response.body_timeout = Duration::from_secs(rng.u64(5..20));
    response.respond_timeout = Duration::from_secs(rng.u64(5..20));
    response.keep_alive = match rng.u8(..4) {
        // A quarter of the worlds have no keep-alives, whose wake-ups would hide faults of waking.
        0 => None,
        _ => Some(Duration::from_secs(rng.u64(3..20))),
    };
    response.high_water_mark = about(rng, 1, 64 * 1024);
    config
}

fn topic_config(rng: &mut Rng) -> TopicConfig {
    let mut config = TopicConfig::default();
    compress(rng, &mut config);
    config.max_events = about(rng, 1, 2000);
    // The largest event has room, also beside itself compressed.
    config.max_bytes = about(rng, 8 * 1024, 1024 * 1024);
    #[cfg(feature = "compression")]
    if config.compress {
        config.max_bytes = config.max_bytes.max(16 * 1024);
    }
    config.when_too_slow = match rng.bool() {
        true => WhenTooSlow::Cut,
        false => WhenTooSlow::SkipAhead,
    };
    config.announce = match rng.u8(..6) {
        0 => Announce::Nothing,
        1 | 2 => Announce::Everything,
        _ => Announce::Losses,
    };
    config
}

fn jobs_config(rng: &mut Rng) -> ResumableConfig {
    let mut config = ResumableConfig::default();
    config.topic.budget = Budget::new(1 << 40);
    compress(rng, &mut config.topic);
    config.grace = match rng.u8(..4) {
        0 => None,
        _ => Some(Duration::from_millis(about(rng, 100, 60_000) as u64)),
    };
    config.retention = Duration::from_millis(about(rng, 100, 300_000) as u64);
    config.shutdown_grace = match rng.u8(..4) {
        0 => None,
        _ => Some(Duration::from_millis(about(rng, 1, 10_000) as u64)),
    };
    config
}

/// Lets half of the topics compress their events.
fn compress(rng: &mut Rng, config: &mut TopicConfig) {
    #[cfg(feature = "compression")]
    {
        config.compress = rng.bool();
    }
    #[cfg(not(feature = "compression"))]
    let _ = (rng, config);
}

/// Returns a number between these, as probably a small one as a large one.
fn about(rng: &mut Rng, least: usize, most: usize) -> usize {
    let (least, most) = (least.max(1), most.max(1));
    let drawn = (least as f64) * ((most as f64) / (least as f64)).powf(rng.f64());
    (drawn.round() as usize).clamp(least.min(most), most)
}

/// Returns a share, which is 0 in every third world.
fn share(rng: &mut Rng, most: f64) -> f64 {
    match rng.u8(..3) {
        0 => 0.0,
        _ => rng.f64() * most,
    }
}
