//! The phases of an event source and their transitions, as a table.

/// What an [`EventSource`](super::EventSource) is doing.
///
/// The standard's `readyState` is CONNECTING for the first four, OPEN and CLOSED for the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Waiting for a connection.
    Connecting,
    /// Connected; the request goes out, and the response's head is awaited.
    Requesting,
    /// The response is a refusal; the first bytes of its body are awaited, for the error to show.
    Refused,
    /// Waiting for the time to connect again.
    Waiting,
    /// The event stream is open.
    Open,
    /// It is over.
    Closed,
}

/// Everything that can happen to an event source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// `handle_connected`.
    Connected,
    /// The response's head came, and it opens the stream.
    Opened,
    /// The response's head came, and it sends elsewhere.
    Redirected,
    /// The response's head came, and it is a refusal.
    Refused,
    /// The connection is lost, and another one is to be made.
    Lost,
    /// `handle_timeout` past the wait.
    WaitOver,
    /// It is over, for whatever reason.
    Over,
}

use Phase::{Closed, Connecting, Open, Refused, Requesting, Waiting};

const PHASES: [Phase; 6] = [Connecting, Requesting, Refused, Waiting, Open, Closed];

const NO: Option<Phase> = None;

/// A row per input, a column per phase; where there is no phase the input makes no difference.
#[rustfmt::skip]
const TABLE: [(Input, [Option<Phase>; PHASES.len()]); 7] = [
    //                   Connecting        Requesting        Refused       Waiting           Open           Closed
    (Input::Connected,  [Some(Requesting), NO,               NO,           NO,               NO,            NO]),
    (Input::Opened,     [NO,               Some(Open),       NO,           NO,               NO,            NO]),
    (Input::Redirected, [NO,               Some(Connecting), NO,           NO,               NO,            NO]),
    (Input::Refused,    [NO,               Some(Refused),    NO,           NO,               NO,            NO]),
    (Input::Lost,       [Some(Waiting),    Some(Waiting),    NO,           NO,               Some(Waiting), NO]),
    (Input::WaitOver,   [NO,               NO,               NO,           Some(Connecting), NO,            NO]),
    (Input::Over,       [Some(Closed),     Some(Closed),     Some(Closed), Some(Closed),     Some(Closed),  NO]),
];

impl Phase {
    /// The phase after an input, or `None` where it makes no difference.
    pub(super) fn after(self, input: Input) -> Option<Phase> {
        // Every input has its row, in the order of declaration: a test makes sure.
        TABLE[input as usize].1[self as usize]
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    /// `phases.md` as the table has it.
    fn markdown() -> String {
        let mut text = String::from("| what happens |");
        for phase in PHASES {
            write!(text, " in {phase:?} |").unwrap();
        }
        text += "\n|---|---|---|---|---|---|---|\n";
        for (input, nexts) in TABLE {
            write!(text, "| {input:?} |").unwrap();
            for next in nexts {
                match next {
                    Some(next) => write!(text, " → **{next:?}** |").unwrap(),
                    None => text += " – |",
                }
            }
            text.push('\n');
        }
        text
    }

    #[test]
    fn every_input_has_its_row() {
        for (row, (input, _)) in TABLE.into_iter().enumerate() {
            assert_eq!(input as usize, row);
        }
        for (column, phase) in PHASES.into_iter().enumerate() {
            assert_eq!(phase as usize, column);
        }
    }

    #[test]
    fn the_documented_table_is_this_one() {
        let table: String = include_str!("phases.md")
            .lines()
            .filter(|line| line.starts_with('|'))
            .fold(String::new(), |text, line| text + line + "\n");
        assert_eq!(
            table,
            markdown(),
            "write this into phases.md:\n{}",
            markdown()
        );
    }
}
