//! A server that restarts, and whose clients reconnect to a topic that begins with a snapshot.

use sse_core::{
    Decoded, Decoder,
    topic::{Topic, TopicConfig, TopicSnapshot},
};
use sse_driver::router::{Request, Router};

use crate::{
    harness::{Received, World},
    sim::{Client, Sim},
};

/// Returns a server with the topic at `/`.
fn serve(topic: &Topic) -> World {
    let topic = topic.clone();
    World::new(Router::new().events("/", move |request: Request| topic.resume(&request)))
}

/// Returns the data that a client received, and its last event ID.
fn read(world: &World, client: &mut Client) -> (Vec<String>, String) {
    world.sim.settle();
    client.read_all();
    let body = Received::by(client).body;
    let (mut decoder, mut input, mut data) = (Decoder::new(), body.as_bytes(), Vec::new());
    while let Some(decoded) = decoder.decode(&mut input).unwrap() {
        if let Decoded::Event(event) = decoded {
            data.push(event.data().to_owned());
        }
    }
    (data, decoder.last_event_id().to_owned())
}

#[test]
fn clients_that_come_back_after_restarts_get_each_event_once() {
    const CLIENTS: usize = 4;
    let topic_of = |life: u64| {
        Topic::new(TopicConfig::default(), life, {
            let sim = Sim::new();
            move || sse_core::Clock::now(&sim)
        })
    };
    let mut topic = topic_of(1);
    let mut number = 0;
    let mut seen = vec![(Vec::new(), String::new()); CLIENTS];
    for life in 1..6 {
        let world = serve(&topic);
        let mut clients: Vec<_> = seen
            .iter()
            .enumerate()
            // Each is away in one of the lives.
            .filter(|(index, _)| life % CLIENTS as u64 != *index as u64 || life == 1)
            .map(|(index, (_, id))| (index, world.get(&format!("/?lastEventId={id}"))))
            .collect();
        for _ in 0..3 {
            number += 1;
            topic.publish(number).unwrap();
        }
        for (index, client) in &mut clients {
            let (data, id) = read(&world, client);
            seen[*index].0.extend(data);
            seen[*index].1 = id;
        }
        world.handle.shut_down();
        world.sim.settle();
        topic.publish("between").unwrap();
        topic.close();
        let file = topic.snapshot().to_bytes();
        topic = topic_of(life + 1);
        topic
            .restore(&TopicSnapshot::from_bytes(&file).unwrap())
            .unwrap();
    }
    let world = serve(&topic);
    let mut expected: Vec<_> = (1..=number).map(|n| n.to_string()).collect();
    for at in (1..=5).rev() {
        expected.insert(at * 3, "between".into());
    }
    for (mut data, id) in seen {
        let mut client = world.get(&format!("/?lastEventId={id}"));
        data.extend(read(&world, &mut client).0);
        assert_eq!(data, expected);
    }
}
