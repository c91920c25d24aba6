//! The server over TLS, in virtual time.

use std::{
    io::{Read, Write},
    sync::Arc,
};

use rustls::{ClientConnection, HandshakeKind, pki_types::ServerName};
use sse_driver::{ServerConfig, router::Router};

use super::authority::{Authority, NAME};
use crate::{
    harness::{Feed, Journal, MILLI, Received, World, secs},
    sim::Client,
};

struct TlsWorld {
    world: World,
    authority: Authority,
    feed: Feed,
    journal: Journal,
}

impl TlsWorld {
    fn new() -> Self {
        Self::with_config(ServerConfig::default())
    }

    fn with_config(config: ServerConfig) -> Self {
        Self::with(config, |_| {})
    }

    /// Starts a server with a TLS configuration that is changed by `change`.
    fn with_tls(change: impl FnOnce(&mut rustls::ServerConfig)) -> Self {
        Self::with(ServerConfig::default(), change)
    }

    fn with(config: ServerConfig, change: impl FnOnce(&mut rustls::ServerConfig)) -> Self {
        let (authority, feed, journal) = (Authority::new(), Feed::default(), Journal::default());
        let router = Router::new().events("/feed", feed.handler(&journal));
        let mut tls = authority.server_config();
        change(Arc::make_mut(&mut tls));
        let world = World::start(router, |server| server.with_config(config).with_tls(tls));
        Self {
            world,
            authority,
            feed,
            journal,
        }
    }

    fn connect(&self) -> TlsClient {
        self.over(self.world.connect())
    }

    fn over(&self, client: Client) -> TlsClient {
        let name = ServerName::try_from(NAME).unwrap();
        TlsClient {
            client,
            tls: ClientConnection::new(self.authority.client_config(), name).unwrap(),
            received: String::new(),
            end: None,
        }
    }

    /// Returns a client that has requested `path`, and has read the first output.
    fn get(&self, path: &str) -> TlsClient {
        let mut client = self.connect();
        client.get(path);
        self.settle(&mut client);
        client
    }

    /// Runs until neither side has anything to send.
    fn settle(&self, client: &mut TlsClient) {
        while client.exchange() {
            self.world.sim.settle();
        }
    }
}

struct TlsClient {
    client: Client,
    tls: ClientConnection,
    received: String,
    /// How the server's output has ended: whether with `close_notify`.
    end: Option<bool>,
}

impl TlsClient {
    fn get(&mut self, path: &str) {
        self.say(&format!("GET {path} HTTP/1.1\r\nHost: sim\r\n\r\n"));
    }

    fn say(&mut self, text: &str) {
        self.tls.writer().write_all(text.as_bytes()).unwrap();
    }

    /// Sends and reads all available bytes. Returns whether there were any.
    fn exchange(&mut self) -> bool {
        self.send() | self.receive(usize::MAX)
    }

    fn send(&mut self) -> bool {
        let mut ciphertext = Vec::new();
        while self.tls.wants_write() {
            self.tls.write_tls(&mut ciphertext).unwrap();
        }
        !ciphertext.is_empty() && self.client.send(&ciphertext) > 0
    }

    fn receive(&mut self, at_most: usize) -> bool {
        let count = match at_most {
            usize::MAX => self.client.read_all(),
            _ => self.client.read(at_most),
        };
        let ciphertext = self.client.take_received();
        let mut rest = &ciphertext[..];
        while !rest.is_empty() {
            if self.tls.read_tls(&mut rest).unwrap() == 0 {
                break;
            }
            let state = self.tls.process_new_packets().unwrap();
            let mut plaintext = vec![0; state.plaintext_bytes_to_read()];
            self.tls.reader().read_exact(&mut plaintext).unwrap();
            self.received += std::str::from_utf8(&plaintext).unwrap();
            if state.peer_has_closed() {
                self.end = Some(true);
            }
        }
        if self.client.at_end() {
            self.end.get_or_insert(false);
        }
        count > 0
    }

    fn answer(&self) -> Received {
        Received::parse(&self.received)
    }
}

#[test]
fn an_event_stream_is_served_and_ends_with_close_notify() {
    let tls = TlsWorld::new();
    let mut client = tls.get("/feed");
    assert_eq!(client.answer().status, 200);
    assert_eq!(client.tls.alpn_protocol(), None);

    tls.feed.push("one");
    tls.world.sim.settle();
    tls.settle(&mut client);
    assert_eq!(client.answer().body, "data: one\n\n");
    tls.world.sim.advance(secs(15));
    tls.settle(&mut client);
    assert_eq!(client.answer().body, "data: one\n\n:\n");

    tls.feed.end();
    tls.world.sim.settle();
    tls.settle(&mut client);
    assert!(client.answer().complete);
    assert_eq!(client.end, Some(true));
    assert_eq!(tls.world.handle.open_connections(), 0);
    assert_eq!(
        tls.journal.lines(),
        ["stream dropped", "clean-up: the stream ended"]
    );
}

/// The end of an HTTP/1.0 body is that of the connection: only `close_notify` tells whether it is
/// complete.
#[test]
fn a_stream_that_breaks_off_is_sent_up_to_there_and_ends_without_close_notify() {
    for version in ["HTTP/1.0", "HTTP/1.1"] {
        for fails in [true, false] {
            let tls = TlsWorld::new();
            let mut client = tls.connect();
            client.say(&format!("GET /feed {version}\r\nHost: sim\r\n\r\n"));
            tls.settle(&mut client);
            tls.feed.push("one");
            match fails {
                true => tls.feed.fail("the database is gone"),
                false => tls.feed.end(),
            }
            tls.world.sim.settle();
            tls.settle(&mut client);
            assert_eq!(client.answer().body, "data: one\n\n", "{version}");
            assert_eq!(client.end, Some(!fails), "{version}");
            let reason = match fails {
                true => "clean-up: the stream failed: the database is gone",
                false => "clean-up: the stream ended",
            };
            assert_eq!(tls.journal.lines(), ["stream dropped", reason]);
            assert_eq!(tls.world.handle.open_connections(), 0);
        }
    }
}

/// A record has up to 16 KiB, and nothing more is written while it is on its way.
#[test]
fn a_client_that_takes_a_record_slowly_has_not_stalled() {
    let tls = TlsWorld::new();
    let mut client = tls.over(tls.world.sim.connect_over(2000).unwrap());
    client.get("/feed");
    tls.settle(&mut client);
    tls.feed.push("x".repeat(40_000).leak());
    for _ in 0..16 {
        tls.world.sim.advance(secs(10));
        client.receive(1000);
        tls.world.sim.settle();
    }
    assert_eq!(tls.world.handle.open_connections(), 1);

    tls.world.sim.advance(secs(29));
    assert_eq!(tls.world.handle.open_connections(), 1);
    tls.world.sim.advance(secs(1));
    assert_eq!(tls.world.handle.open_connections(), 0);
    assert_eq!(
        tls.journal.lines(),
        [
            "stream dropped",
            "clean-up: the client took no bytes for too long"
        ]
    );
}

#[test]
fn http_1_1_is_agreed_on_and_nothing_else() {
    // The configuration may be shared with a server that speaks HTTP/2.
    for named in [&[][..], &["http/1.1"], &["h2", "http/1.1"], &["h2"]] {
        let named = named.iter().map(|name| (*name).into()).collect();
        let tls = TlsWorld::with_tls(|config| config.alpn_protocols = named);
        for (offered, agreed) in [(&["h2", "http/1.1"][..], true), (&["h2"], false)] {
            let mut client = tls.connect();
            let mut config = (*tls.authority.client_config()).clone();
            config.alpn_protocols = offered.iter().map(|name| (*name).into()).collect();
            let name = ServerName::try_from(NAME).unwrap();
            client.tls = ClientConnection::new(config.into(), name).unwrap();
            client.send();
            tls.world.sim.settle();
            client.client.read_all();
            let ciphertext = client.client.take_received();
            client.tls.read_tls(&mut &ciphertext[..]).unwrap();
            let result = client.tls.process_new_packets();
            assert_eq!(result.is_ok(), agreed, "{result:?}");
            if agreed {
                assert_eq!(client.tls.alpn_protocol(), Some(&b"http/1.1"[..]));
            }
        }
    }
}

/// An attacker could send early data again.
#[test]
fn no_early_data_is_taken_whatever_the_configuration_says() {
    let tls = TlsWorld::with_tls(|config| config.max_early_data_size = 16 * 1024);
    let mut config = (*tls.authority.client_config()).clone();
    config.enable_early_data = true;
    let config = Arc::new(config);
    for resumes in [false, true] {
        let mut client = tls.connect();
        let name = ServerName::try_from(NAME).unwrap();
        client.tls = ClientConnection::new(config.clone(), name).unwrap();
        let offered = client.tls.early_data().is_some();
        assert!(!offered, "the ticket of before says that it is taken");
        client.get("/feed");
        tls.settle(&mut client);
        assert_eq!(client.answer().status, 200);
        let has_resumed = client.tls.handshake_kind() == Some(HandshakeKind::Resumed);
        assert_eq!(has_resumed, resumes);
    }
}

#[test]
fn a_client_that_goes_away_is_noticed_however_it_goes() {
    let tls = TlsWorld::new();
    let goodbyes: [fn(TlsClient); 3] = [
        |mut client| {
            client.tls.send_close_notify();
            client.send();
        },
        |client| client.client.close(),
        |client| client.client.reset(),
    ];
    for (times, goodbye) in goodbyes.into_iter().enumerate() {
        let client = tls.get("/feed");
        assert_eq!(tls.world.handle.open_connections(), 1);
        goodbye(client);
        tls.world.sim.settle();
        assert_eq!(tls.world.handle.open_connections(), 0);
        let went = ["stream dropped", "clean-up: the client went away"];
        assert_eq!(tls.journal.lines(), went.repeat(times + 1));
    }
    assert_eq!(tls.world.sim.elapsed(), secs(0));
}

#[test]
fn the_heads_deadline_holds_for_the_handshake_too() {
    let tls = TlsWorld::new();
    let mut client = tls.connect();
    let mut hello = Vec::new();
    client.tls.write_tls(&mut hello).unwrap();
    for byte in &hello[..99] {
        client.client.send([*byte]);
        tls.world.sim.advance(secs(1) / 10);
    }
    tls.world.sim.advance(secs(1) / 10 - MILLI);
    assert_eq!(tls.world.handle.open_connections(), 1);
    tls.world.sim.advance(MILLI);
    assert_eq!(tls.world.handle.open_connections(), 0);
    assert!(client.client.server_side().is_closed());

    // A slow handshake leaves the request only the rest of the time.
    let mut client = tls.connect();
    tls.world.sim.advance(secs(9));
    tls.settle(&mut client);
    client.tls.writer().write_all(b"GET /feed HT").unwrap();
    tls.settle(&mut client);
    assert!(!client.tls.is_handshaking());
    tls.world.sim.advance(secs(1) - MILLI);
    tls.settle(&mut client);
    assert_eq!(client.received, "");
    tls.world.sim.advance(MILLI);
    tls.settle(&mut client);
    assert_eq!(client.answer().status, 408);
    assert_eq!(client.end, Some(true));
}

#[test]
fn at_the_limit_newcomers_are_told_so_over_tls() {
    let mut config = ServerConfig::default();
    config.max_connections = 1;
    let tls = TlsWorld::with_config(config);
    let mut first = tls.get("/feed");

    // One client sends a request, and one only makes the handshake.
    let refused = tls.get("/feed");
    assert_eq!(refused.answer().status, 503);
    assert_eq!(refused.end, Some(true));
    let mut refused = tls.connect();
    tls.settle(&mut refused);
    assert_eq!(refused.answer().status, 503);

    // A client that does not even do that is not waited for without end.
    let _silent = tls.connect();
    let tasks = tls.world.sim.live_tasks();
    tls.world.sim.advance(secs(30));
    assert!(tls.world.sim.live_tasks() < tasks);

    tls.feed.push("still here");
    tls.world.sim.settle();
    tls.settle(&mut first);
    assert!(first.answer().body.ends_with("data: still here\n\n"));
}

#[test]
fn a_client_with_plain_http_is_cut_and_harms_no_other() {
    let tls = TlsWorld::new();
    let mut neighbour = tls.get("/feed");
    for _ in 0..100 {
        let mut plain = tls.world.connect();
        plain.get("/feed");
        tls.world.sim.settle();
        plain.read_all();
        assert!(plain.at_end());
        // It gets an alert, and no response.
        assert_eq!(plain.take_received().first(), Some(&21));
    }
    assert_eq!(tls.world.handle.open_connections(), 1);
    tls.feed.push("still here");
    tls.world.sim.settle();
    tls.settle(&mut neighbour);
    assert_eq!(neighbour.answer().body, "data: still here\n\n");
}

#[test]
fn a_slow_reader_holds_up_its_own_stream_and_loses_nothing() {
    const IN_FLIGHT: usize = 2048;
    let tls = TlsWorld::new();
    let mut client = tls.over(tls.world.sim.connect_over(IN_FLIGHT).unwrap());
    client.get("/feed");
    tls.settle(&mut client);

    let (events, text) = (1000, "x".repeat(1024 - "data: \n\n".len()));
    tls.feed.push_many(events, &text);
    tls.world.sim.settle();
    let taken = (events - tls.feed.left()) * 1024;
    let most =
        ServerConfig::default().connection.response.high_water_mark + 16 * 1024 + IN_FLIGHT + 1024;
    assert!((IN_FLIGHT..=most).contains(&taken), "{taken} were taken");

    // It takes the smallest pieces, and there are new keys now and then.
    let mut sips = 0;
    while client.receive(700) {
        sips += 1;
        if sips % 100 == 0 {
            client.tls.refresh_traffic_keys().unwrap();
        }
        client.send();
        tls.world.sim.settle();
    }
    assert_eq!(tls.feed.left(), 0);
    let expected = format!("data: {text}\n\n").repeat(events);
    assert!(client.answer().body == expected);
}

#[test]
fn an_event_costs_one_poll_and_one_write_and_no_read() {
    let tls = TlsWorld::new();
    let mut client = tls.get("/feed");
    let seen = client.client.server_side();
    let (polls, reads, writes) = (tls.world.sim.polls(), seen.reads(), seen.writes());
    for _ in 0..10 {
        tls.feed.push("x");
        tls.world.sim.settle();
        tls.settle(&mut client);
    }
    assert_eq!(seen.writes() - writes, 10);
    assert_eq!(seen.reads() - reads, 0);
    assert_eq!(tls.world.sim.polls() - polls, 10);
    assert_eq!(client.answer().body, "data: x\n\n".repeat(10));
}

#[test]
fn being_able_to_write_again_costs_no_read() {
    let tls = TlsWorld::new();
    let mut client = tls.over(tls.world.sim.connect_over(512).unwrap());
    client.get("/feed");
    tls.settle(&mut client);
    tls.feed.push("x".repeat(8192));
    tls.world.sim.settle();
    // The first read may write: the read side waited to write during the handshake.
    client.receive(usize::MAX);
    tls.world.sim.settle();
    let seen = client.client.server_side();
    let (reads, writes) = (seen.reads(), seen.writes());
    for _ in 0..10 {
        client.receive(usize::MAX);
        tls.world.sim.settle();
    }
    assert_eq!(seen.writes() - writes, 10);
    assert_eq!(seen.reads() - reads, 0);
}
