//! A client of the tests: an event source in a task, and the log of its events.

use std::sync::{Arc, Mutex};

use sse_core::client::{ClientEvent, EventSourceConfig};
use sse_driver::EventSource;

use crate::sim::{Job, Sim};

pub type Source = EventSource<Sim>;

pub fn source(sim: &Sim, path: &str) -> Source {
    source_with(sim, path, |_| ())
}

pub fn source_with(sim: &Sim, path: &str, set: impl FnOnce(&mut EventSourceConfig)) -> Source {
    let mut config = EventSourceConfig::default();
    set(&mut config);
    Source::on(sim.clone(), format!("http://sim{path}"), config).expect("a good URL")
}

/// A task that takes everything from an event source, and logs it.
pub struct Subscriber {
    notes: Arc<Mutex<Vec<String>>>,
    pub job: Job<Source>,
}

impl Subscriber {
    pub fn new(sim: &Sim, mut source: Source) -> Self {
        let notes = Arc::<Mutex<Vec<String>>>::default();
        let job = sim.start({
            let notes = notes.clone();
            async move {
                while let Some(update) = source.next_update().await {
                    notes.lock().unwrap().push(note(&update));
                }
                source
            }
        });
        sim.settle();
        Self { notes, job }
    }

    /// Returns the log since the last call.
    pub fn notes(&self) -> Vec<String> {
        std::mem::take(&mut self.notes.lock().unwrap())
    }
}

/// Returns an update as one line.
pub fn note(update: &ClientEvent) -> String {
    match update {
        ClientEvent::Prepare(attempt) => format!("prepares {}", attempt.number),
        ClientEvent::Connect(endpoint) => format!("dials {}:{}", endpoint.host, endpoint.port),
        ClientEvent::Disconnect => "hangs up".into(),
        ClientEvent::Open(response) => format!("open: {}", response.status()),
        ClientEvent::Event(event) => format!("event: {}", event.data()),
        ClientEvent::Comment(_) => "comment".into(),
        ClientEvent::Lost { loss, .. } => format!("lost: {loss}"),
        ClientEvent::Closed(Ok(end)) => format!("over: {end}"),
        ClientEvent::Closed(Err(failure)) => format!("failed: {failure}"),
        other => format!("{other:?}"),
    }
}
