//! The stream that the page shows.

use std::{
    f64::consts::TAU,
    pin::pin,
    process,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use futures_util::{
    Stream, StreamExt,
    future::{self, Either},
    stream::{self, BoxStream},
};
use serde::Serialize;

use crate::on::{
    adapter::{
        Event, EventError, EventType, IntoStreamItem, ServerHandle, StreamItem,
        event_log::FollowedTopic,
    },
    sleep,
};

/// The time between two numbers; all other times are multiples of this.
const TICK: Duration = Duration::from_millis(250);

const CLOCK: EventType = EventType::from_static("clock");
const POEM: EventType = EventType::from_static("poem");
const RESUMED: EventType = EventType::from_static("resumed");
const SYSTEM: EventType = EventType::from_static("system");

/// Texts of several lines, in several scripts.
const STANZAS: [&str; 4] = [
    "Über allen Gipfeln\nIst Ruh,\nIn allen Wipfeln\nSpürest du\nKaum einen Hauch;\n— Goethe, 1780 🌲",
    "古池や\n蛙飛びこむ\n水の音\n— 芭蕉, 1686 🐸",
    "Белеет парус одинокой\nВ тумане моря голубом!..\n— Лермонтов, 1832 ⛵",
    "  leading blanks survive,\n\nand so do empty lines,\nand cafe\u{301} with its accent apart,\nand 👩‍🚀 in one piece",
];

/// The state that all streams of this run share.
#[derive(Debug)]
pub(crate) struct Live {
    start: Instant,
    /// When this run of the server began, which differs after a restart.
    run: String,
    handle: ServerHandle,
    /// The topic that all nodes show, if there are many.
    shared: Option<FollowedTopic>,
}

/// What a stream of the demo yields.
pub(crate) type Item = Result<StreamItem, EventError>;

#[derive(Debug, Serialize)]
struct System<'a> {
    connections: usize,
    uptime_seconds: f64,
    run: &'a str,
    pid: u32,
}

#[derive(Debug, Serialize)]
struct Resumed<'a> {
    last_event_id: &'a str,
}

impl Live {
    pub(crate) fn new(handle: ServerHandle, shared: Option<FollowedTopic>) -> Self {
        Self {
            start: Instant::now(),
            run: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            handle,
            shared,
        }
    }

    /// Returns the events of one connection, which continues after `last_event_id`.
    pub(crate) fn events(
        self: &Arc<Self>,
        last_event_id: Option<&str>,
    ) -> BoxStream<'static, Item> {
        let own = self
            .own_events(last_event_id)
            .map(IntoStreamItem::into_stream_item);
        match &self.shared {
            None => own.boxed(),
            // The events of all nodes resume on any of them. Those about this server have no ID.
            Some(topic) => stream::select(
                own,
                topic
                    .resume_from(last_event_id)
                    .map(IntoStreamItem::into_stream_item),
            )
            .boxed(),
        }
    }

    /// Returns the events that this server makes for the connection. The IDs of the numbers continue
    /// after `last_event_id`.
    fn own_events(
        self: &Arc<Self>,
        last_event_id: Option<&str>,
    ) -> impl Stream<Item = Result<Event, EventError>> + use<> {
        let resumed = last_event_id
            .map(|last_event_id| Ok(Event::json(&Resumed { last_event_id })?.of_type(RESUMED)));
        let last: u64 = last_event_id.and_then(|id| id.parse().ok()).unwrap_or(0);

        let live = self.clone();
        let ticks = stream::iter(0_u64..)
            .then(|tick| async move {
                if tick > 0 {
                    sleep(TICK).await;
                }
                tick
            })
            .flat_map(move |tick| stream::iter(live.at_tick(tick, last.saturating_add(tick + 1))));
        // It goes with an event that has data: alone it would be an empty event to some clients.
        let mut reconnection_time = Some(Duration::from_secs(1));
        stream::iter(resumed).chain(ticks).map(move |event| {
            Ok(match reconnection_time.take() {
                Some(time) => event?.with_reconnection_time(time),
                None => event?,
            })
        })
    }

    /// Returns the events of one tick of a connection: all of them at the first.
    fn at_tick(&self, tick: u64, id: u64) -> Vec<Result<Event, EventError>> {
        let mut events = Vec::new();
        if tick.is_multiple_of(8) {
            events.push(self.system());
        }
        if self.shared.is_none() {
            let shown = shown_at(tick).into_iter();
            events.extend(shown.map(|event| Ok(event.under_id(id))));
        }
        events
    }

    fn system(&self) -> Result<Event, EventError> {
        let system = System {
            connections: self.handle.open_connections(),
            uptime_seconds: (self.start.elapsed().as_secs_f64() * 10.0).round() / 10.0,
            run: &self.run,
            pid: process::id(),
        };
        Ok(Event::json(&system)?.of_type(SYSTEM))
    }
}

/// Returns the events of one tick that the page shows, the number last.
fn shown_at(tick: u64) -> Vec<Event> {
    let mut events = Vec::new();
    if tick.is_multiple_of(4) {
        let now = humantime::format_rfc3339_seconds(SystemTime::now());
        events.push(Event::new(now.to_string()).of_type(CLOCK));
    }
    if tick.is_multiple_of(20) {
        let stanza = STANZAS[(tick / 20) as usize % STANZAS.len()];
        events.push(Event::new(stanza).of_type(POEM));
    }
    events.push(Event::new(format!("{:.2}", number_at(SystemTime::now()))));
    events
}

/// Publishes the events that all nodes show. The node with the shortest wait does; when it is gone, the
/// next one continues.
pub(crate) async fn publish(topic: FollowedTopic) {
    let patience = TICK + Duration::from_millis(u64::from(process::id() % 50));
    let mut events = topic.resume_from(None);
    for tick in 0_u64.. {
        loop {
            match future::select(events.next(), pin!(sleep(patience))).await {
                Either::Left((Some(Ok(_)), _)) => {}
                // Redis was out of reach for long.
                Either::Left((Some(Err(_)), _)) => events = topic.resume_from(None),
                Either::Left((None, _)) => return,
                Either::Right(_) => break,
            }
        }
        for event in shown_at(tick) {
            // While Redis is out of reach, the page shows that there are no numbers.
            let _ = topic.publish(event).await;
        }
    }
}

/// Returns a number between 0 and 100 that changes smoothly, and is the same on every connection and
/// after a restart: a sum of waves with unrelated periods.
fn number_at(time: SystemTime) -> f64 {
    const WAVES: [(f64, f64); 5] = [
        (97.0, 17.0),
        (41.0, 12.0),
        (17.3, 9.0),
        (7.1, 5.0),
        (2.9, 2.5),
    ];
    let seconds = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64());
    let waves = WAVES
        .iter()
        .map(|(period, height)| height * (TAU * seconds / period).sin());
    (50.0 + waves.sum::<f64>()).clamp(0.0, 100.0)
}
