//! Clients of every kind. Each is a task that acts until it is told to stop, by draws of its own.

mod answers;
mod followers;
mod liars;
mod visitors;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use fastrand::Rng;
use sse_tokio::{EventSource, EventSourceConfig, StatusCode, tls::rustls::ClientConfig};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::laws::{Law, Record};

/// How long a connection that the server ends may stay open. The server's own deadlines are 2 to 3 s, but
/// the machine may be busy with other work.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// How many clients of each kind there are.
const FOLLOWERS: u64 = 40;
const ANSWERED: u64 = 16;
const VISITORS: u64 = 16;
const LIARS: u64 = 12;

/// A way to a server.
#[derive(Clone, Debug)]
pub(crate) struct Door {
    pub(crate) address: SocketAddr,
    pub(crate) is_secured: bool,
    /// Whether there is a proxy in between.
    pub(crate) is_proxied: bool,
}

impl Door {
    /// Returns the way through the proxy at this address.
    pub(crate) fn through(address: SocketAddr) -> Self {
        Self {
            address,
            is_secured: false,
            is_proxied: true,
        }
    }
}

/// What all clients share.
#[derive(Clone)]
pub(crate) struct World {
    /// The ways to each server.
    pub(crate) doors: Arc<[Vec<Door>]>,
    pub(crate) has_log: bool,
    pub(crate) tls: Arc<ClientConfig>,
    pub(crate) record: Arc<Record>,
    /// True once clients are to stop.
    pub(crate) stop: watch::Receiver<bool>,
}

impl World {
    fn door(&self, draws: &mut Rng) -> Door {
        let server = draws.usize(..self.doors.len());
        self.door_of(server, draws)
    }

    fn door_of(&self, server: usize, draws: &mut Rng) -> Door {
        let doors = &self.doors[server];
        doors[draws.usize(..doors.len())].clone()
    }

    /// Returns a way without a proxy.
    fn direct_door(&self, draws: &mut Rng) -> Door {
        loop {
            let door = self.door(draws);
            if !door.is_proxied {
                return door;
            }
        }
    }

    fn source(&self, door: &Door, path: &str, id: &str, draws: &mut Rng) -> Option<EventSource> {
        let mut config = EventSourceConfig::default();
        config.accept_gzip = draws.bool();
        config.idle_timeout = Some(Duration::from_secs(20));
        config.retry_statuses = vec![
            StatusCode::REQUEST_TIMEOUT,
            StatusCode::TOO_MANY_REQUESTS,
            StatusCode::BAD_GATEWAY,
            StatusCode::SERVICE_UNAVAILABLE,
            StatusCode::GATEWAY_TIMEOUT,
        ];
        let reconnection = config.reconnection.get_or_insert_default();
        reconnection.time = Duration::from_millis(50);
        reconnection.floor = Duration::from_millis(50);
        reconnection.ceiling = Duration::from_secs(2);
        let scheme = if door.is_secured { "https" } else { "http" };
        let url = format!("{scheme}://{}{path}", door.address);
        let source = EventSource::with_config(&url, config).ok()?;
        let source = source.with_tls(self.tls.clone());
        let source = source.with_last_event_id(id.to_owned());
        if source.is_err() {
            let text = format!("the ID {id:?} cannot be sent to {url}");
            self.record.broken(Law::ComesBack, text);
        }
        source.ok()
    }

    fn is_over(&self) -> bool {
        *self.stop.borrow()
    }

    /// Waits for so long, or until all clients are to stop.
    async fn pause(&self, time: Duration) {
        let mut stop = self.stop.clone();
        let _ = timeout(time, stop.wait_for(|it| *it)).await;
    }
}

/// Draws a time up to `longest`; short ones are more frequent.
fn up_to(longest: Duration, draws: &mut Rng) -> Duration {
    longest.mul_f64(draws.f64().powi(3))
}

/// Starts all clients.
pub(crate) fn start(world: &World, draws: &mut Rng) -> JoinSet<()> {
    let mut clients = JoinSet::new();
    for _ in 0..FOLLOWERS {
        clients.spawn(followers::follow(world.clone(), draws.fork()));
    }
    for _ in 0..ANSWERED {
        clients.spawn(answers::read(world.clone(), draws.fork()));
    }
    for _ in 0..VISITORS {
        clients.spawn(visitors::visit(world.clone(), draws.fork()));
    }
    for _ in 0..LIARS {
        clients.spawn(liars::lie(world.clone(), draws.fork()));
    }
    clients
}

/// Lets a client start at its own time.
async fn begin(world: &World, draws: &mut Rng) {
    sleep(up_to(Duration::from_secs(1), draws)).await;
    world.record.count("clients");
}
