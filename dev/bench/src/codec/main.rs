//! The speed of the codec, beside its peers and a limit that no codec can beat: a search for line
//! ends over the same bytes for the decoders, and a copy of the same bytes for the encoders.
//!
//! `cargo run --release --manifest-path dev/bench/Cargo.toml --bin codec`, with `decode` or `encode`
//! behind `--` to measure that alone, and a part of a corpus's name to measure that corpus alone.

#![allow(missing_docs)]

#[path = "../corpus.rs"]
mod corpus;
mod decode;
mod encode;
#[cfg(feature = "peers")]
mod peers;
#[path = "../rounds.rs"]
mod rounds;

use corpus::{RECIPES, Recipe};

fn main() {
    let mut arguments = std::env::args().skip(1).peekable();
    let which = arguments.next_if(|argument| argument == "decode" || argument == "encode");
    let name = arguments.next().unwrap_or_default();
    let recipes: Vec<&Recipe> = RECIPES
        .iter()
        .filter(|r| r.name().contains(&name))
        .collect();
    if which.as_deref() != Some("encode") {
        decode::tables(&recipes);
    }
    if which.as_deref() != Some("decode") {
        encode::tables(&recipes);
    }
}

/// Prints a row of a table in Markdown.
fn row(cells: impl IntoIterator<Item = impl AsRef<str>>) {
    let cells: Vec<String> = cells
        .into_iter()
        .map(|cell| cell.as_ref().to_owned())
        .collect();
    println!("| {} |", cells.join(" | "));
}
