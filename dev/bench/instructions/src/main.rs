//! Decodes or encodes a fixed event stream so many times, or takes it through an event source, or delivers
//! events to connections, compressed or not, for a tool that counts instructions.
//!
//! `instructions list` names the works; `instructions WORK TIMES` does one of them.

#[path = "../../src/corpus.rs"]
mod corpus;
mod delivery;
#[allow(dead_code, unreachable_pub, unused_imports)]
#[path = "../../../../sse-driver/tests/sim/mod.rs"]
mod sim;
mod subscription;

use std::{env, hint::black_box, process::ExitCode};

use corpus::{Corpus, Cut, RECIPES};
use delivery::{Delivery, Publishing};
use sse_core::{Decoded, Decoder};
use subscription::Subscription;

/// Enough for the long events, and little enough for a slow tool.
const SIZE: usize = 160 << 10;

const LARGE: Cut<'_> = Cut::Bytes(64 << 10);
const SMALL: Cut<'_> = Cut::Bytes(16);

type Work = fn(&Corpus);

/// Each is done with each of the corpora.
const WORKS: [(&str, Work); 6] = [
    ("decode", |corpus| borrowed(corpus, LARGE)),
    ("decode in chunks of 16 B", |corpus| borrowed(corpus, SMALL)),
    ("decode in chunks of one event", |corpus| {
        borrowed(corpus, Cut::Events(&corpus.lengths));
    }),
    ("decode, owned", |corpus| owned(corpus, LARGE)),
    ("decode, owned, in chunks of 16 B", |corpus| {
        owned(corpus, SMALL)
    }),
    ("encode", encode),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let pairs = WORKS
        .iter()
        .flat_map(|work| RECIPES.iter().map(move |recipe| (work, recipe)));
    let works = pairs
        .filter(|((name, _), recipe)| *name != "encode" || recipe.is_encoded())
        .map(|((name, work), recipe)| (format!("{name}: {}", recipe.name()), recipe, work));
    match arguments.as_slice() {
        [list] if list == "list" => {
            works.for_each(|(name, ..)| println!("{name}"));
            Subscription::works().for_each(|(name, _)| println!("{name}"));
            Delivery::WORKS
                .iter()
                .for_each(|(name, _)| println!("{name}"));
            println!("{}", Publishing::NAME);
        }
        [wanted, times] => {
            let Ok(times) = times.parse::<usize>() else {
                eprintln!("how often is {times}?");
                return ExitCode::FAILURE;
            };
            let decoded = works.clone().find(|(name, ..)| name == wanted);
            let subscribed = Subscription::works().find(|(name, _)| name == wanted);
            let delivered = Delivery::WORKS.iter().find(|(name, _)| name == wanted);
            if let Some((_, recipe, work)) = decoded {
                let corpus = recipe.make(SIZE);
                (0..times).for_each(|_| work(&corpus));
            } else if let Some((_, recipe)) = subscribed {
                let mut subscription = Subscription::new(&recipe.make(SIZE));
                (0..times).for_each(|_| subscription.take());
            } else if let Some((_, coding)) = delivered {
                let mut delivery = Delivery::new(*coding);
                (0..times).for_each(|_| delivery.deliver());
            } else if wanted == Publishing::NAME {
                let mut publishing = Publishing::new();
                (0..times).for_each(|_| publishing.publish());
            } else {
                eprintln!("no such work: {wanted}");
                return ExitCode::FAILURE;
            }
        }
        _ => {
            eprintln!("instructions list | instructions WORK TIMES");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn borrowed<'a>(corpus: &'a Corpus, cut: Cut<'a>) {
    let mut decoder = Decoder::new();
    let mut events = 0;
    for mut input in cut.chunks(black_box(&corpus.wire)) {
        while let Ok(Some(item)) = decoder.decode(&mut input) {
            if let Decoded::Event(event) = item {
                black_box(event);
                events += 1;
            }
        }
    }
    assert_eq!(events, corpus.events.len());
}

fn owned<'a>(corpus: &'a Corpus, cut: Cut<'a>) {
    let mut decoder = Decoder::new();
    let mut events = 0;
    for mut input in cut.chunks(black_box(&corpus.wire)) {
        while let Ok(Some(event)) = decoder.decode_event(&mut input) {
            black_box(&event);
            events += 1;
        }
    }
    assert_eq!(events, corpus.events.len());
}

fn encode(corpus: &Corpus) {
    let mut wire = Vec::with_capacity(2 * SIZE);
    for event in black_box(&corpus.events) {
        event.encode(&mut wire);
    }
    black_box(wire);
}
