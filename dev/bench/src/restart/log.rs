//! A log on Redis, and its publisher, which outlives the servers.

use std::{sync::mpsc, thread};

use tokio::sync::mpsc as tasks;

use crate::{
    Result,
    events::Clock,
    redis::Redis,
    server::{tokio_runtime, topic_on_redis},
};

pub(crate) struct Log {
    redis: Redis,
}

impl Log {
    /// Starts a server and a publisher, and returns once the log has a history.
    pub(crate) fn start(clock: Clock) -> Result<Self> {
        let redis = Redis::start()?;
        let port = redis.port();
        let (ready, is_ready) = mpsc::channel();
        // The thread ends with Redis.
        thread::spawn(move || ready.send(publish(port, clock, &ready)));
        is_ready.recv()??;
        Ok(Self { redis })
    }

    pub(crate) fn port(&self) -> u16 {
        self.redis.port()
    }
}

/// Publishes each event in order, and reports after the first one.
fn publish(port: u16, clock: Clock, ready: &mpsc::Sender<Result<()>>) -> Result<()> {
    tokio_runtime()?.block_on(async {
        let topic = topic_on_redis(port).await?;
        let (sender, mut due) = tasks::unbounded_channel();
        clock.publish(move |number| {
            // This fails when the publisher has ended.
            let _ = sender.send(number);
        });
        while let Some(number) = due.recv().await {
            topic.publish(number.to_string()).await?;
            // No receiver waits for the later ones.
            let _ = ready.send(Ok(()));
        }
        Ok(())
    })
}
