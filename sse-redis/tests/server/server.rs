//! A server of its own for each test.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use redis::Value;
use sse_redis::{RedisConfig, RedisLog};
use sse_suite::{Adapter, port::Port};

use crate::PATIENCE;

/// Starts a program and prints its process ID. The program ends when the process of this test does,
/// however that ends, because the input of the shell ends then.
const GUARD: &str = r#""$@" >/dev/null & echo $!; read -r _; kill -9 $!; wait"#;

/// A Redis server, which ends with the test.
pub(crate) struct Server {
    guard: Option<Child>,
    pid: String,
    reserved: Port,
    /// The port for TLS.
    pub(crate) tls: Option<Port>,
    /// The arguments of `redis-server`.
    pub(crate) arguments: Vec<String>,
    /// The master that a Sentinel watches.
    monitored: Option<String>,
    pub(crate) folder: tempfile::TempDir,
}

/// Returns settings under which nothing is given up because the machine is slow.
pub(crate) fn patient() -> RedisConfig {
    let mut config = RedisConfig::default();
    config.redial = Duration::from_millis(20);
    config.dial_timeout = PATIENCE;
    config.answer_timeout = PATIENCE;
    config.publish_timeout = PATIENCE;
    config
}

impl Server {
    /// Starts a server with these arguments. When this returns, it answers.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut server = Self::absent(arguments);
        // The port of a cluster's bus, which is another one, may be taken, or there may be none.
        while !server.start_again() {
            server.reserved = Port::reserve();
        }
        server
    }

    /// Returns a server that is not started yet.
    pub(crate) fn absent(arguments: &[&str]) -> Self {
        Self {
            guard: None,
            pid: String::new(),
            reserved: Port::reserve(),
            tls: None,
            arguments: arguments.iter().map(|it| (*it).to_owned()).collect(),
            monitored: None,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.reserved.number()
    }

    /// Starts a Sentinel that watches this master and decides alone. On a machine that is busy, a master
    /// may be silent for seconds: it is given up only after [`gives_up_after`](Self::gives_up_after).
    pub(crate) fn sentinel(master: &Server) -> Self {
        let mut sentinel = Self::absent(&[]);
        sentinel.monitored = Some(format!(
            "sentinel monitor mymaster 127.0.0.1 {} 1\n\
             sentinel down-after-milliseconds mymaster {}\n\
             sentinel failover-timeout mymaster 10000\n",
            master.port(),
            PATIENCE.as_millis(),
        ));
        assert!(sentinel.start_again());
        sentinel
    }

    /// Sets after which silence of its master this Sentinel promotes a replica.
    pub(crate) fn gives_up_after(&self, silence: Duration) {
        let millis = silence.as_millis().to_string();
        let set = ["SENTINEL", "SET", "mymaster"];
        self.command(&[&set[..], &["down-after-milliseconds", &millis]].concat());
    }

    /// Starts a replica of this master. When this returns, it has everything.
    pub(crate) fn replica_of(master: &Server) -> Self {
        let port = master.port().to_string();
        let diskless = ["--repl-diskless-sync-delay", "0"];
        let replica = Self::start(&[&["--replicaof", "127.0.0.1", &port], &diskless[..]].concat());
        replica.catch_up();
        replica
    }

    /// Waits until this replica is connected to its master.
    pub(crate) fn catch_up(&self) {
        let give_up_at = Instant::now() + PATIENCE;
        while !self.info("replication").contains("master_link_status:up") {
            assert!(Instant::now() < give_up_at, "the replica does not catch up");
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Returns a section of the server's `INFO`; empty if the server ends the connection, as
    /// Sentinel makes it do.
    pub(crate) fn info(&self, section: &str) -> String {
        let connection = self.connect();
        let info = connection.and_then(|mut it| redis::cmd("INFO").arg(section).query(&mut it));
        info.unwrap_or_default()
    }

    /// Starts it on its port, and returns whether it answers there.
    pub(crate) fn start_again(&mut self) -> bool {
        let mut guard = Command::new("sh")
            .args(["-c", GUARD, "sh", "redis-server"])
            .args(self.command_line())
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
                    // An error for the password is an answer, too.
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

    fn command_line(&self) -> Vec<String> {
        let (folder, port) = (self.folder.path().display(), self.port());
        match &self.monitored {
            Some(monitored) => {
                let file = self.folder.path().join("sentinel.conf");
                let own = format!("port {port}\nbind 127.0.0.1\ndir {folder}\n");
                std::fs::write(&file, own + monitored).unwrap();
                vec![file.display().to_string(), "--sentinel".into()]
            }
            None => {
                let own = format!(
                    "--port {port} --bind 127.0.0.1 --dir {folder} --appendfsync always --save"
                );
                let own = own.split(' ').map(str::to_owned).chain([String::new()]);
                own.chain(self.arguments.iter().cloned()).collect()
            }
        }
    }

    /// Returns whether the process runs. One that has ended stays as a zombie until its guard ends.
    fn is_running(&self) -> bool {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid));
        status.is_ok_and(|status| !status.contains("\nState:\tZ"))
    }

    /// Opens a connection beside those of the log.
    pub(crate) fn connect(&self) -> redis::RedisResult<redis::Connection> {
        let client = redis::Client::open(("127.0.0.1", self.port()))?;
        client.get_connection_with_timeout(PATIENCE)
    }

    /// Sends the server a command, beside the log.
    pub(crate) fn command(&self, words: &[&str]) -> Value {
        self.try_command(words).unwrap()
    }

    pub(crate) fn try_command(&self, words: &[&str]) -> redis::RedisResult<Value> {
        let (name, arguments) = words.split_first().unwrap();
        redis::cmd(name).arg(arguments).query(&mut self.connect()?)
    }

    /// Returns the number of connected clients, without the one that asks.
    pub(crate) fn clients(&self) -> usize {
        let mut connection = self.connect().unwrap();
        let list: String = redis::cmd("CLIENT")
            .arg("LIST")
            .query(&mut connection)
            .unwrap();
        list.lines().count() - 1
    }

    pub(crate) fn config(&self) -> RedisConfig {
        let mut config = patient();
        config.port = self.port();
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

    /// Sends the process this signal: `-STOP` makes it hang, and `-CONT` continue.
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
