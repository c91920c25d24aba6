//! Processes, and Chromium among them: headless, through WebDriver.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

/// How long anything may take before a test gives up: so long that a machine that is busy with other work
/// gets it done. No time is asserted.
const PATIENCE: Duration = Duration::from_secs(300);

/// A process that ends with the test, and the lines that it prints.
pub struct Process {
    pub child: Child,
    #[allow(dead_code)] // not every test asks
    pub lines: Arc<Mutex<Vec<String>>>,
}

impl Process {
    pub fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let output = BufReader::new(child.stdout.take().unwrap());
        let lines = Arc::<Mutex<Vec<_>>>::default();
        let log = lines.clone();
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                log.lock().unwrap().push(line);
            }
        });
        Self { child, lines }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Calls `ask` again and again until it returns a value.
pub async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(start.elapsed() < PATIENCE, "waited too long for {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A chromedriver, which ends with the test, and its browser with it.
pub struct Driver {
    _process: Process,
    port: u16,
}

impl Driver {
    /// Starts chromedriver on a port that it chooses.
    pub async fn start() -> Self {
        let process = Process::start(Command::new("chromedriver").arg("--port=0"));
        let port = until("chromedriver", async || {
            let lines = process.lines.lock().unwrap();
            let mut ports = lines
                .iter()
                .filter_map(|line| line.split_once("started successfully on port "));
            let (_, port) = ports.next()?;
            port.trim_end_matches('.').parse().ok()
        })
        .await;
        Self {
            _process: process,
            port,
        }
    }

    /// Returns where its browser keeps its files. Tests of one process have a driver each.
    fn profile(&self) -> String {
        let (process, port) = (std::process::id(), self.port);
        let folder = env::temp_dir().join(format!("sse-browser-test-{process}-{port}"));
        folder.display().to_string()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // A driver that is killed leaves its browser behind, which has its profile in its command line.
        let profile = self.profile();
        for process in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let command = fs::read(process.path().join("cmdline")).unwrap_or_default();
            if String::from_utf8_lossy(&command).contains(&profile) {
                let kill = format!("kill -KILL {}", process.file_name().display());
                let _ = Command::new("sh").args(["-c", &kill]).status();
            }
        }
    }
}

/// Opens a page at `url`, in a browser of its own, which accepts certificates of unknown authorities.
#[allow(dead_code)] // one test has its own width
pub async fn open(driver: &Driver, url: &str) -> Client {
    open_as_wide_as(None, driver, url).await
}

/// Does the same on a screen with this width, such as that of a telephone.
pub async fn open_as_wide_as(width: Option<u32>, driver: &Driver, url: &str) -> Client {
    let arguments = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        &format!("--user-data-dir={}", driver.profile()),
    ];
    let mut options = json!({ "args": arguments });
    if let Some(width) = width {
        // A window is at least 500 px wide.
        let metrics = json!({ "width": width, "height": 800, "pixelRatio": 1, "mobile": false, "touch": false });
        options["mobileEmulation"] = json!({ "deviceMetrics": metrics });
    }
    let capabilities = json!({
        "goog:chromeOptions": options,
        "acceptInsecureCerts": true,
        "timeouts": { "script": PATIENCE.as_millis(), "pageLoad": PATIENCE.as_millis() },
    });
    let Value::Object(capabilities) = capabilities else {
        panic!("an object was written")
    };
    let mut builder = ClientBuilder::new(HttpConnector::new());
    builder.capabilities(capabilities);
    let chromedriver = format!("http://127.0.0.1:{}", driver.port);
    let client = until("a session with chromedriver", async || {
        let session = builder.connect(&chromedriver).await;
        session.ok()
    })
    .await;
    client.goto(url).await.unwrap();
    client
}
