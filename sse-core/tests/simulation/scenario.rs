//! The world of a seed: its clients, its settings, its network.

use std::{sync::Arc, time::Duration};

use fastrand::Rng;
use sse_core::{
    client::EventSourceConfig,
    http::StatusCode,
    server::ConnectionConfig,
    topic::{Announce, TopicConfig, WhenTooSlow},
};

use crate::{
    network::Side,
    trouble::{Break, Fate},
};

#[derive(Debug)]
pub(crate) struct Scenario {
    /// The time with faults; there are none after it.
    pub(crate) time: Duration,
    pub(crate) clients: usize,
    /// The share of clients that leave for good at some time.
    pub(crate) leavers: f64,
    /// The share of clients whose requests another HTTP client sends.
    pub(crate) elsewhere: f64,
    /// The share of clients that prepare each attempt.
    pub(crate) preparing: f64,
    pub(crate) pace: Pace,
    /// The number of bursts, and the largest number of events in one.
    pub(crate) bursts: usize,
    pub(crate) burst: u64,
    pub(crate) largest_event: usize,
    /// The number of restarts of the server, of any kind.
    pub(crate) restarts: usize,
    /// The share of requests that the server rejects because it is busy.
    pub(crate) busy: f64,
    /// The share of requests whose handler takes time.
    pub(crate) undecided: f64,
    pub(crate) weather: Weather,
    pub(crate) topic: TopicConfig,
    pub(crate) server: Arc<ConnectionConfig>,
    pub(crate) client: Arc<EventSourceConfig>,
}

/// How clients take their input.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// The largest number of bytes in a read.
    pub(crate) read: usize,
    /// The probability that a client pauses after an event,
    pub(crate) dawdling: f64,
    /// and the longest pause.
    pub(crate) pause: Duration,
}

/// The behaviour of the network.
#[derive(Clone, Debug)]
pub(crate) struct Weather {
    pub(crate) shortest_latency: Duration,
    pub(crate) longest_latency: Duration,
    /// The largest piece in which bytes arrive.
    pub(crate) segment: usize,
    /// The number of bytes on their way in one direction, the buffers at both ends included.
    pub(crate) capacity: usize,
    /// The share of links with a fault.
    pub(crate) trouble: f64,
    /// The mean life of a link that breaks after a time.
    pub(crate) life: Duration,
    /// The time that the server's system waits for acknowledgements.
    pub(crate) user_timeout: Duration,
    /// The time after which the client's system detects that the server is gone.
    pub(crate) probes_fail_after: Duration,
}

impl Scenario {
    pub(crate) fn draw(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let rng = &mut rng;
        let clients = about(rng, 1, 60);
        let bursts = about(rng, 5, 500);
        // The events of all clients together are bounded, so that no seed takes forever.
        let most = (40_000 / clients / bursts).max(1);
        let server = server_config(rng);
        Self {
            time: Duration::from_secs(about(rng, 10, 3600) as u64),
            clients,
            leavers: rng.f64() * 0.5,
            elsewhere: rng.f64(),
            preparing: rng.f64(),
            pace: Pace {
                read: about(rng, 1, 16 * 1024),
                dawdling: match rng.bool() {
                    true => 0.0,
                    false => rng.f64() * 0.2,
                },
                pause: Duration::from_millis(about(rng, 1, 120_000) as u64),
            },
            bursts,
            burst: about(rng, 1, most.min(300)) as u64,
            largest_event: about(rng, 1, 2000),
            restarts: rng.usize(..4),
            busy: share(rng, 0.1),
            undecided: share(rng, 0.1),
            weather: Weather::draw(rng, server.stall_timeout),
            topic: topic_config(rng),
            server: server.into(),
            client: client_config(rng).into(),
        }
    }

    /// Changes the world to very many clients, for a short time.
    pub(crate) fn become_a_crowd(&mut self, clients: usize) {
        self.clients = clients;
        self.time = Duration::from_secs(120);
        self.bursts = 20;
        self.burst = 3;
        self.restarts = 1;
        self.largest_event = 100;
        self.pace.read = 4096;
    }
}

fn server_config(rng: &mut Rng) -> ConnectionConfig {
    let mut config = ConnectionConfig::default();
    config.response.high_water_mark = about(rng, 1, 64 * 1024);
    config.response.keep_alive = Some(Duration::from_secs(rng.u64(5..20)));
    config.stall_timeout = Duration::from_secs(rng.u64(10..40));
    config
}

fn topic_config(rng: &mut Rng) -> TopicConfig {
    let mut config = TopicConfig::default();
    #[cfg(feature = "compression")]
    {
        config.compress = rng.bool();
    }
    config.max_events = about(rng, 1, 2000);
    // The largest event has room, also beside itself compressed.
    config.max_bytes = about(rng, 8 * 1024, 1024 * 1024);
    #[cfg(feature = "compression")]
    if config.compress {
        config.max_bytes = config.max_bytes.max(16 * 1024);
    }
    config.max_age = match rng.u8(..4) {
        0 => Some(Duration::from_secs(about(rng, 1, 600) as u64)),
        _ => None,
    };
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

fn client_config(rng: &mut Rng) -> EventSourceConfig {
    let mut config = EventSourceConfig::default();
    #[cfg(feature = "compression")]
    {
        config.accept_gzip = rng.bool();
    }
    config.high_water_mark = about(rng, 1, 64 * 1024);
    config.idle_timeout = match rng.bool() {
        true => Some(Duration::from_secs(rng.u64(45..90))),
        false => None,
    };
    // A request that took too long on its way gets a 408.
    config.retry_statuses = vec![StatusCode::REQUEST_TIMEOUT, StatusCode::SERVICE_UNAVAILABLE];
    if let Some(reconnection) = &mut config.reconnection {
        reconnection.time = Duration::from_millis(about(rng, 1, 5000) as u64);
        reconnection.floor = Duration::from_millis(about(rng, 1, 1000) as u64);
        reconnection.ceiling = Duration::from_secs(rng.u64(2..60));
        reconnection.settled_after = Duration::from_secs(rng.u64(..60));
    }
    config
}

impl Weather {
    fn draw(rng: &mut Rng, user_timeout: Duration) -> Self {
        let shortest = about(rng, 10, 200_000) as u64;
        let longest = shortest + about(rng, 1, 1_000_000) as u64;
        Self {
            shortest_latency: Duration::from_micros(shortest),
            longest_latency: Duration::from_micros(longest),
            segment: about(rng, 1, 64 * 1024),
            capacity: about(rng, 256, 256 * 1024),
            trouble: rng.f64(),
            life: Duration::from_secs(about(rng, 1, 600) as u64),
            user_timeout,
            probes_fail_after: Duration::from_secs(180),
        }
    }

    /// Lets new links have no fault, and bytes the shortest latency.
    pub(crate) fn calm_down(&mut self) {
        self.trouble = 0.0;
        self.longest_latency = self.shortest_latency;
    }

    pub(crate) fn latency(&self, rng: &mut Rng) -> Duration {
        let range =
            self.shortest_latency.as_micros() as u64..=self.longest_latency.as_micros() as u64;
        Duration::from_micros(rng.u64(range))
    }

    pub(crate) fn fate(&self, rng: &mut Rng) -> Fate {
        if rng.f64() >= self.trouble {
            return Fate::Fine;
        }
        let how = match rng.u8(..6) {
            0 => Break::Reset,
            1 => Break::End,
            2 => Break::HalfClose,
            3 | 4 => Break::Freeze(Duration::from_millis(about(rng, 1, 90_000) as u64)),
            _ => Break::Silence,
        };
        match rng.u8(..20) {
            0 => Fate::Refused,
            1 => Fate::Swallowed,
            2 => Fate::After(Side::Server, rng.usize(..200), how),
            3..=8 => Fate::After(Side::Client, rng.usize(..500), how),
            9..=13 => Fate::After(Side::Client, about(rng, 1, 64 * 1024), how),
            _ => Fate::At(self.life.mul_f64(2.0 * rng.f64()), how),
        }
    }
}

/// Returns a number between these, with small and large ones equally likely.
fn about(rng: &mut Rng, least: usize, most: usize) -> usize {
    let (least, most) = (least.max(1), most.max(1));
    let drawn = (least as f64) * ((most as f64) / (least as f64)).powf(rng.f64());
    (drawn.round() as usize).clamp(least.min(most), most)
}

/// Returns a share, most often 0.
fn share(rng: &mut Rng, most: f64) -> f64 {
    match rng.u8(..3) {
        0 => rng.f64() * most,
        _ => 0.0,
    }
}
