//! What the producers of all nodes do, and how they were told to end.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{Stream, stream};
use sse_core::topic::resumable::StreamEnd;
use sse_driver::Producer;

use super::log::sleep;
use crate::{chaos::Chaos, sim::Sim};

/// The longest stream that ends by itself.
const LONGEST: usize = 30;

#[derive(Clone)]
pub struct Producers {
    sim: Sim,
    chaos: Arc<Chaos>,
    runs: Arc<Mutex<Vec<Run>>>,
}

/// A producer that was started.
#[derive(Clone, Debug)]
pub struct Run {
    pub name: String,
    /// The node that runs it, and since when: printed with a failure.
    #[allow(dead_code)]
    pub place: (usize, Duration),
    /// Its work is there.
    pub is_held: bool,
    pub cleaned: Vec<StreamEnd>,
}

impl Producers {
    pub fn new(sim: &Sim, chaos: &Arc<Chaos>) -> Self {
        Self {
            sim: sim.clone(),
            chaos: chaos.clone(),
            runs: Arc::default(),
        }
    }

    fn runs(&self) -> MutexGuard<'_, Vec<Run>> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn all(&self) -> Vec<Run> {
        self.runs().clone()
    }

    /// A producer of this name is started on this node. Its items are its number and theirs.
    pub fn produce(
        &self,
        name: &str,
        node: usize,
        producer: &Producer,
    ) -> impl Stream<Item = String> + Send + use<> {
        let number = {
            let mut runs = self.runs();
            runs.push(Run {
                name: name.to_owned(),
                place: (node, self.sim.elapsed()),
                is_held: true,
                cleaned: Vec::new(),
            });
            runs.len() - 1
        };
        let this = self.clone();
        producer.clean_up().add(move |end| {
            this.runs()[number].cleaned.push(end.clone());
        });
        let (length, longest) = self.chaos.draw(|rng| {
            let length = match rng.bool() {
                true => Some(rng.usize(..=LONGEST)),
                false => None,
            };
            // The log takes one event after the other, and is to keep up.
            (length, Duration::from_millis(rng.u64(1000..8000)))
        });
        let held = Held(self.clone(), number);
        stream::unfold((held, 0), move |(held, item)| async move {
            if length == Some(item) {
                return None;
            }
            let pause = held.0.chaos.draw(|rng| longest.mul_f64(rng.f64()));
            sleep(&held.0.sim, pause).await;
            Some((format!("{}/{item}", held.1), (held, item + 1)))
        })
    }
}

/// The work of a producer.
struct Held(Producers, usize);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.runs()[self.1].is_held = false;
    }
}
