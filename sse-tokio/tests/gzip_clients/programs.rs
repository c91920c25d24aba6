//! Programs that print a stream as it comes, and fail where it breaks off.

use std::{path::PathBuf, process::Command};

use crate::{
    Setting,
    chromium::{Process, until},
};

/// A program that takes an event stream.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Program {
    Curl,
    Urllib,
    Requests,
    Node,
}

impl Program {
    /// Asks for the stream at `url`, behind the event with this ID if there is one.
    fn start(self, url: &str, last_event_id: Option<&str>) -> Running {
        let script = |name| {
            PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/gzip_clients/{name}"))
        };
        let mut command = match self {
            Self::Curl => {
                let mut curl = Command::new("curl");
                // With the head, and without a buffer for what comes.
                curl.args(["-siN", "--compressed"]);
                if let Some(id) = last_event_id {
                    curl.args(["-H", &format!("Last-Event-ID: {id}")]);
                }
                curl.arg(url);
                curl
            }
            Self::Urllib | Self::Requests => {
                let mut python = Command::new("python3");
                let library = format!("{self:?}").to_lowercase();
                python
                    .arg(script("client.py"))
                    .args([&library, url])
                    .args(last_event_id);
                python
            }
            Self::Node => {
                let mut node = Command::new("node");
                node.arg(script("client.mjs")).arg(url).args(last_event_id);
                node
            }
        };
        Running(Process::start(&mut command))
    }

    /// Takes a compressed stream, its end and its breaking off.
    pub(crate) async fn takes_it(self, setting: &Setting, base: &str) {
        self.takes_events(setting, base, "gzip").await;
        assert!(
            self.ends(setting, base, "three").await,
            "{self:?} takes the end"
        );
        // Where a response says `connection: close`, as ours do, Node takes the end of the connection for
        // that of the body, also of one in chunks, and decodes without looking for an end.
        let is_told = !matches!(self, Self::Node) || base != setting.base();
        assert!(
            !is_told || !self.ends(setting, base, "broken").await,
            "{self:?} is told"
        );
    }

    /// Takes events one by one, and comes back behind the last. `coding` is what the responses have.
    pub(crate) async fn takes_events(self, setting: &Setting, base: &str, coding: &str) {
        eprintln!("{self:?} at {base}");
        let lives = self.start(&format!("{base}/events"), None);
        setting.wait_for_subscribers(1).await;
        let mut published = Vec::new();
        for _ in 0..5 {
            let line = setting.publish();
            lives.wait_for(&line).await;
            published.push(line);
        }
        assert!(lives.has_coding(coding), "{:?}", lives.lines());
        assert_eq!(lives.data(), published);
        let last = lives.last_id();
        drop(lives);
        setting.wait_for_subscribers(0).await;

        // It comes back in the middle, and has missed several restart points.
        let missed: Vec<_> = (0..1500).map(|_| setting.publish()).collect();
        let again = self.start(&format!("{base}/events"), Some(&last));
        again.wait_for(missed.last().unwrap()).await;
        assert!(again.has_coding(coding));
        assert_eq!(again.data(), missed);
        drop(again);
        setting.wait_for_subscribers(0).await;
    }

    /// Takes three events, and says whether the program is content with the end.
    async fn ends(self, setting: &Setting, base: &str, path: &str) -> bool {
        let mut client = self.start(&format!("{base}/{path}"), None);
        setting.wait_for_subscribers(1).await;
        for _ in 0..3 {
            client.wait_for(&setting.publish()).await;
        }
        if path == "broken" {
            setting.publish();
        }
        let status = until("the program's end", async || {
            client.0.child.try_wait().unwrap()
        })
        .await;
        assert_eq!(client.data().len(), 3);
        setting.wait_for_subscribers(0).await;
        status.success()
    }
}

struct Running(Process);

impl Running {
    fn lines(&self) -> Vec<String> {
        self.0.lines.lock().unwrap().clone()
    }

    async fn wait_for(&self, line: &str) {
        until(line, async || {
            self.lines().iter().any(|it| it == line).then_some(())
        })
        .await;
    }

    /// What the head of the response says.
    fn has_coding(&self, coding: &str) -> bool {
        let says = |line: &String| {
            let line = line.trim().to_lowercase();
            line.strip_prefix("content-encoding: ")
                .or(line.strip_prefix("coding: "))
                .map(str::to_owned)
        };
        let said = self.lines().iter().find_map(says);
        said.unwrap_or_else(|| "none".into()) == coding
    }

    fn data(&self) -> Vec<String> {
        let mut lines = self.lines();
        lines.retain(|line| line.starts_with("data: "));
        lines
    }

    fn last_id(&self) -> String {
        let lines = self.lines();
        let mut ids = lines.iter().filter_map(|line| line.strip_prefix("id: "));
        ids.next_back().unwrap().to_owned()
    }
}

#[tokio::test]
#[ignore = "needs curl, python3 with requests, and node: run .ci/test"]
async fn programs_show_each_event_at_once_resume_and_know_an_end_from_a_break() {
    let setting = Setting::start().await;
    let base = setting.base();
    for program in [
        Program::Curl,
        Program::Urllib,
        Program::Requests,
        Program::Node,
    ] {
        program.takes_it(&setting, &base).await;
    }
}
