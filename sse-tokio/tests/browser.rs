//! The demo in a real browser: Chromium, headless, through WebDriver.
//!
//! `.ci/test` runs this; it needs `chromium` and `chromedriver` on the path and the demo built. The
//! environment variable `DEMO` names another demo than tokio's, such as `smol-demo`.

use std::{env, net::SocketAddr, path::PathBuf, process::Command};

use fantoccini::{Client, Locator};

use chromium::{Process, free_address, start_driver, until};

#[allow(unreachable_pub)] // a test has no interface
mod chromium;

const AWAY: &str = "the client went away";
const ENDED: &str = "the stream ended";

async fn start_demo(address: SocketAddr) -> Process {
    // This test is in `target/…/deps`, the demos in `target/…/examples`.
    let mut path: PathBuf = env::current_exe().unwrap();
    path.pop();
    path.pop();
    path.extend(["examples", &env::var("DEMO").unwrap_or("demo".into())]);
    assert!(
        path.exists(),
        "build the demo first: cargo build -p sse-tokio --example demo"
    );
    let demo = Process::start(Command::new(path).arg("--addr").arg(address.to_string()));
    wait_for_line(&demo, "the demo's address", &[&address.to_string()]).await;
    demo
}

/// Waits until the process has printed a line with all of these parts.
async fn wait_for_line(process: &Process, what: &str, parts: &[&str]) {
    until(what, async || {
        let lines = process.lines.lock().unwrap();
        lines
            .iter()
            .any(|line| parts.iter().all(|part| line.contains(part)))
            .then_some(())
    })
    .await;
}

struct Page(Client);

impl Page {
    async fn open(chromedriver: SocketAddr, url: &str) -> Self {
        Self(chromium::open(chromedriver, url).await)
    }

    async fn text(&self, id: &str) -> String {
        let selector = format!("[data-testid={id}]");
        let element = self.0.find(Locator::Css(&selector)).await.unwrap();
        let text = element.prop("textContent").await.unwrap();
        text.unwrap_or_default().trim().to_owned()
    }

    async fn wait_for(&self, id: &str, matches: impl Fn(&str) -> bool) -> String {
        until(&format!("{id} on the page"), async || {
            Some(self.text(id).await).filter(|text| matches(text))
        })
        .await
    }

    async fn wait_for_state(&self, state: &str) {
        self.wait_for("state", |text| text == state).await;
    }

    /// Waits until the page's count has gone beyond `least`, and returns it.
    async fn wait_for_more(&self, id: &str, least: u64) -> u64 {
        let more = |text: &str| text.parse().is_ok_and(|count: u64| count > least);
        self.wait_for(id, more).await.parse().unwrap()
    }

    async fn click(&self, button: &str) {
        let selector = format!("[data-testid={button}]:not([aria-disabled=true])");
        let element = until(button, async || {
            self.0.find(Locator::Css(&selector)).await.ok()
        })
        .await;
        // The page's header stays at the top, and may cover the button.
        let script = "arguments[0].scrollIntoView({ block: 'center', behavior: 'instant' })";
        let argument = serde_json::to_value(&element).unwrap();
        self.0.execute(script, vec![argument]).await.unwrap();
        element.click().await.unwrap();
    }

    /// Waits until the clean-up log on the page has such an entry.
    async fn wait_for_clean_up(&self, path: &str, reason: &str) {
        let selector =
            format!("[data-testid=clean-up-log] [data-path='{path}'][data-reason='{reason}']");
        until(&format!("the clean-up of {path}: {reason}"), async || {
            self.0.find(Locator::Css(&selector)).await.ok()
        })
        .await;
    }

    /// Returns the number of points of the chart that are not blank.
    async fn drawn(&self) -> u64 {
        let script = "
            const canvas = document.querySelector('canvas');
            const { width, height } = canvas;
            const { data } = canvas.getContext('2d').getImageData(0, 0, width, height);
            let drawn = 0;
            for (let i = 3; i < data.length; i += 4) drawn += data[i] > 0;
            return drawn;";
        let drawn = self.0.execute(script, Vec::new()).await.unwrap();
        drawn.as_u64().unwrap_or(0)
    }
}

#[tokio::test]
#[ignore = "needs chromium and chromedriver: run .ci/test"]
async fn the_demo_shows_its_events_its_losses_and_its_clean_ups() {
    let driver_address = free_address();
    let _driver = start_driver(driver_address);
    let address = free_address();
    let demo = start_demo(address).await;
    let page = Page::open(driver_address, &format!("http://{address}/")).await;

    // Events of every kind arrive, and the page shows them.
    page.wait_for_state("open").await;
    page.wait_for_more("number-count", 8).await;
    page.wait_for("number", |text| text.parse::<f64>().is_ok())
        .await;
    page.wait_for("clock", |text| {
        text.contains("T") && text.ends_with('Z') || text.contains(':')
    })
    .await;
    let poem = page.wait_for("poem", |text| text.contains('\n')).await;
    assert!(poem.contains("Über allen Gipfeln\nIst Ruh,\n"), "{poem}");
    let pid = demo.child.id().to_string();
    page.wait_for("system-pid", |text| text == pid).await;
    page.wait_for_more("last-event-id", 8).await;
    until("something on the chart", async || {
        (page.drawn().await > 500).then_some(())
    })
    .await;

    // The page closes the stream: the server cleans up at once, although the stream goes on.
    page.click("button-close").await;
    page.wait_for_state("closed").await;
    page.wait_for_clean_up("/events", AWAY).await;
    page.click("button-open").await;
    page.wait_for_state("open").await;

    // The server ends a stream for good, after its last event.
    page.click("button-bounded").await;
    page.wait_for("bounded-log", |text| text.contains("bye"))
        .await;
    page.wait_for_clean_up("/bounded", ENDED).await;

    // The server ends the stream: the browser reconnects by itself and continues.
    page.click("button-server-end").await;
    page.wait_for_clean_up("/events", ENDED).await;
    let reconnections = page.wait_for_more("reconnections", 0).await;
    page.wait_for_more("resumed", 0).await;
    page.click("button-open").await;
    page.wait_for_state("open").await;
    let seen = page.wait_for_more("last-event-id", 3).await;

    // The server is stopped and started again: the browser resumes after its last event.
    let numbers = page.wait_for_more("number-count", 0).await;
    drop(demo);
    page.wait_for_state("connecting").await;
    let demo = start_demo(address).await;
    page.wait_for_state("open").await;
    page.wait_for_more("reconnections", reconnections).await;
    let resumed = page.wait_for_more("resumed", seen - 1).await;
    page.wait_for_more("last-event-id", resumed).await;
    page.wait_for_more("number-count", numbers + 4).await;
    let pid = demo.child.id().to_string();
    page.wait_for("system-pid", |text| text == pid).await;

    // The tab is closed: the server keeps nothing of it.
    page.0.close().await.unwrap();
    wait_for_line(&demo, "the clean-up of a closed tab", &["(/events", AWAY]).await;
}
