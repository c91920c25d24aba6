//! The tables, in Markdown.

use crate::{median, servers::Kind, tls::Handshakes, turn::Measures};

/// A column of a table. Values are the median of all rounds, and ratios the median of those within
/// a round.
struct Column {
    name: &'static str,
    value: fn(&Measures) -> f64,
    /// The divisor of a value.
    unit: f64,
    digits: usize,
}

/// The columns of every table, followed by those of tables over TLS.
const COLUMNS: [Column; 8] = [
    column("deliveries/s, 64 at once", |m| m.many.per_second, 1e3, 0),
    column("CPU each", |m| m.many.cpu, 1e3, 2),
    column("CPU each, 1 at once", |m| m.one.cpu, 1e3, 2),
    column("p50 at 30,000/s", |m| m.p50, 1e6, 2),
    column("p99", |m| m.p99, 1e6, 2),
    column("memory", |m| m.memory, 1.0, 0),
    column("records, 64 at once", |m| m.many.records, 1.0, 2),
    column("records, 1 at once", |m| m.one.records, 1.0, 2),
];

/// The number of columns that only tables over TLS have.
const TLS_COLUMNS: usize = 2;

const fn column(
    name: &'static str,
    value: fn(&Measures) -> f64,
    unit: f64,
    digits: usize,
) -> Column {
    Column {
        name,
        value,
        unit,
        digits,
    }
}

/// Prints a row for each server: the measured value and, in brackets, its ratio to that of the
/// first server.
pub(crate) fn print(
    clients: usize,
    servers: &[Kind],
    handshakes: Handshakes,
    rounds: &[Vec<Measures>],
) {
    let is_plain = handshakes == Handshakes::None;
    let count = COLUMNS.len() - if is_plain { TLS_COLUMNS } else { 0 };
    let columns = &COLUMNS[..count];
    println!(
        "\n{clients} clients, {} rounds. Deliveries in thousands, CPU time in µs, latency in ms, \
         memory in bytes per connection.\n",
        rounds.len()
    );
    let names: Vec<_> = columns.iter().map(|column| column.name).collect();
    println!("| server | {} |", names.join(" | "));
    println!("|---|{}", "--:|".repeat(columns.len()));
    for (index, server) in servers.iter().enumerate() {
        let cells = columns.iter().map(|column| {
            let value = median(rounds.iter().map(|round| (column.value)(&round[index])));
            let ratio = median(
                rounds
                    .iter()
                    .map(|round| (column.value)(&round[index]) / (column.value)(&round[0])),
            );
            let (value, digits) = (value / column.unit, column.digits);
            match index {
                0 => format!("{value:.digits$}"),
                _ if column.name == "memory" || column.name.starts_with("records") => {
                    format!("{value:.digits$}")
                }
                _ => format!("{value:.digits$} ({ratio:.2})"),
            }
        });
        let cells: Vec<_> = cells.collect();
        println!("| {} | {} |", server.name(), cells.join(" | "));
    }
}
