//! The address of the server, and a connection to it.

use std::{
    future::{Future, poll_fn},
    io,
    pin::pin,
    sync::Arc,
    task::Poll,
    time::Instant,
};

use redis::{Value, cmd};
use sse_driver::{Runtime, Timer, Transport};

use crate::{
    config::{RedisConfig, SentinelConfig},
    error::RedisError,
    machine::Limits,
    wire::Wire,
};

impl Limits {
    pub(crate) fn of(config: &RedisConfig) -> Self {
        Self {
            answer_timeout: config.answer_timeout,
            ping_after: config.ping_after,
            max_answer_bytes: config.max_answer_bytes,
        }
    }
}

/// Connects to the server, after Sentinel has named it.
pub(crate) async fn dial<R: Runtime>(
    runtime: &R,
    config: &RedisConfig,
) -> Result<Box<dyn Transport>, RedisError> {
    match &config.sentinel {
        None => connect(runtime, config, &config.host, config.port).await,
        Some(sentinel) => {
            let (host, port) = find_master(runtime, config, sentinel).await?;
            connect(runtime, config, &host, port).await
        }
    }
}

/// Asks the Sentinels one after the other for the master.
async fn find_master<R: Runtime>(
    runtime: &R,
    config: &RedisConfig,
    sentinel: &SentinelConfig,
) -> Result<(String, u16), RedisError> {
    let mut cause = None;
    for (host, port) in &sentinel.addresses {
        let by = runtime.now().checked_add(sentinel.timeout);
        let asking = ask_sentinel(runtime, config, sentinel, host, *port);
        match within(runtime, by, asking).await {
            Some(Ok(master)) => return Ok(master),
            Some(Err(error)) => cause = Some(Box::new(error)),
            None => cause = Some(Box::new(RedisError::TimedOut)),
        }
    }
    Err(RedisError::NoMaster {
        master: sentinel.master.clone(),
        cause,
    })
}

async fn ask_sentinel<R: Runtime>(
    runtime: &R,
    config: &RedisConfig,
    sentinel: &SentinelConfig,
    host: &str,
    port: u16,
) -> Result<(String, u16), RedisError> {
    let mut requests = Vec::new();
    if let Some(password) = &sentinel.password {
        let mut auth = cmd("AUTH");
        auth.arg(&sentinel.user).arg(password);
        requests.push(auth.get_packed_command());
    }
    let mut question = cmd("SENTINEL");
    question
        .arg("GET-MASTER-ADDR-BY-NAME")
        .arg(&sentinel.master);
    requests.push(question.get_packed_command());
    let transport = connect(runtime, config, host, port).await?;
    let wire = Wire::new(runtime.clone(), transport, Limits::of(config));
    let answer = wire.ask(&requests).await?.pop();
    parse_address(answer).ok_or_else(|| {
        let text = format!("the Sentinel at {host}:{port} does not know the master");
        RedisError::Answer(text)
    })
}

fn parse_address(answer: Option<Value>) -> Option<(String, u16)> {
    let parts = answer?.into_sequence().ok()?;
    match <[Value; 2]>::try_from(parts).ok()? {
        [Value::BulkString(host), Value::BulkString(port)] => {
            let port = str::from_utf8(&port).ok()?.parse().ok()?;
            Some((String::from_utf8(host).ok()?, port))
        }
        _ => None,
    }
}

async fn connect<R: Runtime>(
    runtime: &R,
    config: &RedisConfig,
    host: &str,
    port: u16,
) -> Result<Box<dyn Transport>, RedisError> {
    let connecting = async {
        let transport = sse_driver::connect(runtime, host, port).await?;
        secure(runtime, config, host, transport).await
    };
    connecting.await.map_err(|cause| RedisError::Unreachable {
        server: format!("{host}:{port}"),
        cause: Arc::new(cause),
    })
}

/// Returns the transport, with TLS over it if that is set.
#[cfg(feature = "tls")]
async fn secure<R: Runtime>(
    runtime: &R,
    config: &RedisConfig,
    host: &str,
    transport: R::Transport,
) -> io::Result<Box<dyn Transport>> {
    use sse_driver::tls::{Tls, rustls::pki_types::ServerName};

    let Some(settings) = &config.tls else {
        return Ok(Box::new(transport));
    };
    let tls = match &settings.config {
        Some(tls) => tls.clone(),
        None => runtime.client_tls()?,
    };
    let mut tls = Arc::unwrap_or_clone(tls);
    // The protocol has no ALPN name.
    tls.alpn_protocols.clear();
    let name = settings.server_name.as_deref().unwrap_or(host);
    let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
    let mut tls = Tls::client(transport, Arc::new(tls), name).map_err(io::Error::other)?;
    poll_fn(|cx| tls.poll_handshake(cx)).await?;
    Ok(Box::new(tls))
}

#[cfg(not(feature = "tls"))]
async fn secure<R: Runtime>(
    _: &R,
    _: &RedisConfig,
    _: &str,
    transport: R::Transport,
) -> io::Result<Box<dyn Transport>> {
    Ok(Box::new(transport))
}

/// Returns the output of `future`, or an error at the deadline.
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
