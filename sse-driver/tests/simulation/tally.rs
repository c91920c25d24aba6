//! The counts of what happened in a run.

use std::{collections::BTreeMap, fmt, time::Duration};

use sse_core::{
    client::{End, Failure, Loss},
    lifecycle::CloseReason,
    topic::resumable::StreamEnd,
};

use crate::registry::Kind;

/// Counts by name.
type Counts = BTreeMap<String, u64>;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub worlds: u64,
    pub time: Duration,
    pub polls: u64,
    /// The number of times that no task was left to be polled.
    pub rests: u64,
    pub connections: u64,
    pub published: u64,
    pub delivered: u64,
    opened: Counts,
    losses: Counts,
    ends: Counts,
    close_reasons: Counts,
    job_ends: Counts,
}

impl Tally {
    pub fn add(&mut self, other: Self) {
        self.worlds += other.worlds;
        self.time += other.time;
        self.polls += other.polls;
        self.rests += other.rests;
        self.connections += other.connections;
        self.published += other.published;
        self.delivered += other.delivered;
        for (counts, others) in [
            (&mut self.opened, other.opened),
            (&mut self.losses, other.losses),
            (&mut self.ends, other.ends),
            (&mut self.close_reasons, other.close_reasons),
            (&mut self.job_ends, other.job_ends),
        ] {
            for (name, count) in others {
                *counts.entry(name).or_default() += count;
            }
        }
    }

    pub fn opened(&mut self, kind: Kind) {
        count(&mut self.opened, format!("{kind:?}"));
    }

    pub fn opened_foreign(&mut self, kind: Kind) {
        count(&mut self.opened, format!("embedded {kind:?}"));
    }

    pub fn opened_elsewhere(&mut self, kind: Kind) {
        count(&mut self.opened, format!("elsewhere {kind:?}"));
    }

    /// Counts an open stream that is compressed on its way to the client.
    pub fn compressed(&mut self, kind: Kind) {
        count(&mut self.opened, format!("gzip {kind:?}"));
    }

    pub fn paused(&mut self) {
        count(&mut self.losses, "paused".into());
    }

    pub fn lost(&mut self, loss: &Loss) {
        let name = match loss {
            Loss::Transport(error) => error.kind().to_string(),
            other => other.name().to_owned(),
        };
        count(&mut self.losses, name);
    }

    pub fn ended(&mut self, result: &Result<End, Failure>) {
        let name = match result {
            Ok(end) => format!("{end:?}"),
            Err(_) => "Failed".into(),
        };
        count(&mut self.ends, name);
    }

    pub fn closed(&mut self, reasons: &[CloseReason]) {
        for reason in reasons {
            count(&mut self.close_reasons, reason.name().to_owned());
        }
    }

    pub fn job_ended(&mut self, ends: &[StreamEnd]) {
        for end in ends {
            count(&mut self.job_ends, end.name().to_owned());
        }
    }

    /// Asserts that everything that can happen in worlds has happened.
    pub fn assert_is_eventful(&self) {
        let has = |counts: &Counts, names: &[&str]| {
            for name in names {
                assert!(counts.contains_key(*name), "no {name} in {self}");
            }
        };
        has(
            &self.opened,
            &[
                "Forgetful",
                "Slow",
                "Selected",
                "Mapped",
                "Merged",
                "MergedSelected",
                "Feed",
                "Job",
                "Upload",
                "embedded Forgetful",
                "embedded Merged",
                "embedded Feed",
                "embedded Job",
                "embedded Upload",
                "elsewhere Forgetful",
                "elsewhere Merged",
            ],
        );
        has(&self.ends, &["Closed", "NoContent", "Failed"]);
        #[cfg(feature = "compression")]
        has(
            &self.opened,
            &["gzip Forgetful", "gzip Merged", "gzip Feed", "gzip Job"],
        );
        has(&self.losses, &["Preparation", "Replaced", "paused"]);
        has(&self.job_ends, &["abandoned", "complete", "stopped"]);
        has(
            &self.close_reasons,
            &[
                "client_went_away",
                "ended",
                "handler_panicked",
                "response_sent",
                "shutdown",
                "slow_consumer",
                "stream_ended",
                "stream_error",
            ],
        );
    }
}

fn count(counts: &mut Counts, name: String) {
    *counts.entry(name).or_default() += 1;
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hours = self.time.as_secs_f64() / 3600.0;
        writeln!(
            f,
            "{} worlds, {hours:.1} hours in them, {} polls, {} times at rest",
            self.worlds, self.polls, self.rests
        )?;
        writeln!(
            f,
            "{} connections, {} events published, {} delivered",
            self.connections, self.published, self.delivered
        )?;
        for (title, counts) in [
            ("streams", &self.opened),
            ("losses", &self.losses),
            ("ends", &self.ends),
            ("close reasons", &self.close_reasons),
            ("ends of jobs", &self.job_ends),
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
