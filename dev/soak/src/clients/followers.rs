//! Event sources that follow a topic, leave, and come back to the same server or, where nodes share the
//! topic, to another.

use std::time::Duration;

use fastrand::Rng;
use sse_tokio::{ClientEvent, EventSource};
use tokio::time::{Instant, sleep, timeout_at};

use super::{World, begin, up_to};
use crate::laws::{Law, Track};

pub(super) async fn follow(world: World, mut draws: Rng) {
    begin(&world, &mut draws).await;
    while !world.is_over() {
        follow_one(&world, &mut draws).await;
    }
}

/// Follows one topic through several lives of a client, which remembers its last event ID.
async fn follow_one(world: &World, draws: &mut Rng) {
    let topics = ["news", "flood", "skip", "log"];
    let topic = topics[draws.usize(..if world.has_log { 4 } else { 3 })];
    let mut track = Track::new(topic);
    for _ in 0..draws.u8(1..10) {
        if world.is_over() {
            return;
        }
        let door = world.door(draws);
        let path = format!("/{topic}");
        let Some(source) = world.source(&door, &path, track.id(), draws) else {
            return;
        };
        let until = Instant::now() + up_to(Duration::from_secs(20), draws);
        // One in four is too slow for topics with large events.
        let pace = Duration::from_millis(if draws.u8(..) < 64 { 200 } else { 0 });
        read(world, source, &mut track, until, pace).await;
        world.pause(up_to(Duration::from_secs(3), draws)).await;
    }
}

async fn read(
    world: &World,
    mut source: EventSource,
    track: &mut Track,
    until: Instant,
    pace: Duration,
) {
    let record = &world.record;
    let mut stop = world.stop.clone();
    loop {
        let update = tokio::select! {
            update = timeout_at(until, source.next_update()) => update,
            _ = stop.wait_for(|it| *it) => return,
        };
        match update {
            // It leaves.
            Err(_) => return,
            Ok(Some(ClientEvent::Event(event))) => {
                track.take(&event, record);
                sleep(pace).await;
            }
            Ok(Some(ClientEvent::Open(_))) => record.count("streams opened"),
            Ok(Some(ClientEvent::Lost { .. })) => record.count("connections lost"),
            Ok(Some(ClientEvent::Closed(end))) => {
                let text = format!("{} at {}: {end:?}", track.topic(), source.url());
                return record.broken(Law::ComesBack, text);
            }
            Ok(Some(ClientEvent::Discarded(error))) => {
                record.broken(Law::NothingLost, error.to_string());
            }
            Ok(Some(_)) => {}
            Ok(None) => return,
        }
    }
}
