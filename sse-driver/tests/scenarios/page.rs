//! Generates `scenarios.md` from the table.

use std::fmt::Write;

use crate::{
    scenario::{Scenario, Seen},
    table,
};

const HEAD: &str = "# One reply, driven in three ways

What a client sees of a response, and what the handler's side is told, in each way of driving a
reply: over a connection of our own server, embedded in a foreign server, for the test client. The
page is written from the table in `table/`, and a test compares the two.

The client's column has the status, the content type and the length that the head states; the events
or the body; how the body ended. The handler's column has what was dropped and what clean-up was told,
in this order, and the reason under which the end was counted. A second response, the bystander, is
open meanwhile; it is named where it notices anything.

The decisions behind the table:

- A request that was read is answered: a cut before the head is a 503, and a panic before it a 500.
- A panic of the application's code that ends a response is told as such. What was yielded before it is
  delivered, the body breaks off, no other response notices, and no panic reaches the executor.
- A panic that comes as the remains of a response are dropped, after something else ended it, changes
  nothing of the reason.
- What frames a body is the business of the server that writes it. An embedded answer to `HEAD` states a
  length only where the body has one.
";

fn page() -> String {
    let mut page = String::from(HEAD);
    for (title, scenarios) in table::groups() {
        writeln!(page, "\n## {title}\n").unwrap();
        page += "| what happens | the client | the handler's side |\n|---|---|---|\n";
        for scenario in &scenarios {
            let Scenario { name, expected, .. } = scenario;
            writeln!(page, "| {name} | {} |", columns(expected)).unwrap();
        }
        let differences: String = scenarios.iter().map(differences).collect();
        if !differences.is_empty() {
            page += "\nWhere one way differs:\n\n";
            page += &differences;
        }
    }
    page
}

fn columns(seen: &Seen) -> String {
    // The client's lines end with the end of its body.
    let ends = ["still open", "ended", "broken off"];
    let end = seen
        .iter()
        .position(|line| ends.iter().any(|end| line.ends_with(end)));
    let (client, server) = seen.split_at(end.map_or(0, |end| end + 1));
    [client, server].map(|lines| lines.join("<br>")).join(" | ")
}

fn differences(scenario: &Scenario) -> String {
    let name = scenario.name;
    let mut text = String::new();
    for difference in &scenario.differences {
        let way = difference.way;
        write!(text, "- *{name}*, {way}; {}", difference.verdict).unwrap();
        if !difference.seen.is_empty() {
            let seen = difference.seen.join(" / ");
            write!(text, " Seen: {seen}").unwrap();
        }
        text.push('\n');
    }
    text
}

#[test]
fn the_page_is_the_table() {
    let page = page();
    if include_str!("scenarios.md") != page {
        let new = concat!(env!("CARGO_TARGET_TMPDIR"), "/scenarios.md");
        std::fs::write(new, page).unwrap();
        panic!("the page is to be as {new} is");
    }
}
