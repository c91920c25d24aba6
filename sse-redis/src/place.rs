//! Where the server is, and a connection to it.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Instant,
};

use sse_driver::{Runtime, Timer, Transport};

use crate::{config::RedisConfig, error::RedisError};

/// Connects to the server.
pub(crate) async fn dial<R: Runtime>(
    runtime: &R,
    config: &RedisConfig,
) -> Result<Box<dyn Transport>, RedisError> {
    connect(runtime, &config.host, config.port).await
}

async fn connect<R: Runtime>(
    runtime: &R,
    host: &str,
    port: u16,
) -> Result<Box<dyn Transport>, RedisError> {
    match sse_driver::connect(runtime, host, port).await {
        Ok(transport) => Ok(Box::new(transport)),
        Err(cause) => Err(RedisError::Unreachable {
            server: format!("{host}:{port}"),
            cause: Arc::new(cause),
        }),
    }
}

/// What `future` comes to before the deadline.
pub(crate) async fn within<R: Runtime, T>(
    runtime: &R,
    deadline: Option<Instant>,
    future: impl Future<Output = T>,
) -> Option<T> {
    let mut future = pin!(future);
    let mut timer = deadline.map(|deadline| runtime.timer(deadline));
    poll_fn(|cx| {
        if let Poll::Ready(result) = future.as_mut().poll(cx) {
            return Poll::Ready(Some(result));
        }
        match &mut timer {
            Some(timer) => timer.poll_elapsed(cx).map(|()| None),
            None => Poll::Pending,
        }
    })
    .await
}
