//! The demo in a real browser: Chromium, headless, through WebDriver.
//!
//! `.ci/test` runs this; it needs `chromium` and `chromedriver` on the path and the demo built. The
//! environment variable `DEMO` names another demo than tokio's, such as `smol-demo`.

use std::{env, net::SocketAddr, path::PathBuf, process::Command, time::Duration};

use fantoccini::{Client, Locator};
use serde_json::Value;
use sse_suite::port::Port;
use tokio::time::sleep;

use chromium::{Driver, Process, until};

#[allow(unreachable_pub)] // a test has no interface
mod chromium;

const AWAY: &str = "the client went away";
const ENDED: &str = "the stream ended";
const SHUT_DOWN: &str = "the server was shut down";
const ENDED_FROM_OUTSIDE: &str = "the stream was ended: a button of the page";

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

/// A page of a demo of its own.
struct Page {
    browser: Client,
    demo: Process,
    port: Port,
    _driver: Driver,
}

impl Page {
    async fn open() -> Self {
        Self::open_as_wide_as(None).await
    }

    async fn open_as_wide_as(width: Option<u32>) -> Self {
        let driver = Driver::start().await;
        let port = Port::reserve();
        let demo = start_demo(port.address()).await;
        let url = format!("http://{}/", port.address());
        let page = Self {
            browser: chromium::open_as_wide_as(width, &driver, &url).await,
            demo,
            port,
            _driver: driver,
        };
        page.wait_for_state("open").await;
        page
    }

    async fn run(&self, script: &str) -> Value {
        self.browser.execute(script, Vec::new()).await.unwrap()
    }

    async fn text(&self, id: &str) -> String {
        // While the page loads there is none.
        let script =
            format!("return document.querySelector('[data-testid={id}]')?.textContent ?? ''");
        let text = self.browser.execute(&script, Vec::new()).await;
        let text = text
            .ok()
            .and_then(|text| Some(text.as_str()?.trim().to_owned()));
        text.unwrap_or_default()
    }

    /// Returns the number with which the text begins.
    async fn number(&self, id: &str) -> u64 {
        number(&self.text(id).await).unwrap_or(0)
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
        let more = |text: &str| number(text).is_some_and(|count| count > least);
        number(&self.wait_for(id, more).await).unwrap_or(0)
    }

    async fn click(&self, button: &str) {
        self.click_on(&format!("[data-testid={button}]:not([aria-disabled=true])"))
            .await;
    }

    /// Clicks on an element as soon as there is one. The page may replace it meanwhile, as it does with the
    /// entries of lists; the new one is clicked then.
    async fn click_on(&self, selector: &str) {
        until(selector, async || {
            let element = self.browser.find(Locator::Css(selector)).await.ok()?;
            // The page's header stays at the top, and may cover the button.
            let script = "arguments[0].scrollIntoView({ block: 'center', behavior: 'instant' })";
            let argument = serde_json::to_value(&element).ok()?;
            self.browser.execute(script, vec![argument]).await.ok()?;
            element.click().await.ok()
        })
        .await;
    }

    /// Clicks on an element, and once more every few seconds, until the page's count has gone beyond `least`.
    /// A list may be a second old, so that its button belongs to a stream that has ended already.
    async fn click_until_more(&self, selector: &str, id: &str, least: u64) {
        until(&format!("{id} on the page"), async || {
            self.click_on(selector).await;
            for _ in 0..60 {
                if self.number(id).await > least {
                    return Some(());
                }
                sleep(Duration::from_millis(50)).await;
            }
            None
        })
        .await;
    }

    /// Asks for an answer, and returns once the page reads it.
    async fn ask(&self) {
        let id = "return location.hash";
        let before = self.run(id).await;
        self.click("button-ask").await;
        until("a new answer", async || {
            (self.run(id).await != before).then_some(())
        })
        .await;
    }

    /// Reloads the page by its button, and returns once the new one is there.
    async fn reload(&self) {
        self.run("window.isOld = true").await;
        self.click("button-reload").await;
        until("the new page", async || {
            // While the page loads there is none, and its script runs in one go.
            let script = "return !window.isOld && document.readyState === 'complete'";
            let is_new = self.browser.execute(script, Vec::new()).await.ok()?;
            is_new.as_bool()?.then_some(())
        })
        .await;
    }

    async fn wait_for_element(&self, selector: &str) {
        until(selector, async || {
            self.browser.find(Locator::Css(selector)).await.ok()
        })
        .await;
    }

    /// Waits until the clean-up log on the page has such an entry.
    async fn wait_for_clean_up(&self, path: &str, reason: &str) {
        let selector =
            format!("[data-testid=clean-up-log] [data-path^='{path}'][data-reason='{reason}']");
        self.wait_for_element(&selector).await;
    }

    async fn assert_nothing_is_lost(&self) {
        assert_eq!(self.text("lost").await, "0");
        assert_eq!(self.text("twice").await, "0");
    }
}

fn number(text: &str) -> Option<u64> {
    text.split(' ').next()?.parse().ok()
}

#[tokio::test]
#[ignore = "needs chromium and chromedriver: run .ci/test"]
async fn the_first_screen_is_full_and_closing_and_ending_lose_nothing() {
    let page = Page::open().await;

    // The history came before anything was made for this page: a minute of numbers, which are drawn.
    let before = page.wait_for_more("in-history", 239).await;
    let drawn = "
        const canvas = document.querySelector('canvas');
        const { width, height } = canvas;
        const { data } = canvas.getContext('2d').getImageData(0, 0, width / 4, height);
        let drawn = 0;
        for (let i = 3; i < data.length; i += 4) drawn += data[i] > 0;
        return drawn;";
    until("numbers at the chart's left end", async || {
        (page.run(drawn).await.as_u64()? > 1_000).then_some(())
    })
    .await;
    page.wait_for_more("number-count", before + 4).await;
    page.wait_for("number", |text| text.parse::<f64>().is_ok())
        .await;
    let pid = page.demo.child.id().to_string();
    page.wait_for("pid", |text| text == pid).await;

    // The code beside the panels is there, and nothing was left to replace.
    let code = "return [...document.querySelectorAll('.code pre')].map((pre) => pre.textContent)";
    let code = page.run(code).await;
    let code: Vec<&str> = code
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    assert_eq!(code.len(), 7);
    assert!(
        code[0].contains("topic.subscribe_from_oldest()"),
        "{}",
        code[0]
    );
    for code in code {
        assert!(code.contains("fn ") && !code.contains("{{"), "{code}");
    }

    // The page closes the stream: the server cleans up at once. The page comes back with its last event.
    page.click("button-close").await;
    page.wait_for_state("closed").await;
    wait_for_line(&page.demo, "the clean-up", &["/events", AWAY]).await;
    page.click("button-open").await;
    page.wait_for_state("open").await;
    page.wait_for_clean_up("/events", AWAY).await;

    // A stream is ended from outside: the browser comes back, and resumes.
    let reconnections = page.number("reconnections").await;
    page.click_until_more(
        "[data-testid=open-streams] [data-path='/events'] button",
        "reconnections",
        reconnections,
    )
    .await;
    page.wait_for_clean_up("/events", ENDED_FROM_OUTSIDE).await;
    page.assert_nothing_is_lost().await;

    // The server ends a handler's stream twice, and says at the third time that it was all.
    page.click("button-count").await;
    page.wait_for("count-state", |text| text.contains("204"))
        .await;
    let log = page.run("return [...document.querySelectorAll('[data-testid=count-log] b')].map((b) => b.textContent.trim())").await;
    assert_eq!(
        log,
        serde_json::json!(["1 2 3 4 5", "6 7 8 9 10", "11 12 13 14 15"])
    );
    page.wait_for_clean_up("/count", ENDED).await;
    page.wait_for_clean_up("/count", "the response was sent")
        .await;
    page.assert_nothing_is_lost().await;

    // The tab is closed: the server keeps nothing of it.
    let seen = page.demo.lines.lock().unwrap().len();
    page.browser.close().await.unwrap();
    until("the clean-up of a closed tab", async || {
        let lines = page.demo.lines.lock().unwrap();
        let mut new = lines.iter().skip(seen);
        new.any(|line| line.contains("/events") && line.contains(AWAY))
            .then_some(())
    })
    .await;
}

#[tokio::test]
#[ignore = "needs chromium and chromedriver: run .ci/test"]
async fn a_restart_loses_nothing_and_a_new_process_is_told() {
    let mut page = Page::open().await;
    for run in ["2", "3"] {
        page.wait_for_more("number-count", 4).await;
        let reconnections = page.number("reconnections").await;
        page.click("button-restart").await;
        page.wait_for_more("reconnections", reconnections).await;
        page.wait_for("run", |text| text == run).await;
        page.wait_for_clean_up("/events", SHUT_DOWN).await;
        // How many events it missed depends on how soon it is back; none of them is lost.
        page.wait_for("caught-up", |text| number(text).is_some())
            .await;
        let numbers = page.number("number-count").await;
        page.wait_for_more("number-count", numbers + 4).await;
        page.assert_nothing_is_lost().await;
    }

    // A new process has another history: the page is told that its place is unknown, and begins anew.
    let old = page.demo.child.id();
    page.demo.child.kill().unwrap();
    page.wait_for_state("connecting").await;
    page.demo.child.wait().unwrap();
    page.demo = start_demo(page.port.address()).await;
    let pid = page.demo.child.id();
    assert_ne!(pid, old);
    page.wait_for("pid", |text| text == pid.to_string()).await;
    page.wait_for("timeline", |text| text.contains("unknown"))
        .await;
    let numbers = page.number("number-count").await;
    page.wait_for_more("number-count", numbers + 4).await;
    page.assert_nothing_is_lost().await;
}

#[tokio::test]
#[ignore = "needs chromium and chromedriver: run .ci/test"]
async fn an_answer_survives_a_reload_and_a_restart_and_can_be_stopped() {
    let page = Page::open().await;
    let complete = |text: &str| text == "It is complete.";

    // What it says when it is read in one go.
    page.ask().await;
    page.wait_for("answer-state", complete).await;
    let whole = page.text("answer").await;
    assert!(
        whole.contains("without a gap. ") && whole.ends_with("at once."),
        "{whole}"
    );

    page.ask().await;
    // By then it is most probably still being written. If not, the test proves less.
    page.wait_for("answer", |text| text.starts_with("Everything, and"))
        .await;
    page.reload().await;
    page.wait_for("answer", |text| text.starts_with("Everything, and without"))
        .await;
    page.click("button-restart").await;
    page.wait_for("answer-state", complete).await;
    assert_eq!(page.text("answer").await, whole);
    page.wait_for("run", |run| run == "2").await;

    // The answer is kept, and another one is stopped.
    page.reload().await;
    page.wait_for("answer-state", complete).await;
    assert_eq!(page.text("answer").await, whole);
    let stop_at_the_first_word = "
        const [answer, stop] = ['answer', 'button-stop'].map(part);
        new MutationObserver(() => { if (answer.textContent) stop.click(); }).observe(answer, { childList: true });";
    page.run(stop_at_the_first_word).await;
    // An answer that is complete before the button's request arrives cannot be stopped: the next one is.
    let stopped = "It was stopped.";
    until("an answer that is stopped", async || {
        page.ask().await;
        let end = |text: &str| text == stopped || complete(text);
        (page.wait_for("answer-state", end).await == stopped).then_some(())
    })
    .await;
    let stopped = page.text("answer").await;
    assert!(
        whole.starts_with(&stopped) && stopped.len() < whole.len(),
        "{stopped}"
    );
}

#[tokio::test]
#[ignore = "needs chromium and chromedriver: run .ci/test"]
async fn nothing_overflows_on_a_small_screen_and_no_row_is_cut() {
    let page = Page::open_as_wide_as(Some(360)).await;
    assert_eq!(page.run("return innerWidth").await, 360);
    page.click("button-ask").await;
    page.click("button-count").await;
    page.wait_for("count-state", |text| text.contains("204"))
        .await;
    page.wait_for_clean_up("/count", ENDED).await;
    // What does not fit scrolls within itself (code, commands and the raw events), and nothing else does.
    let too_wide = "
        const scrolls = '.code pre, .command, .scroll';
        return [...document.querySelectorAll('body, header, .panel, .panel > *, .panel :is(p, ol, li, dl, dd, table, button, select, h2)')]
            .filter((element) => !element.closest(scrolls) && element.scrollWidth > element.clientWidth && element.clientWidth > 0)
            .map((element) => `${element.tagName} ${element.dataset.testid ?? element.className} ${element.scrollWidth} > ${element.clientWidth}`);";
    assert_eq!(page.run(too_wide).await, serde_json::json!([]));
    let wide = "return document.documentElement.scrollWidth <= innerWidth";
    assert_eq!(page.run(wide).await, true);
    // Texts of one line stay on one line, and lists show all of their rows.
    let broken = "
        const lines = (element) => element.getClientRects().length && element.offsetHeight / parseFloat(getComputedStyle(element).lineHeight);
        return [...document.querySelectorAll('.facts dt, .facts dd, .state, button')]
            .filter((element) => lines(element.matches('button') ? element : element) >= (element.matches('button') ? 2.2 : 1.5))
            .map((element) => element.textContent);";
    assert_eq!(page.run(broken).await, serde_json::json!([]));
    let cut = "
        return [...document.querySelectorAll('.list')]
            .filter((list) => list.scrollHeight > list.clientHeight + 1)
            .map((list) => list.dataset.testid);";
    assert_eq!(page.run(cut).await, serde_json::json!([]));
}
