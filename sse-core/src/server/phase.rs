//! The phases of a server connection and their transitions, as a table.
//!
//! [`Connection`](super::Connection) asks this table before it does anything; a test walks the
//! whole of it, and `phases.md` beside this file is written from it.

use super::WrongPhase;

/// What a server connection is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Receiving the request head.
    Head,
    /// Receiving the request body, which the application asked for.
    Body,
    /// The application decides what to respond.
    Responding,
    /// The response is an event stream, and it is open.
    Streaming,
    /// Nothing more is accepted; what is queued is delivered, then the output ends.
    Draining,
    /// It is over.
    Closed,
}

/// Everything that can happen to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Input {
    /// `handle_input` with the last byte of a good request head.
    Request,
    /// `handle_input` with what cannot be served; or `receive_body`, and the body is such.
    BadRequest,
    /// `handle_input` with the last byte of the body, or `receive_body` where it is there already.
    BodyEnd,
    /// `handle_eof`.
    Eof,
    /// `handle_transport_error`.
    TransportError,
    /// `handle_timeout` past the head's deadline; the client had begun to send a head.
    HeadTimeout,
    /// `handle_timeout` past the head's deadline; the client never said anything.
    SilentTimeout,
    /// `handle_timeout` past the body's deadline.
    BodyTimeout,
    /// `handle_timeout` past the deadline of the handler's answer.
    RespondTimeout,
    /// `handle_timeout` past the deadline of a stalled write.
    StallTimeout,
    /// `handle_timeout` past the drain deadline.
    DrainTimeout,
    /// `output_ended`, and there is nothing left to wait for.
    OutputEnded,
    /// `receive_body`.
    ReceiveBody,
    /// `respond` with an event stream.
    RespondStream,
    /// `respond` with a whole response.
    RespondWhole,
    /// `send`, `send_encoded` or `comment`.
    Send,
    /// `finish`.
    Finish,
    /// `abort`.
    Abort,
    /// `close`.
    Close,
}

/// What an input does in a phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    /// The connection goes on in this phase.
    To(Phase),
    /// Nothing to do with this phase: ignored.
    Ignored,
    /// The caller's mistake.
    Wrong,
}

use Effect::{Ignored, To, Wrong};
use Phase::{Body, Closed, Draining, Head, Responding, Streaming};

const PHASES: [Phase; 6] = [Head, Body, Responding, Streaming, Draining, Closed];

/// A row per input, a column per phase.
#[rustfmt::skip]
const TABLE: [(Input, [Effect; PHASES.len()]); 19] = [
    //                       Head            Body            Responding      Streaming       Draining        Closed
    (Input::Request,        [To(Responding), Ignored,        Ignored,        Ignored,        Ignored,        Ignored]),
    (Input::BadRequest,     [To(Draining),   To(Draining),   Ignored,        Ignored,        Ignored,        Ignored]),
    (Input::BodyEnd,        [Ignored,        To(Responding), Ignored,        Ignored,        Ignored,        Ignored]),
    (Input::Eof,            [To(Closed),     To(Closed),     To(Closed),     To(Closed),     To(Draining),   Ignored]),
    (Input::TransportError, [To(Closed),     To(Closed),     To(Closed),     To(Closed),     To(Closed),     Ignored]),
    (Input::HeadTimeout,    [To(Draining),   Ignored,        Ignored,        Ignored,        Ignored,        Ignored]),
    (Input::SilentTimeout,  [To(Closed),     Ignored,        Ignored,        Ignored,        Ignored,        Ignored]),
    (Input::BodyTimeout,    [Ignored,        To(Draining),   Ignored,        Ignored,        Ignored,        Ignored]),
    (Input::RespondTimeout, [Ignored,        Ignored,        To(Draining),   Ignored,        Ignored,        Ignored]),
    (Input::StallTimeout,   [Ignored,        To(Closed),     To(Closed),     To(Closed),     To(Closed),     Ignored]),
    (Input::DrainTimeout,   [Ignored,        Ignored,        Ignored,        Ignored,        To(Closed),     Ignored]),
    (Input::OutputEnded,    [Ignored,        Ignored,        Ignored,        Ignored,        To(Closed),     Ignored]),
    (Input::ReceiveBody,    [Wrong,          Wrong,          To(Body),       Wrong,          Wrong,          Wrong  ]),
    (Input::RespondStream,  [Wrong,          Wrong,          To(Streaming),  Wrong,          Wrong,          Wrong  ]),
    (Input::RespondWhole,   [To(Draining),   To(Draining),   To(Draining),   Wrong,          Wrong,          Wrong  ]),
    (Input::Send,           [Wrong,          Wrong,          Wrong,          To(Streaming),  Wrong,          Wrong  ]),
    (Input::Finish,         [Wrong,          Wrong,          Wrong,          To(Draining),   Wrong,          Wrong  ]),
    (Input::Abort,          [Wrong,          To(Draining),   To(Draining),   To(Draining),   Wrong,          Wrong  ]),
    (Input::Close,          [To(Closed),     To(Closed),     To(Closed),     To(Closed),     To(Closed),     Wrong  ]),
];

impl Phase {
    fn effect(self, input: Input) -> Effect {
        // Every input has its row, in the order of declaration: a test makes sure.
        TABLE[input as usize].1[self as usize]
    }

    /// The phase after something that the world did, or `None` where it makes no difference.
    pub(super) fn after(self, input: Input) -> Option<Phase> {
        match self.effect(input) {
            To(phase) => Some(phase),
            Ignored | Wrong => None,
        }
    }

    /// The phase after something that the application wants.
    pub(super) fn allow(self, call: &'static str, input: Input) -> Result<Phase, WrongPhase> {
        self.after(input).ok_or(WrongPhase { call, phase: self })
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
        for (input, effects) in TABLE {
            write!(text, "| {input:?} |").unwrap();
            for (phase, effect) in PHASES.into_iter().zip(effects) {
                match effect {
                    To(next) if next == phase => text += " stays |",
                    To(next) => write!(text, " → **{next:?}** |").unwrap(),
                    Ignored => text += " – |",
                    Wrong => text += " `WrongPhase` |",
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
        let documented = include_str!("phases.md");
        let table: String = documented
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
