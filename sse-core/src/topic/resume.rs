//! Where a subscriber begins, and which events it lost.

use std::{fmt, ops::Range};

/// How a subscription joins the history. The counts are exact.
///
/// | outcome | [`Display`](fmt::Display), as in the field `sse-resume` | [JSON](Self::to_json) |
/// |---|---|---|
/// | `Fresh` | `fresh` | `{"outcome":"fresh"}` |
/// | `Resumed` | `resumed; replayed=3` | `{"outcome":"resumed","replayed":3}` |
/// | `Gap` | `gap; lost=2; replayed=5` | `{"outcome":"gap","lost":2,"replayed":5}` |
/// | `Unknown` | `unknown; replayed=5` | `{"outcome":"unknown","replayed":5}` |
///
/// ```
/// use std::time::Instant;
/// use sse_core::topic::{Outcome, Topic, TopicConfig};
///
/// let topic = Topic::new(TopicConfig::default(), 0, Instant::now);
/// topic.publish("one")?;
/// topic.publish("two")?;
/// assert_eq!(topic.resume_from(None).outcome(), Outcome::Fresh);
/// assert_eq!(topic.resume_from(Some("0-1")).outcome(), Outcome::Resumed { replayed: 1 });
/// assert!(topic.resume_from(Some("from elsewhere")).outcome().is_loss());
/// # Ok::<(), sse_core::topic::PublishError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// The client named no event: it gets the events published from now on.
    Fresh,
    /// The history has all events since the one that the client named: none is missing and none comes
    /// twice.
    Resumed {
        /// The number of events that the client had missed, which come first.
        replayed: u64,
    },
    /// Some of the events that the client missed have left the history.
    Gap {
        /// The number of lost events.
        lost: u64,
        /// The number of events in the history, all of which come first.
        replayed: u64,
    },
    /// The history does not know the event that the client named: it is from before a restart or from
    /// another topic, or it has an ID of the publisher's choice that is no longer kept. The client may
    /// have lost any number of events.
    ///
    /// A topic that begins anew has another epoch, so that its clients are unknown to it, unless their
    /// last event has an ID of the publisher's choice and that event is published to the new topic again.
    Unknown {
        /// The number of events in the history, all of which come first.
        replayed: u64,
    },
}

impl Outcome {
    /// Returns whether the client lost events, or may have: whether it is a [`Gap`](Self::Gap) or
    /// [`Unknown`](Self::Unknown). The client should then fetch the whole state anew.
    #[must_use]
    pub fn is_loss(self) -> bool {
        matches!(self, Self::Gap { .. } | Self::Unknown { .. })
    }

    /// Returns the outcome as a JSON object: see the table above.
    #[must_use]
    pub fn to_json(self) -> String {
        format!("{{{}}}", self.json_members())
    }

    /// Does the same, with the name of the topic in the JSON.
    pub(super) fn to_json_of(self, topic: &str) -> String {
        let mut json = String::from(r#"{"topic":""#);
        for c in topic.chars() {
            match c {
                '"' | '\\' => json.extend(['\\', c]),
                c if c < ' ' => json += &format!("\\u{:04x}", u32::from(c)),
                c => json.push(c),
            }
        }
        json + r#"","# + &self.json_members() + "}"
    }

    fn json_members(self) -> String {
        match self {
            Self::Fresh => r#""outcome":"fresh""#.into(),
            Self::Resumed { replayed } => {
                format!(r#""outcome":"resumed","replayed":{replayed}"#)
            }
            Self::Gap { lost, replayed } => {
                format!(r#""outcome":"gap","lost":{lost},"replayed":{replayed}"#)
            }
            Self::Unknown { replayed } => {
                format!(r#""outcome":"unknown","replayed":{replayed}"#)
            }
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fresh => f.write_str("fresh"),
            Self::Resumed { replayed } => write!(f, "resumed; replayed={replayed}"),
            Self::Gap { lost, replayed } => write!(f, "gap; lost={lost}; replayed={replayed}"),
            Self::Unknown { replayed } => write!(f, "unknown; replayed={replayed}"),
        }
    }
}

/// The event that a client names as its last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// The client names none.
    Nothing,
    /// The event has this sequence number. 0 is the place before the first event.
    Sequence(u64),
    /// The event is unknown.
    Unknown,
}

/// Returns the sequence number to continue with, and how that joins the history, which has the events
/// `held`.
pub(super) fn decide(named: Named, held: Range<u64>) -> (u64, Outcome) {
    let all = held.end - held.start;
    match named {
        Named::Nothing => (held.end, Outcome::Fresh),
        Named::Sequence(last) if last >= held.end => {
            (held.start, Outcome::Unknown { replayed: all })
        }
        Named::Sequence(last) if last + 1 >= held.start => {
            let replayed = held.end - (last + 1);
            (last + 1, Outcome::Resumed { replayed })
        }
        Named::Sequence(last) => {
            let lost = held.start - (last + 1);
            let replayed = all;
            (held.start, Outcome::Gap { lost, replayed })
        }
        Named::Unknown => (held.start, Outcome::Unknown { replayed: all }),
    }
}

/// Returns where a subscriber begins that `joined` at the event that was the oldest then, when the
/// history has the events `held` at its first read. `is_told` says whether the client hears of the
/// outcome.
pub(super) fn join_anew(joined: (u64, Outcome), held: Range<u64>, is_told: bool) -> (u64, Outcome) {
    let (next, outcome) = joined;
    let gone = held.start.saturating_sub(next);
    if gone == 0 {
        return joined;
    }
    let replayed = held.end - held.start;
    // Unless the client is told, events that came after it joined are not skipped.
    let may_pass = |then: u64| is_told || gone <= then;
    match outcome {
        Outcome::Gap {
            lost,
            replayed: then,
        } if may_pass(then) => {
            let lost = lost + gone;
            (held.start, Outcome::Gap { lost, replayed })
        }
        Outcome::Unknown { replayed: then } if may_pass(then) => {
            (held.start, Outcome::Unknown { replayed })
        }
        Outcome::Fresh => (held.start, Outcome::Fresh),
        _ => joined,
    }
}

#[cfg(test)]
mod tests {
    use super::{
        Named::{Nothing, Sequence},
        Outcome::{Fresh, Gap, Resumed},
        *,
    };

    #[test]
    fn every_place_in_the_history_has_its_outcome() {
        let table = [
            // The history has events 4, 5 and 6.
            (Nothing, 4..7, 7, Fresh),
            (Named::Unknown, 4..7, 4, Outcome::Unknown { replayed: 3 }),
            (
                Sequence(0),
                4..7,
                4,
                Gap {
                    lost: 3,
                    replayed: 3,
                },
            ),
            (
                Sequence(2),
                4..7,
                4,
                Gap {
                    lost: 1,
                    replayed: 3,
                },
            ),
            (Sequence(3), 4..7, 4, Resumed { replayed: 3 }),
            (Sequence(4), 4..7, 5, Resumed { replayed: 2 }),
            (Sequence(6), 4..7, 7, Resumed { replayed: 0 }),
            (Sequence(7), 4..7, 4, Outcome::Unknown { replayed: 3 }),
            (
                Sequence(u64::MAX),
                4..7,
                4,
                Outcome::Unknown { replayed: 3 },
            ),
            // The history has no events, but had some.
            (Nothing, 7..7, 7, Fresh),
            (Named::Unknown, 7..7, 7, Outcome::Unknown { replayed: 0 }),
            (
                Sequence(4),
                7..7,
                7,
                Gap {
                    lost: 2,
                    replayed: 0,
                },
            ),
            (Sequence(6), 7..7, 7, Resumed { replayed: 0 }),
            // No event was ever published.
            (Nothing, 1..1, 1, Fresh),
            (Sequence(0), 1..1, 1, Resumed { replayed: 0 }),
            (Sequence(1), 1..1, 1, Outcome::Unknown { replayed: 0 }),
        ];
        for (named, held, cursor, outcome) in table {
            assert_eq!(
                decide(named, held.clone()),
                (cursor, outcome),
                "{named:?} in {held:?}"
            );
        }
    }

    #[test]
    #[cfg(feature = "json")]
    fn the_json_is_json() {
        // It has no escapes that it does not need.
        let plain = Fresh.to_json_of("a room");
        assert_eq!(plain, r#"{"topic":"a room","outcome":"fresh"}"#);
        for outcome in [
            Fresh,
            Resumed { replayed: 1 },
            Gap {
                lost: u64::MAX,
                replayed: 2,
            },
            Outcome::Unknown { replayed: 0 },
        ] {
            let json: serde_json::Value = serde_json::from_str(&outcome.to_json()).unwrap();
            let name = "a \"\\\n\u{1}é\u{7f}";
            let mut named: serde_json::Value =
                serde_json::from_str(&outcome.to_json_of(name)).unwrap();
            let members = named.as_object_mut().unwrap();
            assert_eq!(members.remove("topic").unwrap(), name);
            assert_eq!(named, json);
            // The field has the same: a name, and then its parameters.
            let mut field = json["outcome"].as_str().unwrap().to_owned();
            for name in ["lost", "replayed"] {
                if let Some(count) = json.get(name) {
                    field += &format!("; {name}={count}");
                }
            }
            assert_eq!(outcome.to_string(), field);
        }
    }
}
