//! The client's address, behind proxies.

use futures_util::stream;
use sse_driver::{
    ServerConfig, TrustedProxies,
    router::{ClientAddress, FromRequest, Refusal, Request, Router},
};

use crate::{
    harness::{Received, World},
    sim::Client,
};

fn whoami() -> Router {
    Router::new()
        .events("/", async |request: Request| {
            let client = ClientAddress::from_request(&request).await?;
            let peer = request.peer_addr().map(|peer| peer.ip());
            Ok::<_, Refusal>(stream::iter([format!("{} by {peer:?}", *client)]))
        })
        .events("/perhaps", async |request: Request| {
            let client = Option::<ClientAddress>::from_request(&request).await?;
            Ok::<_, Refusal>(stream::iter([format!("{client:?}")]))
        })
}

fn proxies() -> TrustedProxies {
    TrustedProxies::with_x_forwarded_for(["127.0.0.0/8"]).unwrap()
}

fn ask(world: &World) -> Client {
    let mut client = world.connect();
    client.send("GET / HTTP/1.1\r\nHost: sim\r\nX-Forwarded-For: 1.1.1.1, 192.0.2.7\r\n\r\n");
    world.sim.settle();
    client.read_all();
    client
}

#[test]
fn a_server_believes_the_proxies_that_it_is_told_to() {
    let world = World::new(whoami());
    let body = Received::by(&ask(&world)).body;
    assert_eq!(body, "data: 127.0.0.1 by Some(127.0.0.1)\n\n");

    let mut config = ServerConfig::default();
    config.trusted_proxies = Some(proxies());
    let world = World::with_config(config, whoami());
    let body = Received::by(&ask(&world)).body;
    assert_eq!(body, "data: 192.0.2.7 by Some(127.0.0.1)\n\n");
}

#[cfg(feature = "http-body")]
#[test]
fn so_does_an_embedding() {
    use crate::embedding::harness::{Reader, World, get, now};

    let world = World::with(|config| config.trusted_proxies = Some(proxies()));
    let routes = whoami().build().unwrap();
    let mut request = get("/");
    let field = "192.0.2.7".parse().unwrap();
    request.headers_mut().insert("x-forwarded-for", field);
    let peer = Some(([127, 0, 0, 1], 5000).into());
    let response = now(&world.sim, world.embedding.route(&routes, request, peer));
    let reader = Reader::start(&world.sim, response.into_body());
    assert_eq!(reader.text(), "data: 192.0.2.7 by Some(127.0.0.1)\n\n");

    // The application did not pass the client's address.
    let response = now(&world.sim, world.embedding.route(&routes, get("/"), None));
    assert_eq!(response.status(), 500);
    let response = world.embedding.route(&routes, get("/perhaps"), None);
    let reader = Reader::start(&world.sim, now(&world.sim, response).into_body());
    assert_eq!(reader.text(), "data: None\n\n");
}

#[cfg(feature = "test-client")]
#[test]
fn so_does_a_test_client() {
    use sse_driver::test_client::{TestClient, TestClock};

    let clock = TestClock::new(std::time::Instant::now());
    let client = TestClient::new(whoami(), &clock)
        .unwrap()
        .with_peer_addr(([127, 0, 0, 1], 5000).into())
        .with_trusted_proxies(proxies());
    let request = sse_core::http::Request::get("/").header("x-forwarded-for", "192.0.2.7");
    let event = clock.run(async {
        let mut response = client.request(request.body(()).unwrap()).await.unwrap();
        response.next_event().await.unwrap().data().to_owned()
    });
    assert_eq!(event.unwrap(), "192.0.2.7 by Some(127.0.0.1)");
}
