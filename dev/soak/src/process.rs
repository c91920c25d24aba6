//! The server's process, as the program that tries it sees it.

use std::{
    collections::BTreeMap,
    env, fs, io,
    process::{ExitStatus, Stdio},
    sync::Arc,
    time::Duration,
};

use sse_suite::port::Port;

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

use crate::{Result, server};

/// How long a process may take to answer.
const PATIENCE: Duration = Duration::from_secs(120);

/// What a server needs to start, and to start again.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) port: Arc<Port>,
    pub(crate) tls_port: Arc<Port>,
    /// 0 where there is no Redis.
    pub(crate) redis: u16,
    pub(crate) publishes_log: bool,
    /// The certificate and the key.
    pub(crate) identity: String,
}

/// A running server. It ends when this is dropped.
pub(crate) struct Process {
    child: Child,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

/// Numbers by name, as the server tells them.
pub(crate) type Stats = BTreeMap<String, u64>;

impl Process {
    pub(crate) async fn start(plan: &Plan, seed: u64) -> Result<Self> {
        let log = if plan.publishes_log { "log" } else { "-" };
        let numbers = [plan.port.number(), plan.tls_port.number(), plan.redis];
        let numbers = numbers.map(|port| port.to_string());
        let mut child = Command::new(env::current_exe()?)
            .arg("serve")
            .args(numbers)
            .args([&seed.to_string(), log])
            .env(server::IDENTITY, &plan.identity)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let (orders, output) = (child.stdin.take(), child.stdout.take());
        let (Some(orders), Some(output)) = (orders, output) else {
            return Err("the server has no pipes".into());
        };
        let mut process = Self {
            child,
            orders,
            answers: BufReader::new(output).lines(),
        };
        match process.answer().await?.as_str() {
            "ready" => Ok(process),
            other => Err(format!("the server says {other:?}").into()),
        }
    }

    async fn answer(&mut self) -> Result<String> {
        let line = timeout(PATIENCE, self.answers.next_line()).await??;
        line.ok_or_else(|| "the server is gone".into())
    }

    async fn ask(&mut self, order: &str) -> Result<String> {
        self.orders
            .write_all(format!("{order}\n").as_bytes())
            .await?;
        self.answer().await
    }

    pub(crate) async fn stats(&mut self) -> Result<Stats> {
        numbers(&self.ask("stats").await?)
    }

    /// Has some of the streams ended from outside.
    pub(crate) async fn end_some(&mut self) -> Result<()> {
        self.ask("end").await.map(drop)
    }

    /// Has it shut down gracefully, and returns what it counted, and how its process ended.
    pub(crate) async fn shut_down(mut self) -> Result<(Stats, ExitStatus)> {
        let told = self.ask("shutdown").await?;
        let status = timeout(PATIENCE, self.child.wait()).await??;
        Ok((numbers(told.trim_start_matches("over "))?, status))
    }

    pub(crate) async fn kill(mut self) -> io::Result<()> {
        self.child.kill().await
    }

    /// Returns the number of its file descriptors.
    pub(crate) fn descriptors(&self) -> Result<u64> {
        let id = self.child.id().ok_or("the server is gone")?;
        Ok(fs::read_dir(format!("/proc/{id}/fd"))?.count() as u64)
    }

    /// Returns its resident memory in KiB.
    pub(crate) fn memory(&self) -> Result<u64> {
        let id = self.child.id().ok_or("the server is gone")?;
        let status = fs::read_to_string(format!("/proc/{id}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
        Ok(kib.ok_or("no VmRSS")?.parse()?)
    }
}

fn numbers(line: &str) -> Result<Stats> {
    let pairs = line.split(' ').map(|word| {
        let (name, number) = word.split_once('=').ok_or_else(|| line.to_owned())?;
        Ok((name.to_owned(), number.parse()?))
    });
    pairs.collect()
}
