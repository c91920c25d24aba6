//! Clients of resumable streams: each reads an answer to its end, through losses and pauses.

use std::time::Duration;

use fastrand::Rng;
use sse_tokio::{
    ClientEvent, MessageEvent,
    client::{End, Failure},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout, timeout_at},
};

use super::{PATIENCE, World, begin, up_to};
use crate::{
    laws::{Law, Record},
    server::ANSWER,
};

pub(super) async fn read(world: World, mut draws: Rng) {
    begin(&world, &mut draws).await;
    while !world.is_over() {
        let mut reader = Reader::new(&mut draws, &world);
        for _ in 0..draws.u8(1..8) {
            if reader.is_done || world.is_over() {
                break;
            }
            reader.attach(&world, &mut draws).await;
            // Mostly shorter than the producer waits for a listener.
            world.pause(up_to(Duration::from_secs(3), &mut draws)).await;
        }
        if draws.u8(..) < 32 {
            reader.stop(&world, &mut draws).await;
        }
    }
}

/// What one client has of an answer.
struct Reader {
    server: usize,
    name: String,
    id: String,
    next: u64,
    is_done: bool,
}

impl Reader {
    fn new(draws: &mut Rng, world: &World) -> Self {
        Self {
            server: draws.usize(..world.doors.len()),
            // Several clients read the same answer.
            name: format!("answer-{}", draws.u8(..12)),
            id: String::new(),
            next: 0,
            is_done: false,
        }
    }

    async fn attach(&mut self, world: &World, draws: &mut Rng) {
        let door = world.door_of(self.server, draws);
        let path = format!("/answers/{}", self.name);
        let Some(mut source) = world.source(&door, &path, &self.id, draws) else {
            return;
        };
        let until = Instant::now() + up_to(Duration::from_secs(6), draws);
        let (record, mut stop) = (&world.record, world.stop.clone());
        loop {
            let update = tokio::select! {
                update = timeout_at(until, source.next_update()) => update,
                _ = stop.wait_for(|it| *it) => return,
            };
            match update {
                Err(_) | Ok(None) => return,
                Ok(Some(ClientEvent::Event(event))) => self.take(&event, record),
                Ok(Some(ClientEvent::Closed(end))) => return self.close(end, record),
                Ok(Some(_)) => {}
            }
        }
    }

    /// Checks the next event.
    fn take(&mut self, event: &MessageEvent, record: &Record) {
        self.id = event.last_event_id().to_owned();
        // The answer of this name is another one by now.
        if event.event_type() == "resume" && event.data().contains("unknown") {
            record.count("answers begun anew (told)");
            (self.next, self.is_done) = (0, false);
            return;
        }
        if self.is_done {
            let text = format!("{}: {:?} behind the end", self.name, event.data());
            return record.broken(Law::NothingTwice, text);
        }
        match event.event_type() {
            "end" => {
                self.is_done = true;
                record.count("answers read to their end");
                if event.data().contains("complete") && self.next != ANSWER {
                    let text = format!("{}: complete after {} events", self.name, self.next);
                    record.broken(Law::NothingLost, text);
                }
            }
            "message" => {
                let number = event
                    .data()
                    .rsplit_once(' ')
                    .and_then(|it| it.1.parse().ok());
                if number != Some(self.next) {
                    let law = match number {
                        Some(number) if number < self.next => Law::NothingTwice,
                        _ => Law::NothingLost,
                    };
                    let text = format!("{:?} in place of number {}", event.data(), self.next);
                    record.broken(law, text);
                }
                self.next = number.unwrap_or(self.next) + 1;
                record.count("events of answers");
            }
            _ => {
                let text = format!("{}: {:?}", self.name, event.data());
                record.broken(Law::NothingLost, text);
            }
        }
    }

    /// Checks the end of the subscription: the answer is read, or the server has forgotten it.
    fn close(&mut self, end: std::result::Result<End, Failure>, record: &Record) {
        match end {
            Ok(End::NoContent) if self.is_done => record.count("answers that were over (204)"),
            Err(Failure::Status(response)) if response.status().as_u16() == 404 => {
                if self.id.is_empty() {
                    record.broken(Law::ComesBack, format!("{}: 404 at first", self.name));
                }
                record.count("answers forgotten (404)");
                self.is_done = true;
            }
            end => record.broken(Law::ComesBack, format!("{}: {end:?}", self.name)),
        }
    }

    /// Asks the server to stop the producer.
    async fn stop(&self, world: &World, draws: &mut Rng) {
        let door = world.door_of(self.server, draws);
        if door.is_secured {
            return;
        }
        let request = format!(
            "POST /answers/{}/stop HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\
             Connection: close\r\n\r\n",
            self.name
        );
        let asked = timeout(PATIENCE, async {
            let mut socket = TcpStream::connect(door.address).await?;
            socket.write_all(request.as_bytes()).await?;
            socket.read_to_end(&mut Vec::new()).await
        });
        if asked.await.is_err() {
            let text = format!("a stop of {} at {}", self.name, door.address);
            world.record.broken(Law::LeftOpen, text);
        }
    }
}
