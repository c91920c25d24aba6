//! Chromium's `EventSource`.

use std::sync::atomic::Ordering;

use fantoccini::Client;

use crate::{
    Setting,
    chromium::{self, Driver, until},
};

/// A browser, which ends with this.
pub(crate) struct Browser(Driver);

impl Browser {
    pub(crate) async fn start() -> Self {
        Self(Driver::start().await)
    }

    /// Takes events one by one from a stream that ends over and over, and from one that breaks off as often.
    pub(crate) async fn takes_it(&self, setting: &Setting, base: &str) {
        for path in ["three", "broken"] {
            eprintln!("Chromium at {base}/{path}");
            let asked = setting.asked.load(Ordering::Relaxed);
            let page = chromium::open(&self.0, &format!("{base}/#/{path}")).await;
            wait_for(&page, "coding: gzip").await;
            wait_for(&page, "open").await;
            setting.wait_for_subscribers(1).await;
            let mut published = Vec::new();
            for _ in 0..10 {
                let line = setting.publish();
                wait_for(&page, &line).await;
                published.push(line);
            }
            let lines = lines(&page).await;
            let data: Vec<_> = lines
                .iter()
                .filter(|line| line.starts_with("data: "))
                .collect();
            assert!(data.iter().copied().eq(&published), "{lines:?}");
            let lost = lines.iter().filter(|line| *line == "lost").count();
            assert!(lost >= 3, "{lines:?}");
            // Each time it came back it asked for the coding; one request more is the page's `fetch`.
            let asked = setting.asked.load(Ordering::Relaxed) - asked;
            assert!(asked > lost, "{asked} times, {lines:?}");
            page.close().await.unwrap();
            setting.wait_for_subscribers(0).await;
        }
    }
}

async fn lines(page: &Client) -> Vec<String> {
    let script = "return document.getElementById('lines').textContent";
    let text = page.execute(script, Vec::new()).await.unwrap();
    text.as_str().unwrap().lines().map(str::to_owned).collect()
}

async fn wait_for(page: &Client, line: &str) {
    until(line, async || {
        lines(page).await.iter().any(|it| it == line).then_some(())
    })
    .await;
}

#[tokio::test]
#[ignore = "needs chromium and chromedriver: run .ci/test"]
async fn a_page_gets_each_event_at_once_and_comes_back_behind_the_last() {
    let setting = Setting::start().await;
    let browser = Browser::start().await;
    browser.takes_it(&setting, &setting.base()).await;
}
