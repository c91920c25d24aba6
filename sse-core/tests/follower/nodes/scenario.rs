//! The parameters of a world.

use std::time::Duration;

use fastrand::Rng;
use sse_core::topic::follower::FollowerConfig;

#[derive(Clone, Debug)]
pub(super) struct Scenario {
    pub(super) time: Duration,
    pub(super) nodes: usize,
    pub(super) clients: usize,
    pub(super) bursts: u64,
    pub(super) burst: u64,
    /// The number of events that the log keeps.
    pub(super) keep: Option<u64>,
    /// The number of times that it begins another epoch.
    pub(super) epochs: u64,
    pub(super) restarts: u64,
    pub(super) outages: u64,
    /// The share of bells that do not arrive.
    pub(super) bells_lost: f64,
    pub(super) bells_doubled: f64,
    /// The share of bells that carry their event.
    pub(super) bells_full: f64,
    pub(super) requests_lost: f64,
    /// The longest time that anything is on its way.
    pub(super) latency: Duration,
    /// The share of reads after which a client changes to another node.
    pub(super) hops: f64,
    /// The longest time that a client takes to read.
    pub(super) slowness: Duration,
    /// The number of events in a node's topic.
    pub(super) topic_events: usize,
    pub(super) client_page: usize,
    pub(super) follower: FollowerConfig,
}

impl Scenario {
    pub(super) fn draw(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let rng = &mut rng;
        let often = |rng: &mut Rng, most: f64| match rng.u8(0..3) {
            0 => 0.0,
            _ => rng.f64() * most,
        };
        let mut follower = FollowerConfig::default();
        follower.warm_events = rng.u64(0..20);
        follower.page_events = rng.usize(1..30);
        follower.max_ahead_events = rng.usize(0..20);
        Self {
            time: Duration::from_secs(rng.u64(20..300)),
            nodes: rng.usize(1..4),
            clients: rng.usize(1..12),
            bursts: rng.u64(1..80),
            burst: rng.u64(1..40),
            keep: rng.bool().then(|| rng.u64(0..200)),
            epochs: rng.u64(0..8).saturating_sub(5),
            restarts: rng.u64(0..6),
            outages: rng.u64(0..4),
            bells_lost: often(rng, 1.0),
            bells_doubled: often(rng, 0.5),
            bells_full: rng.f64(),
            requests_lost: often(rng, 0.4),
            latency: Duration::from_millis(rng.u64(1..3_000)),
            hops: often(rng, 0.3),
            slowness: Duration::from_millis(rng.u64(1..4_000)),
            topic_events: rng.usize(1..60),
            client_page: rng.usize(1..30),
            follower,
        }
    }
}
