//! The tables, in Markdown.

use crate::{corpora::Corpus, servers::Kind, turn::Measures};

/// Prints a row for each server: the measured value and, in brackets, its ratio to that of the
/// first server.
pub(crate) fn print(corpus: Corpus, rounds: &[Vec<Measures>]) {
    println!(
        "\n| {} | bytes of an event | CPU time of a delivery, µs | memory of a connection, KiB |",
        corpus.name()
    );
    println!("|---|--:|--:|--:|");
    for (index, kind) in Kind::ALL.iter().enumerate() {
        let cell = |value: fn(&Measures) -> f64, unit: f64, digits: usize| {
            let of = |round: &Vec<Measures>| value(&round[index]);
            let median_of_all = median(rounds.iter().map(of)) / unit;
            let ratio = median(rounds.iter().map(|round| of(round) / value(&round[0])));
            match index {
                0 => format!("{median_of_all:.digits$}"),
                _ => format!("{median_of_all:.digits$} ({ratio:.2})"),
            }
        };
        println!(
            "| {} | {} | {} | {} |",
            kind.name(),
            cell(|measures| measures.bytes, 1.0, 0),
            cell(|measures| measures.cpu, 1e3, 2),
            cell(|measures| measures.memory, 1024.0, 1),
        );
    }
}

fn median(samples: impl Iterator<Item = f64>) -> f64 {
    let mut samples: Vec<_> = samples.collect();
    samples.sort_by(f64::total_cmp);
    samples.get(samples.len() / 2).copied().unwrap_or(f64::NAN)
}
