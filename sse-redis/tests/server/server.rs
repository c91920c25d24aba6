//! A server of its own for each test.

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use redis::Value;
use sse_redis::{RedisConfig, RedisLog};
use sse_suite::Adapter;

use crate::PATIENCE;

/// Starts a program and says its process ID. The program ends when this test's process does, however that
/// ends: then the shell's input ends.
const GUARD: &str = r#""$@" >/dev/null & echo $!; read -r _; kill -9 $!; wait"#;

/// A Redis server, which ends with the test.
pub(crate) struct Server {
    guard: Option<Child>,
    pid: String,
    pub(crate) port: u16,
    /// What stands behind `redis-server`.
    arguments: Vec<String>,
    folder: tempfile::TempDir,
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    free.local_addr().unwrap().port()
}

impl Server {
    /// A server with these arguments. It answers.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut server = Self::absent(arguments);
        // Another test may have taken the port.
        while !server.start_again() {
            server.port = free_port();
        }
        server
    }

    /// One that was not started yet.
    pub(crate) fn absent(arguments: &[&str]) -> Self {
        Self {
            guard: None,
            pid: String::new(),
            port: free_port(),
            arguments: arguments.iter().map(|it| (*it).to_owned()).collect(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// Starts it on its port, and says whether it answers there.
    pub(crate) fn start_again(&mut self) -> bool {
        let mut guard = Command::new("sh")
            .args(["-c", GUARD, "sh", "redis-server"])
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendfsync", "always", "--dir"])
            .arg(self.folder.path())
            .args(&self.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(guard.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        self.pid = line.trim().to_owned();
        self.guard = Some(guard);
        let give_up_at = Instant::now() + PATIENCE;
        while Instant::now() < give_up_at {
            if let Ok(mut connection) = self.connect() {
                let info: Result<String, _> =
                    redis::cmd("INFO").arg("server").query(&mut connection);
                match info {
                    Ok(info) => return info.contains(&format!("process_id:{}\r", self.pid)),
                    // It needs a password.
                    Err(error) if error.code() == Some("NOAUTH") => return true,
                    Err(_) => {}
                }
            } else if !self.is_running() {
                return false;
            }
            thread::sleep(Duration::from_millis(10));
        }
        panic!("redis-server does not answer; is the Debian package of this name installed?")
    }

    fn is_running(&self) -> bool {
        std::path::Path::new("/proc").join(&self.pid).exists()
    }

    /// A connection beside those of the log.
    pub(crate) fn connect(&self) -> redis::RedisResult<redis::Connection> {
        let client = redis::Client::open(("127.0.0.1", self.port))?;
        client.get_connection_with_timeout(Duration::from_secs(10))
    }

    /// Has the server do something, beside the log.
    pub(crate) fn command(&self, words: &[&str]) -> Value {
        let (name, arguments) = words.split_first().unwrap();
        let mut connection = self.connect().unwrap();
        redis::cmd(name)
            .arg(arguments)
            .query(&mut connection)
            .unwrap()
    }

    /// How many clients are connected, but for the one that asks.
    pub(crate) fn clients(&self) -> usize {
        let mut connection = self.connect().unwrap();
        let list: String = redis::cmd("CLIENT")
            .arg("LIST")
            .query(&mut connection)
            .unwrap();
        list.lines().count() - 1
    }

    pub(crate) fn config(&self) -> RedisConfig {
        let mut config = RedisConfig::default();
        config.port = self.port;
        config.redial = Duration::from_millis(20);
        config
    }

    pub(crate) fn log<A: Adapter>(&self) -> RedisLog {
        RedisLog::on(A::Runtime::default(), self.config())
    }

    pub(crate) fn kill(&mut self) {
        if let Some(mut guard) = self.guard.take() {
            drop(guard.stdin.take());
            guard.wait().unwrap();
            while self.is_running() {
                thread::sleep(Duration::from_millis(1));
            }
        }
    }

    /// Has it hang (`-STOP`), or go on (`-CONT`).
    pub(crate) fn signal(&self, signal: &str) {
        let kill = Command::new("kill").args([signal, &self.pid]).status();
        assert!(kill.unwrap().success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
