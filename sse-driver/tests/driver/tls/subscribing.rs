//! The event source over TLS: the protocol that is agreed on, and the lack of one.

use std::{future::poll_fn, sync::Arc};

use sse_core::client::{ClientEvent, EventSourceConfig};
use sse_driver::{Runtime, router::Router, tls::Tls};

use super::authority::{Authority, NAME};
use crate::{
    harness::{Feed, Journal, World, secs},
    sim::Sim,
    subscriber::{Source, Subscriber},
};

fn source(sim: &Sim, tls: Arc<rustls::ClientConfig>) -> Source {
    let url = format!("https://{NAME}/feed");
    let source = Source::on(sim.clone(), url, EventSourceConfig::default());
    source.expect("a good URL").with_tls(tls)
}

fn offering(authority: &Authority, protocols: &[&str]) -> Arc<rustls::ClientConfig> {
    let mut config = authority.client_config();
    let protocols = protocols.iter().map(|name| name.as_bytes().to_vec());
    Arc::make_mut(&mut config).alpn_protocols = protocols.collect();
    config
}

#[test]
fn http_1_1_is_agreed_on_whatever_the_configuration_offers() {
    for protocols in [&[][..], &["h2"], &["h2", "http/1.1"], &["http/1.1"]] {
        let (authority, feed) = (Authority::new(), Feed::default());
        let router = Router::new().events("/feed", feed.handler(&Journal::default()));
        let mut tls = authority.server_config();
        // A server in front of it that prefers HTTP/2 does this.
        Arc::make_mut(&mut tls).alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let world = World::start(router, |server| server.with_tls(tls));
        let source = source(&world.sim, offering(&authority, protocols));
        let subscriber = Subscriber::new(&world.sim, source);
        feed.push("one");
        world.sim.settle();
        assert_eq!(
            subscriber.notes(),
            [&format!("dials {NAME}:443"), "open: 200 OK", "event: one"],
            "{protocols:?}"
        );
    }
}

#[test]
fn a_server_that_speaks_http_2_only_is_a_failure_that_says_so_once() {
    let (sim, authority) = (Sim::new(), Authority::new());
    let mut config = authority.server_config();
    Arc::make_mut(&mut config).alpn_protocols = vec![b"h2".to_vec()];
    let (listener, server) = (sim.listen(), sim.clone());
    sim.spawn(async move {
        while let Ok((transport, _)) = server.accept(&listener).await {
            let mut tls = Tls::server(transport, config.clone()).unwrap();
            let result = poll_fn(|cx| tls.poll_handshake(cx)).await;
            assert!(result.is_err(), "there is no protocol to agree on");
        }
    });
    let subscriber = Subscriber::new(&sim, source(&sim, authority.client_config()));
    sim.advance(secs(600));
    assert_eq!(
        subscriber.notes(),
        [
            &format!("dials {NAME}:443"),
            "hangs up",
            "failed: cannot connect to sim.test:443: the server does not speak HTTP/1.1; send the request \
             with an HTTP client that speaks HTTP/2"
        ]
    );
}

#[test]
fn a_host_that_no_certificate_is_for_is_a_failure_and_is_not_asked_again() {
    for host in ["-sim.test", "a..test", &"a".repeat(64)] {
        let (sim, url) = (Sim::new(), format!("https://{host}/"));
        let source = Source::on(sim.clone(), &url, EventSourceConfig::default());
        let source = source.expect("a good URL");
        let source = source.with_tls(Authority::new().client_config());
        let subscriber = Subscriber::new(&sim, source);
        sim.advance(secs(600));
        let notes = subscriber.notes();
        assert_eq!(
            notes[1..],
            [
                "hangs up",
                &format!(
                    "failed: cannot connect to {host}:443: https needs a host with a valid DNS name \
                     or an address; correct the URL"
                )
            ],
            "{url}"
        );
        assert!(sim.dialed().is_empty());
    }
}

#[test]
fn a_configuration_that_cannot_work_is_a_failure_and_is_not_tried_again() {
    let (world, authority) = (
        World::start(Router::new(), |server| server),
        Authority::new(),
    );
    let mut tls = authority.client_config();
    Arc::make_mut(&mut tls).max_fragment_size = Some(1);
    let subscriber = Subscriber::new(&world.sim, source(&world.sim, tls));
    world.sim.advance(secs(600));
    assert_eq!(
        subscriber.notes(),
        [
            &format!("dials {NAME}:443"),
            "hangs up",
            "failed: cannot connect to sim.test:443: the supplied max_fragment_size was too small or large"
        ]
    );
}

#[test]
fn a_certificate_that_is_not_trusted_comes_with_what_to_do_about_it() {
    let stranger = Authority::named("a stranger");
    let own = Authority::of_its_own();
    for (server, client, told) in [
        (
            stranger.server_config(),
            Authority::new().client_config(),
            "invalid peer certificate: UnknownIssuer: no authority that is trusted has issued it; give others \
             to `with_tls`",
        ),
        (
            own.0,
            own.1,
            "invalid peer certificate: it is that of an authority (CA:TRUE), which no server may use; make it \
             with CA:FALSE, or have the authority issue another one",
        ),
    ] {
        let world = World::start(Router::new(), |it| it.with_tls(server));
        let mut source = source(&world.sim, client);
        let job = world.sim.start(async move {
            while let Some(update) = source.next_update().await {
                if let ClientEvent::Lost { loss, .. } = update {
                    return Some(loss);
                }
            }
            None
        });
        world.sim.advance(secs(1));
        let loss = job.take().expect("it has ended").expect("a loss");
        assert_eq!(
            loss.to_string(),
            format!("cannot connect to {NAME}:443: {told}")
        );
        let cause = loss.cause::<rustls::Error>();
        assert!(matches!(cause, Some(rustls::Error::InvalidCertificate(_))));
    }
}
