//! The stream that the page shows.

use std::{
    f64::consts::TAU,
    process,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use futures_util::{Stream, StreamExt, stream};
use serde::Serialize;

use crate::on::{
    adapter::{Event, EventError, EventType, ServerHandle},
    sleep,
};

/// Four numbers a second; everything else goes by multiples of this.
const TICK: Duration = Duration::from_millis(250);

const CLOCK: EventType = EventType::from_static("clock");
const POEM: EventType = EventType::from_static("poem");
const RESUMED: EventType = EventType::from_static("resumed");
const SYSTEM: EventType = EventType::from_static("system");

/// Several lines each, in several scripts.
const STANZAS: [&str; 4] = [
    "Über allen Gipfeln\nIst Ruh,\nIn allen Wipfeln\nSpürest du\nKaum einen Hauch;\n— Goethe, 1780 🌲",
    "古池や\n蛙飛びこむ\n水の音\n— 芭蕉, 1686 🐸",
    "Белеет парус одинокой\nВ тумане моря голубом!..\n— Лермонтов, 1832 ⛵",
    "  leading blanks survive,\n\nand so do empty lines,\nand cafe\u{301} with its accent apart,\nand 👩‍🚀 in one piece",
];

/// What every stream of this run has in common.
#[derive(Debug)]
pub(crate) struct Live {
    start: Instant,
    /// When this run of the server began: another one after a restart.
    run: String,
    handle: ServerHandle,
}

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
    pub(crate) fn new(handle: ServerHandle) -> Self {
        Self {
            start: Instant::now(),
            run: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            handle,
        }
    }

    /// The events of one connection. The numbers' ids go on after `last_event_id`.
    pub(crate) fn events(
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

    /// What is sent at one tick of a connection: all of it at the first.
    fn at_tick(&self, tick: u64, id: u64) -> Vec<Result<Event, EventError>> {
        let mut events = Vec::new();
        if tick.is_multiple_of(8) {
            events.push(self.system());
        }
        if tick.is_multiple_of(4) {
            let now = humantime::format_rfc3339_seconds(SystemTime::now());
            events.push(Ok(Event::new(now.to_string()).of_type(CLOCK)));
        }
        if tick.is_multiple_of(20) {
            let stanza = STANZAS[(tick / 20) as usize % STANZAS.len()];
            events.push(Ok(Event::new(stanza).of_type(POEM)));
        }
        let number = Event::new(format!("{:.2}", number_at(SystemTime::now())));
        events.push(Ok(number.under_id(id)));
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

/// A number between 0 and 100 that wanders smoothly, the same on every connection and across
/// restarts: waves whose periods have nothing in common.
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
