//! The records of a stream's log: how they are written as events, and read.

use super::MemberConfig;
use crate::{Event, EventType, Text, topic::resumable::StreamEnd};

const CLAIM: EventType = EventType::from_static("sse-stream-claim");
const ALIVE: EventType = EventType::from_static("sse-stream-alive");
const LISTEN: EventType = EventType::from_static("sse-stream-listen");
const REASON: EventType = EventType::from_static("sse-stream-reason");
const ERROR: EventType = EventType::from_static("sse-stream-error");

/// Returns whether events of this type are records that no client gets: the types that begin with
/// `sse-stream-`. A producer's events are not of such a type, nor of that of the
/// [end](MemberConfig::end_event_type).
///
/// ```
/// use sse_core::topic::resumable::member::is_record_type;
///
/// assert!(is_record_type("sse-stream-claim"));
/// assert!(!is_record_type("message") && !is_record_type("end"));
/// ```
#[must_use]
pub fn is_record_type(event_type: &str) -> bool {
    event_type.starts_with("sse-stream-")
}

/// What a record is to the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MemberRecord {
    /// An event of the producer, or one of the nodes' own records.
    Passed,
    /// The last event: the stream has ended, with this outcome. What follows is ignored.
    Ended(Text),
}

/// What an event of the log is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Record<'e> {
    /// A node claims the stream. The text tells this claim from others.
    Claim(&'e str),
    Alive,
    /// A node has clients. The text tells it from others.
    Listen(&'e str),
    /// Why the stream is stopped, by an end that follows.
    Reason(&'e str),
    /// The error of the producer, whose end follows.
    Error(&'e str),
    /// The stream's end, with its outcome.
    End(Text),
    /// A producer's event, or a record that this version does not know.
    Content,
}

impl<'e> Record<'e> {
    pub(super) fn of(event: &'e Event, config: &MemberConfig) -> Self {
        let data = event.data().unwrap_or_default();
        match event.event_type() {
            Some(it) if *it == CLAIM => Self::Claim(data),
            Some(it) if *it == ALIVE => Self::Alive,
            Some(it) if *it == LISTEN => Self::Listen(data),
            Some(it) if *it == REASON => Self::Reason(data),
            Some(it) if *it == ERROR => Self::Error(data),
            Some(it) if *it == config.end_event_type => Self::End(outcome_of(data)),
            _ => Self::Content,
        }
    }
}

/// What a node appends.
#[derive(Clone, Debug, PartialEq, Hash)]
pub(super) enum Append {
    Claim(Text),
    Alive,
    Listen(Text),
    Reason(Text),
    Error(Text),
    End(StreamEnd),
}

impl Append {
    pub(super) fn to_event(&self, config: &MemberConfig) -> Event {
        match self {
            Self::Claim(token) => Event::new(token.clone()).of_type(CLAIM),
            Self::Alive => Event::new("").of_type(ALIVE),
            Self::Listen(token) => Event::new(token.clone()).of_type(LISTEN),
            Self::Reason(reason) => Event::new(config.shortened(reason)).of_type(REASON),
            Self::Error(error) => Event::new(config.shortened(error)).of_type(ERROR),
            Self::End(end) => end.to_event(config.end_event_type.clone()),
        }
    }
}

/// The outcome in `{"outcome":"complete"}`.
fn outcome_of(data: &str) -> Text {
    let quoted = data.strip_prefix(r#"{"outcome":""#);
    let outcome = quoted.and_then(|rest| rest.split('"').next());
    outcome.unwrap_or("unknown").into()
}

/// What the log has told before the end, where it has.
#[derive(Clone, Debug, Default, PartialEq, Hash)]
pub(super) struct Told {
    /// Why the stream is stopped, as the log had it first.
    pub(super) reason: Option<Text>,
    /// The error of the producer.
    pub(super) error: Option<Text>,
}

/// How the stream ended, where the log has this outcome and has told this, and where this node wanted to end it
/// so.
pub(super) fn end_of(outcome: &str, own: Option<&StreamEnd>, before: &Told) -> StreamEnd {
    if let ("stopped", Some(reason)) = (outcome, &before.reason) {
        return StreamEnd::Stopped(reason.clone());
    }
    let told = format!(r#"{{"outcome":"{outcome}"}}"#);
    if let Some(own) = own.filter(|own| own.to_json() == told) {
        return own.clone();
    }
    match outcome {
        "complete" => StreamEnd::Complete,
        "lost" => StreamEnd::Lost,
        "abandoned" => StreamEnd::Abandoned,
        "shutdown" => StreamEnd::Shutdown,
        "stopped" => StreamEnd::Stopped("on another node".into()),
        "failed" => StreamEnd::Failed(match &before.error {
            Some(error) => error.clone().into(),
            None => "on another node".into(),
        }),
        other => StreamEnd::Failed(format!("on another node: {other}").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_appended_is_read_as_such() {
        let config = MemberConfig::default();
        let read = |append: Append| {
            let event = append.to_event(&config);
            match Record::of(&event, &config) {
                Record::Claim(token) => format!("claim {token}"),
                Record::End(outcome) => format!("end {outcome}"),
                record => format!("{record:?}"),
            }
        };
        assert_eq!(read(Append::Claim("a-1".into())), "claim a-1");
        assert_eq!(read(Append::Alive), "Alive");
        assert_eq!(read(Append::Listen("a-1".into())), r#"Listen("a-1")"#);
        assert_eq!(read(Append::Reason("why".into())), r#"Reason("why")"#);
        assert_eq!(read(Append::Error("no".into())), r#"Error("no")"#);
        let ends = [
            (StreamEnd::Complete, "complete"),
            (StreamEnd::Panicked, "failed"),
            (StreamEnd::Stopped("enough".into()), "stopped"),
            (StreamEnd::Lost, "lost"),
        ];
        for (end, outcome) in ends {
            assert_eq!(read(Append::End(end)), format!("end {outcome}"));
        }
        let tick = Event::new("x").of_type(const { EventType::from_static("tick") });
        for event in [Event::new("x"), tick] {
            assert_eq!(Record::of(&event, &config), Record::Content);
        }
    }

    #[test]
    fn clients_get_all_events_but_the_records() {
        for record in [CLAIM, ALIVE, LISTEN, REASON, ERROR] {
            assert!(is_record_type(record.as_str()));
        }
        for content in ["", "message", "end", "sse"] {
            assert!(!is_record_type(content));
        }
    }

    #[test]
    fn an_end_whose_data_another_program_wrote_has_an_unknown_outcome() {
        assert_eq!(outcome_of("bye"), "unknown");
        assert_eq!(outcome_of(r#"{"outcome":"#), "unknown");
        assert_eq!(end_of("unknown", None, &Told::default()).name(), "failed");
    }
}
