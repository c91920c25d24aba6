//! What a client is answered.

use super::*;

/// A server with one node, whose routes do what `ResumableStreams` do.
struct Served {
    world: World,
    feed: Feed,
    log: Faulty,
}

impl Served {
    fn new() -> Self {
        let (feed, journal, log) = (Feed::default(), Journal::default(), Faulty::new());
        let source = feed.clone();
        let on_log = log.clone();
        let world = World::on(move |sim| {
            let streams = node(sim, &on_log);
            let attaches = streams.clone();
            let name = |request: &Request| extract::path::<String, _>(request, "name");
            Router::new()
                .events("/start/{name}", move |request: Request| {
                    let (streams, source) = (streams.clone(), source.clone());
                    let journal = journal.clone();
                    async move {
                        let producer = move |_: Producer| source.stream(&journal);
                        let name = name(&request)?;
                        Ok::<_, Refusal>(streams.attach_or_start(&name, &request, producer).await?)
                    }
                })
                .events("/attach/{name}", move |request: Request| {
                    let streams = attaches.clone();
                    async move {
                        let attached = streams.attach(&name(&request)?, &request).await?;
                        Ok::<_, Refusal>(attached)
                    }
                })
        });
        Self { world, feed, log }
    }

    fn resume(&self, path: &str, id: &str) -> Client {
        let mut client = self.world.connect();
        let fields = format!("Host: sim\r\nLast-Event-ID: {id}");
        client.send(format!("GET {path} HTTP/1.1\r\n{fields}\r\n\r\n"));
        self.world.sim.settle();
        client.read_all();
        self.world.sim.settle();
        client
    }
}

#[test]
fn a_handler_returns_an_attachment_and_its_client_gets_204_404_or_events() {
    let served = Served::new();
    let mut client = served.world.get("/start/x");
    served.feed.push("one");
    served.feed.end();
    served.world.sim.settle();
    client.read_all();
    let got = Received::by(&client);
    assert_eq!(
        got.body,
        format!(
            "id: 7-2\ndata: one\n\nid: 7-3\nevent: end\ndata: {}\n\n",
            end("complete")
        )
    );

    let has_all = served.resume("/attach/x", "7-3");
    assert_eq!(Received::by(&has_all).status, 204);
    let unknown = served.world.get("/attach/y");
    assert_eq!(Received::by(&unknown).status, 404);
    // What was forgotten is not done again.
    let forgotten = served.resume("/start/y", "7-3");
    assert_eq!(Received::by(&forgotten).status, 404);
    served.log.set_down(true);
    let mut away = served.world.get("/attach/z");
    served.world.sim.advance(secs(31));
    away.read_all();
    assert_eq!(Received::by(&away).status, 503);
}
