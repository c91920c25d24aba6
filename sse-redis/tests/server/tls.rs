//! TLS to Redis.

use std::{fs, time::Duration};

use sse_driver::core::Event;
use sse_driver::event_log::EventLog;
use sse_redis::{RedisConfig, RedisLog, RedisTls};
use sse_suite::{Adapter, port::Port, tls::Authority};

use crate::{
    PATIENCE,
    faults::failure,
    nodes::{listen, node, publish, take_many},
    server::Server,
};

/// Starts a server with a certificate for this host, which asks clients for one of the authority's
/// if `asks` is true. The settings trust the authority.
fn secured(authority: &Authority, host: &str, asks: bool) -> (Server, RedisConfig) {
    let mut server = Server::absent(&[]);
    let (certificate, key) = authority.certify(host);
    let file = |name: &str, text: &str| {
        let path = server.folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let files = [
        ("--tls-cert-file", file("certificate.pem", &certificate)),
        ("--tls-key-file", file("key.pem", &key)),
        (
            "--tls-ca-cert-file",
            file("authority.pem", &authority.pem()),
        ),
    ];
    let asks = if asks { "yes" } else { "no" };
    let own = [("--tls-auth-clients", asks.to_owned())];
    let arguments: Vec<_> = files.into_iter().chain(own).collect();
    let tls_port = Port::reserve();
    let port = [("--tls-port", tls_port.number().to_string())];
    let all = arguments.iter().chain(&port);
    let all = all.flat_map(|(name, value)| [(*name).to_owned(), value.clone()]);
    server.arguments = all.collect();
    assert!(server.start_again());
    let mut config = server.config();
    config.port = tls_port.number();
    server.tls = Some(tls_port);
    let mut tls = RedisTls::default();
    tls.config = Some(authority.client());
    config.tls = Some(tls);
    (server, config)
}

pub(crate) async fn events_go_over_tls<A: Adapter>() {
    let authority = Authority::new();
    let (_server, config) = secured(&authority, "127.0.0.1", false);
    let node = node::<A>(RedisLog::on(A::Runtime::default(), config)).await;
    let mut stream = listen(&node);
    for number in 1..=100 {
        publish(&node, number).await;
    }
    let (got, told) = take_many::<A>(&mut stream, 100).await;
    assert_eq!((got, told), ((1..=100).collect(), vec![]));
}

pub(crate) async fn a_certificate_of_another_authority_or_name_is_an_error_that_says_so<
    A: Adapter,
>() {
    let authority = Authority::new();
    let (_server, config) = secured(&authority, "redis.example", false);
    let log = |change: fn(&mut RedisTls)| {
        let mut config = config.clone();
        config.publish_timeout = Duration::from_millis(200);
        change(config.tls.as_mut().unwrap());
        RedisLog::on(A::Runtime::default(), config)
    };
    let named = log(|tls| tls.server_name = Some("redis.example".into()));
    named.ready(PATIENCE).await.unwrap();
    let misnamed = log(|_| {});
    let error = misnamed.ready(Duration::ZERO).await.unwrap_err();
    assert_eq!(error.name(), "unreachable");
    assert!(error.to_string().contains("not valid for name"), "{error}");
    let strange = log(|tls| {
        tls.server_name = Some("redis.example".into());
        tls.config = Some(Authority::new().client());
    });
    let error = strange.ready(Duration::ZERO).await.unwrap_err();
    assert!(
        error.to_string().contains("invalid peer certificate"),
        "{error}"
    );
    let result = strange.append(&"news".into(), Event::new("1")).await;
    assert_eq!(failure(result), ("unreachable", false));
}

pub(crate) async fn a_server_that_asks_for_a_certificate_gets_one<A: Adapter>() {
    let authority = Authority::new();
    let (_server, mut config) = secured(&authority, "127.0.0.1", true);
    let bare = RedisLog::on(A::Runtime::default(), config.clone());
    bare.ready(Duration::ZERO).await.unwrap_err();
    let identity = authority.identify("events.example");
    config.tls.as_mut().unwrap().config = Some(authority.client_known_as(Some(&identity)));
    let log = RedisLog::on(A::Runtime::default(), config);
    log.ready(PATIENCE).await.unwrap();
}
