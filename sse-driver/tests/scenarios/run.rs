//! Runs a scenario in one way.

use std::{
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
};

use sse_driver::{Clock, router::Router};

use crate::{
    harness::{Feed, Journal},
    scenario::{Ask, Scenario, Scene, Seen, Step},
    sim::Sim,
    ways::{End, Host, Reading, Sight, Way},
};

/// The path of the unrelated response.
const BYSTANDER: &str = "/bystander";

/// Returns the results of a scenario.
pub fn run(way: Way, reading: Reading, scenario: &Scenario) -> Seen {
    let sim = Sim::new();
    let clock = sim.clone();
    let scene = Scene::new(move || clock.now());
    let (feed, journal) = (Feed::default(), Journal::default());
    // It is nested, so that its layers are its own.
    let routes = Router::new()
        .nest("", (scenario.routes)(&scene))
        .events(BYSTANDER, feed.handler(&journal));
    let mut host = way.host(reading, &sim, routes, scenario);

    let mut panics = Panics::default();
    panics.catch(|| host.ask("/", &scenario.ask));
    panics.catch(|| host.ask(BYSTANDER, &Ask::default()));
    for step in &scenario.script {
        panics.catch(|| {
            take(&mut *host, &scene, *step);
            host.settle();
        });
    }
    let before = host.sight();
    panics.catch(|| host.leave());

    let mut seen = before.lines();
    seen.extend(scene.journal.lines());
    seen.extend(host.counted().map(|name| format!("counted as {name}")));
    seen.extend(mem::take(&mut panics.lines));

    // It is dropped last, so that its own parts are not counted above.
    panics.catch(|| {
        feed.push("still here");
        feed.end();
        host.settle();
    });
    let sight = host.bystander();
    let told = journal.lines();
    let is_fine = sight.end == End::Ended && sight.events == ["still here"];
    if !(is_fine && told == ["stream dropped", "clean-up: the stream ended"]) {
        seen.push(format!("bystander: {}; {}", sight.end, told.join(", ")));
    }
    seen.extend(panics.lines);
    seen
}

fn take(host: &mut dyn Host, scene: &Scene, step: Step) {
    match step {
        Step::Push(text) => scene.feed.push(text),
        Step::End => scene.feed.end(),
        Step::Fail(text) => scene.feed.fail(text),
        Step::Publish(count) => {
            for n in 1..=count {
                scene.topic.publish(n.to_string()).unwrap();
            }
        }
        Step::PublishText(text) => {
            scene.topic.publish(text).unwrap();
        }
        Step::ReadOnce => host.read_once(),
        Step::Advance(by) => host.advance(by),
        Step::Late(step, by) => {
            take(host, scene, *step);
            host.hold_up(by);
        }
        Step::Upload(piece) => host.upload(piece),
        Step::BreakUpload => host.break_upload(),
        Step::Leave => host.leave(),
        Step::ShutDown => host.shut_down(),
        Step::Cut => host.cut(),
        Step::Stop => host.stop(),
    }
}

/// Panics that reached the place of a runtime's executor.
#[derive(Default)]
struct Panics {
    lines: Vec<String>,
}

impl Panics {
    fn catch(&mut self, call: impl FnOnce()) {
        if catch_unwind(AssertUnwindSafe(call)).is_err() {
            self.lines
                .push("the executor was reached by a panic".into());
        }
    }
}

impl Sight {
    fn lines(&self) -> Seen {
        let Some(status) = self.status else {
            return vec![format!("no answer, {}", self.end)];
        };
        let content_type = self.content_type.as_deref().unwrap_or("nothing");
        let mut head = format!("{status} {content_type}");
        if let Some(length) = self.length {
            head += &format!(", {length} bytes");
        }
        let events: Vec<String> = self.events.iter().map(|event| shortened(event)).collect();
        let body = match self.is_stream() {
            true if events.len() > 5 => format!("{}, and so on", events[0]),
            true => events.join(", "),
            false => shortened(&self.text),
        };
        let comments = match self.comments {
            0 => String::new(),
            comments => format!("comments: {comments}"),
        };
        let end = self.end.to_string();
        let lines = [head, body, comments, end].into_iter();
        lines
            .map(|line| line.trim_end().to_owned())
            .filter(|line| !line.is_empty())
            .collect()
    }
}

/// Shortens a text that is too long for a table.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(80) {
        None => text.to_owned(),
        Some(_) => format!("{}...", &text[..8]),
    }
}
