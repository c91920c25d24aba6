//! The task of a connection: it connects, drives the connection, and connects again.

use std::{future::poll_fn, sync::Arc, time::Duration};

use sse_driver::Runtime;

use crate::{
    config::RedisConfig,
    driving::Driving,
    error::RedisError,
    link::Link,
    place::{dial, within},
    scripts::Names,
    subscriptions::Subscriptions,
};

/// The shortest wait between two connection attempts.
const SHORTEST_WAIT: Duration = Duration::from_millis(10);

/// The longest wait between two connection attempts.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// The connections of a log.
pub(crate) struct Connections {
    pub(crate) config: RedisConfig,
    /// Runs scripts.
    pub(crate) commands: Link,
    /// Runs publishes that wait for replicas. `None` where they do not wait.
    pub(crate) replicated: Option<Link>,
    /// Has the subscriptions, and no requests.
    pub(crate) subscribed: Link,
    pub(crate) subscriptions: Arc<Subscriptions>,
    pub(crate) names: Names,
}

/// The purpose of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Commands,
    Replicated,
    Subscribed,
}

impl Connections {
    pub(crate) fn new(config: RedisConfig) -> Self {
        Self {
            commands: Link::new(&config),
            replicated: (config.replicas > 0).then(|| Link::new(&config)),
            subscribed: Link::new(&config),
            subscriptions: Arc::default(),
            names: Names::default(),
            config,
        }
    }

    /// Returns the purposes of the log's connections.
    pub(crate) fn purposes(&self) -> impl Iterator<Item = Purpose> + use<> {
        let replicated = self.replicated.as_ref().map(|_| Purpose::Replicated);
        [Purpose::Commands, Purpose::Subscribed]
            .into_iter()
            .chain(replicated)
    }

    pub(crate) fn link(&self, purpose: Purpose) -> &Link {
        match purpose {
            Purpose::Commands => &self.commands,
            Purpose::Replicated => self.publishes(),
            Purpose::Subscribed => &self.subscribed,
        }
    }

    /// Returns the connection for publishes.
    pub(crate) fn publishes(&self) -> &Link {
        self.replicated.as_ref().unwrap_or(&self.commands)
    }

    pub(crate) fn links(&self) -> impl Iterator<Item = &Link> {
        self.purposes().map(|purpose| self.link(purpose))
    }

    pub(crate) fn close(&self) {
        self.links().for_each(Link::close);
    }
}

/// Tells the waiting requests that the runtime has dropped the task.
struct Running<'a>(&'a Connections, Purpose);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.link(self.1).close();
    }
}

/// Runs a connection for as long as the log is used.
pub(crate) async fn run<R: Runtime>(runtime: R, connections: Arc<Connections>, purpose: Purpose) {
    let config = &connections.config;
    let link = connections.link(purpose);
    let _running = Running(&connections, purpose);
    let redial = config.redial.clamp(SHORTEST_WAIT, LONGEST_WAIT);
    let mut wait = redial;
    while !link.is_closed() {
        let open_by = runtime.now().checked_add(config.dial_timeout);
        let error = match within(&runtime, open_by, dial(&runtime, config)).await {
            None => RedisError::TimedOut,
            Some(Err(error)) => error,
            Some(Ok(transport)) => {
                let mut driving = Driving::new(&runtime, &connections, purpose, transport, open_by);
                let error = poll_fn(|cx| driving.poll(cx)).await;
                if driving.was_open() {
                    wait = redial;
                }
                error
            }
        };
        link.lost(&error);
        if purpose == Purpose::Subscribed {
            connections.subscriptions.lost(&error);
        }
        let until = runtime.now().checked_add(wait);
        within(&runtime, until, poll_fn(|cx| link.poll_closed(cx))).await;
        wait = wait.saturating_mul(2).min(LONGEST_WAIT);
    }
}
