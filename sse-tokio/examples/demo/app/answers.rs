//! A toy in place of a language model: it writes texts that it knows, word by word.

use std::time::Duration;

use futures_util::{Stream, StreamExt, stream};

use crate::on::sleep;

/// The time for a word.
const WORD: Duration = Duration::from_millis(120);

const RELOAD: &str = "\
Everything, and without a gap. This answer is not written by the handler that you asked, but by a \
producer: a task of its own, which adds each word to a history. The page only reads that history. Reload \
it, close it, or pull the cable out: the producer continues meanwhile, and a page that comes back reads on \
from its place.

When no page has read for a minute, the producer is cancelled, and with it the request to the model. An \
answer that is not read is not paid for. The button “Stop” does the same at once.";

const POEMS: &str = "\
Über allen Gipfeln
Ist Ruh,
In allen Wipfeln
Spürest du
Kaum einen Hauch;
— Goethe, 1780 🌲

古池や
蛙飛びこむ
水の音
— 芭蕉, 1686 🐸

Белеет парус одинокой
В тумане моря голубом!..
— Лермонтов, 1832 ⛵";

/// Writes the answer to this question.
pub(super) fn write(question: Option<&str>) -> impl Stream<Item = &'static str> + use<> {
    let text = match question {
        Some("poems") => POEMS,
        _ => RELOAD,
    };
    let words = stream::iter(text.split_inclusive([' ', '\n']));
    words.then(async |word| {
        sleep(WORD).await;
        word
    })
}
