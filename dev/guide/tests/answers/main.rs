//! The page of a language model's answer in Chromium: it is reloaded in the middle of an answer and
//! loses no token, and its button stops the model.
//!
//! `.ci/test` runs this; it needs `chromium` and `chromedriver` on the path. `SCREENSHOTS=FOLDER` keeps
//! what the pages look like.

use std::{
    env, fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::Command,
    sync::mpsc,
    thread,
    time::Duration,
};

use fantoccini::{Client, Locator};

use chromium::{Driver, Process, until};

#[allow(unreachable_pub)] // a test has no interface
#[path = "../../../../sse-tokio/tests/chromium/mod.rs"]
mod chromium;
#[path = "../question/mod.rs"]
mod question;

/// The server of a model, whose answers the test writes.
struct Model {
    url: String,
    asked: mpsc::Receiver<TcpStream>,
}

/// An answer that is being written.
struct Writing(TcpStream);

impl Model {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let (hand_over, asked) = mpsc::channel();
        thread::spawn(move || {
            for socket in listener.incoming() {
                let mut socket = socket.unwrap();
                question::read(&mut socket);
                if hand_over.send(socket).is_err() {
                    return;
                }
            }
        });
        Self { url, asked }
    }

    async fn next(&self) -> TcpStream {
        until("a question to the model", async || {
            self.asked.try_recv().ok()
        })
        .await
    }

    async fn answers(&self) -> Writing {
        let mut socket = self.next().await;
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n";
        socket.write_all(head.as_bytes()).unwrap();
        Writing(socket)
    }
}

impl Writing {
    /// Writes a token for each number, and returns their text.
    fn write(&mut self, numbers: std::ops::Range<u32>) -> String {
        let mut text = String::new();
        for n in numbers {
            let token = format!(" {n}");
            let event = serde_json::json!({ "choices": [{ "delta": { "content": token } }] });
            self.0
                .write_all(format!("data: {event}\n\n").as_bytes())
                .unwrap();
            text += &token;
        }
        text
    }

    fn done(mut self) {
        self.0.write_all(b"data: [DONE]\n\n").unwrap();
    }

    /// Returns whether the client of the model has left.
    fn is_left(&mut self) -> bool {
        let limit = Some(Duration::from_millis(1));
        self.0.set_read_timeout(limit).unwrap();
        match self.0.read(&mut [0]) {
            Ok(n) => n == 0,
            Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
        }
    }
}

struct Page(Client);

impl Page {
    async fn text(&self, id: &str) -> String {
        // While the page loads there is no such element.
        let script = format!("return document.getElementById('{id}')?.textContent ?? ''");
        let text = self.0.execute(&script, Vec::new()).await;
        text.ok()
            .and_then(|text| Some(text.as_str()?.to_owned()))
            .unwrap_or_default()
    }

    async fn wait_for(&self, id: &str, what: &str) {
        until(&format!("{what:?} in {id}"), async || {
            self.text(id).await.contains(what).then_some(())
        })
        .await;
    }

    /// Stores a screenshot of the page, if the environment names a folder for it.
    async fn screenshot(&self, name: &str) {
        if let Some(folder) = env::var_os("SCREENSHOTS") {
            let image = self.0.screenshot().await.unwrap();
            fs::write(Path::new(&folder).join(format!("{name}.png")), image).unwrap();
        }
    }

    async fn ask(&self) {
        let find = async |id| self.0.find(Locator::Id(id)).await.unwrap();
        find("prompt").await.send_keys("Count!").await.unwrap();
        find("send").await.click().await.unwrap();
    }
}

/// The program, a page of it, and the model, which the test plays. The program and the page end
/// when this is dropped.
struct Setting {
    model: Model,
    page: Page,
    url: String,
    _processes: (Driver, Process),
}

async fn set_up() -> Setting {
    let (model, chromedriver) = (Model::start(), Driver::start().await);
    let mut command = Command::new(env!("CARGO_BIN_EXE_language_model"));
    let server = Process::start(command.args([&model.url, "127.0.0.1:0"]));
    let address = until("the server", async || {
        server.lines.lock().unwrap().first().cloned()
    })
    .await;
    let url = format!("http://{address}/");
    let page = Page(chromium::open(&chromedriver, &url).await);
    Setting {
        model,
        page,
        url,
        _processes: (chromedriver, server),
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium"]
async fn a_page_that_is_reloaded_in_mid_answer_loses_no_token() {
    let Setting { model, page, .. } = &set_up().await;
    page.ask().await;
    let mut writing = model.answers().await;
    let mut text = writing.write(0..50);
    page.wait_for("answer", " 49").await;
    // The page is reloaded twice while the model writes.
    for round in 1..3 {
        let from = round * 100;
        let refreshed = tokio::spawn({
            let client = page.0.clone();
            async move { client.refresh().await.unwrap() }
        });
        for n in from..from + 50 {
            text += &writing.write(n..n + 1);
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        refreshed.await.unwrap();
        page.wait_for("answer", &format!(" {}", from + 49)).await;
        assert_eq!(page.text("answer").await, text);
        assert_eq!(page.text("state").await, "is being written");
    }
    text += &writing.write(300..350);
    page.screenshot("being-written").await;
    writing.done();
    page.wait_for("state", "complete").await;
    assert_eq!(page.text("answer").await, text);

    // The page is reloaded once more after the end.
    page.0.refresh().await.unwrap();
    page.wait_for("state", "complete").await;
    assert_eq!(page.text("answer").await, text);
    page.screenshot("complete").await;
    page.0.clone().close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium"]
async fn the_stop_button_ends_the_answer_and_the_request_to_the_model() {
    let Setting { model, page, .. } = &set_up().await;
    page.ask().await;
    let mut writing = model.answers().await;
    let part = writing.write(0..3);
    page.wait_for("answer", &part).await;
    let stop = page.0.find(Locator::Id("stop")).await.unwrap();
    stop.click().await.unwrap();
    page.wait_for("state", "stopped").await;
    assert_eq!(page.text("answer").await, part);
    until("the end of the request to the model", async || {
        writing.is_left().then_some(())
    })
    .await;
    page.screenshot("stopped").await;

    // The written part of the answer is kept.
    page.0.refresh().await.unwrap();
    page.wait_for("state", "stopped").await;
    assert_eq!(page.text("answer").await, part);
    page.0.clone().close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium"]
async fn a_page_is_told_of_a_model_that_refuses_and_of_an_answer_that_is_not_kept() {
    let Setting {
        model, page, url, ..
    } = &set_up().await;
    page.ask().await;
    let refusal = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n";
    model.next().await.write_all(refusal.as_bytes()).unwrap();
    page.wait_for("state", "failed").await;
    let told = "The model does not answer (429). Ask again in 7 s.";
    assert_eq!(page.text("answer").await, told);
    let first = page.0.current_url().await.unwrap();
    page.0.goto(&format!("{url}#unknown")).await.unwrap();
    page.wait_for("state", "not kept any more").await;
    // The first answer is still there.
    page.0.goto(first.as_str()).await.unwrap();
    page.wait_for("state", "failed").await;
    assert_eq!(page.text("answer").await, told);
    page.0.clone().close().await.unwrap();
}
