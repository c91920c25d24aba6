//! Counts of what happened in a run.

use std::{collections::BTreeMap, fmt, time::Duration};

use sse_core::{client::Loss, lifecycle::CloseReason, topic::Outcome};

/// The number of times that things happened, by name.
pub(crate) type Counts = BTreeMap<String, u64>;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) worlds: u64,
    pub(crate) time: Duration,
    pub(crate) clients: u64,
    pub(crate) connections: u64,
    /// How many streams were compressed on their way.
    pub(crate) compressed: u64,
    pub(crate) published: u64,
    pub(crate) delivered: u64,
    pub(crate) happenings: u64,
    pub(crate) preparations: Counts,
    pub(crate) losses: Counts,
    pub(crate) outcomes: Counts,
    pub(crate) close_reasons: Counts,
}

impl Tally {
    pub(crate) fn add(&mut self, other: Self) {
        self.worlds += other.worlds;
        self.time += other.time;
        self.clients += other.clients;
        self.connections += other.connections;
        self.compressed += other.compressed;
        self.published += other.published;
        self.delivered += other.delivered;
        self.happenings += other.happenings;
        for (counts, others) in [
            (&mut self.preparations, other.preparations),
            (&mut self.losses, other.losses),
            (&mut self.outcomes, other.outcomes),
            (&mut self.close_reasons, other.close_reasons),
        ] {
            for (name, count) in others {
                *counts.entry(name).or_default() += count;
            }
        }
    }

    pub(crate) fn lost(&mut self, loss: &Loss) {
        let name = match loss {
            Loss::Transport(error) => error.kind().to_string(),
            other => other.name().to_owned(),
        };
        *self.losses.entry(name).or_default() += 1;
    }

    pub(crate) fn resumed(&mut self, outcome: Outcome) {
        *self.outcomes.entry(variant(&outcome)).or_default() += 1;
    }

    pub(crate) fn closed(&mut self, reason: &CloseReason) {
        let name = match reason {
            CloseReason::TimedOut(_) => format!("{reason:?}"),
            other => variant(other),
        };
        *self.close_reasons.entry(name).or_default() += 1;
    }

    /// Checks that everything that a world may have did happen.
    pub(crate) fn assert_is_eventful(&self) {
        let has = |counts: &Counts, names: &[&str]| {
            for name in names {
                assert!(counts.contains_key(*name), "no {name} in {self}");
            }
        };
        has(
            &self.losses,
            &[
                "BadBody",
                "ConnectTimeout",
                "Ended",
                "IdleTimeout",
                "NoResponse",
                "Status",
            ],
        );
        has(
            &self.losses,
            &["connection refused", "connection reset", "timed out"],
        );
        has(
            &self.losses,
            &["Preparation", "PrepareTimeout", "Replaced", "paused"],
        );
        #[cfg(feature = "compression")]
        assert!(self.compressed > 0, "no compressed stream in {self}");
        has(&self.preparations, &["failed", "put off", "sent"]);
        has(&self.outcomes, &["Fresh", "Gap", "Resumed", "Unknown"]);
        has(
            &self.close_reasons,
            &[
                "ClientWentAway",
                "SlowConsumer",
                "StreamEnded",
                "TaskDropped",
                "TimedOut(Stall)",
            ],
        );
    }
}

/// Returns the name of an enum's variant.
fn variant(value: &impl fmt::Debug) -> String {
    let text = format!("{value:?}");
    let end = text.find(|c: char| !c.is_alphanumeric());
    text[..end.unwrap_or(text.len())].to_owned()
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hours = self.time.as_secs_f64() / 3600.0;
        let losses: u64 = self.losses.values().sum();
        writeln!(
            f,
            "{} worlds, {hours:.1} hours in them, {} happenings",
            self.worlds, self.happenings
        )?;
        writeln!(
            f,
            "{} clients, {} connections, {} compressed, {losses} losses",
            self.clients, self.connections, self.compressed
        )?;
        writeln!(
            f,
            "{} events published, {} delivered",
            self.published, self.delivered
        )?;
        for (title, counts) in [
            ("preparations", &self.preparations),
            ("losses", &self.losses),
            ("resumptions", &self.outcomes),
            ("close reasons", &self.close_reasons),
        ] {
            write!(f, "{title}:")?;
            for (name, count) in counts {
                write!(f, " {name} {count},")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
