//! The servers, and what happens to them: restarts, kills, and a Redis that goes and comes back.

use std::{path::PathBuf, sync::Arc, time::Duration};

use fastrand::Rng;
use sse_soak::programs::{self, Program, Running};
use sse_suite::port::Port;
use tokio::{
    task::block_in_place,
    time::{Instant, sleep, sleep_until},
};

use crate::{
    Result,
    laws::{Law, Record},
    process::{Plan, Process, Stats},
    server::SHUTDOWN,
};

/// How much longer than its deadline a shutdown may take, on a machine that is busy.
const SHUTDOWN_MARGIN: Duration = Duration::from_secs(30);

/// How long a server may take to be idle after its last client.
const IDLE_WITHIN: Duration = Duration::from_secs(120);

/// How much more an idle server may hold than after the warm-up.
const MORE_DESCRIPTORS: u64 = 4;
const MORE_TASKS: u64 = 4;
pub(crate) const MORE_MEMORY: u64 = 16 * 1024;

/// What an idle server holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Idle {
    pub(crate) descriptors: u64,
    pub(crate) tasks: u64,
    /// In KiB.
    pub(crate) memory: u64,
}

/// A Redis server that can be killed and started again.
pub(crate) struct Redis {
    file: PathBuf,
    port: Port,
    program: Option<Program>,
}

impl Redis {
    /// Starts Redis if it is installed.
    pub(crate) fn find() -> Result<Option<Self>> {
        let Some(file) = programs::find("redis-server") else {
            return Ok(None);
        };
        let port = Port::reserve();
        let program = Some(programs::redis(&file, &port)?);
        Ok(Some(Self {
            file,
            port,
            program,
        }))
    }

    pub(crate) fn port(&self) -> u16 {
        self.port.number()
    }

    /// Kills it. It has no file: what it knew is lost.
    fn kill(&mut self) {
        block_in_place(|| self.program = None);
    }

    fn start(&mut self) -> Result<()> {
        if self.program.is_none() {
            self.program = Some(block_in_place(|| programs::redis(&self.file, &self.port))?);
        }
        Ok(())
    }
}

/// A server that lasts as long as the run, and one that is restarted and killed, which is the one behind
/// the proxies.
pub(crate) struct Servers {
    steady: Process,
    /// `None` while it is away.
    moving: Option<Process>,
    moving_plan: Plan,
    redis: Option<Redis>,
    _proxies: Vec<Running>,
    record: Arc<Record>,
    /// What the steady one held after the warm-up.
    warm: Option<Idle>,
}

impl Servers {
    pub(crate) async fn start(
        [steady, moving]: [Plan; 2],
        redis: Option<Redis>,
        proxies: Vec<Running>,
        record: Arc<Record>,
        draws: &mut Rng,
    ) -> Result<Self> {
        Ok(Self {
            steady: Process::start(&steady, draws.u64(..)).await?,
            moving: Some(Process::start(&moving, draws.u64(..)).await?),
            moving_plan: moving,
            redis,
            _proxies: proxies,
            record,
            warm: None,
        })
    }

    /// Lets things happen until `end`, one in about `pace`. Then everything is there again.
    pub(crate) async fn weather(
        &mut self,
        end: Instant,
        pace: Duration,
        draws: &mut Rng,
    ) -> Result<()> {
        loop {
            let next = Instant::now() + pace.mul_f64(0.5 + draws.f64());
            sleep_until(next.min(end)).await;
            if next >= end || self.record.is_broken() {
                return Ok(());
            }
            match draws.u8(..8) {
                0 | 1 => self.restart(draws).await?,
                2 | 3 => self.kill(draws).await?,
                4 | 5 => self.lose_redis(draws).await?,
                6 => self.steady.end_some().await?,
                _ => {
                    if let Some(moving) = &mut self.moving {
                        moving.end_some().await?;
                    }
                }
            }
        }
    }

    async fn restart(&mut self, draws: &mut Rng) -> Result<()> {
        self.record.count("graceful restarts");
        if let Some(old) = self.moving.take() {
            shut_down(old, &self.record).await?;
        }
        self.come_back(draws).await
    }

    async fn kill(&mut self, draws: &mut Rng) -> Result<()> {
        self.record.count("kills");
        if let Some(old) = self.moving.take() {
            old.kill().await?;
        }
        self.come_back(draws).await
    }

    async fn come_back(&mut self, draws: &mut Rng) -> Result<()> {
        sleep(Duration::from_millis(draws.u64(..2_000))).await;
        let new = Process::start(&self.moving_plan, draws.u64(..)).await?;
        self.moving = Some(new);
        Ok(())
    }

    async fn lose_redis(&mut self, draws: &mut Rng) -> Result<()> {
        if let Some(redis) = &mut self.redis {
            self.record.count("losses of Redis");
            redis.kill();
            sleep(Duration::from_millis(draws.u64(..2_000))).await;
            redis.start()?;
        }
        Ok(())
    }

    /// Waits until both servers are idle, checks what they hold, and returns it for the steady one.
    pub(crate) async fn calm(&mut self) -> Result<Idle> {
        if let Some(moving) = &mut self.moving {
            become_idle(moving, &self.record).await?;
        }
        let deadline = Instant::now() + IDLE_WITHIN;
        become_idle(&mut self.steady, &self.record).await?;
        loop {
            let idle = hold(&mut self.steady).await?;
            let Some(warm) = self.warm else {
                // Its connections to Redis are there again.
                sleep(Duration::from_secs(1)).await;
                let idle = hold(&mut self.steady).await?;
                self.warm = Some(idle);
                return Ok(idle);
            };
            let more = idle.more_than(&warm);
            if more.is_empty() || Instant::now() > deadline {
                for (law, how) in more {
                    self.record.broken(law, how);
                }
                return Ok(idle);
            }
            sleep(Duration::from_millis(500)).await;
        }
    }

    /// Shuts both servers down, and returns what the steady one counted.
    pub(crate) async fn end(self) -> Result<Stats> {
        if let Some(moving) = self.moving {
            shut_down(moving, &self.record).await?;
        }
        shut_down(self.steady, &self.record).await
    }
}

impl Idle {
    /// Returns the laws that this breaks.
    fn more_than(&self, warm: &Self) -> Vec<(Law, String)> {
        let bounds = [
            (
                Law::Descriptors,
                self.descriptors,
                warm.descriptors,
                MORE_DESCRIPTORS,
            ),
            (Law::Tasks, self.tasks, warm.tasks, MORE_TASKS),
            (Law::Memory, self.memory, warm.memory, MORE_MEMORY),
        ];
        let over = bounds
            .into_iter()
            .filter(|(_, now, then, more)| *now > then + more);
        over.map(|(law, now, then, more)| {
            (
                law,
                format!("{now}; {then} after the warm-up, and at most {more} more"),
            )
        })
        .collect()
    }
}

async fn hold(server: &mut Process) -> Result<Idle> {
    let stats = server.stats().await?;
    Ok(Idle {
        descriptors: server.descriptors()?,
        tasks: number(&stats, "tasks"),
        memory: server.memory()?,
    })
}

fn number(stats: &Stats, name: &str) -> u64 {
    stats.get(name).copied().unwrap_or_default()
}

/// Waits until a server has no client, and checks that it knows that each one is gone.
async fn become_idle(server: &mut Process, record: &Record) -> Result<()> {
    let deadline = Instant::now() + IDLE_WITHIN;
    loop {
        let stats = server.stats().await?;
        let is_idle = ["open", "streams", "answers"]
            .iter()
            .all(|name| number(&stats, name) == 0)
            && number(&stats, "cleaned") == number(&stats, "handlers");
        if is_idle || Instant::now() > deadline {
            if number(&stats, "open") + number(&stats, "streams") + number(&stats, "answers") > 0 {
                record.broken(Law::LeftOpen, format!("without clients: {stats:?}"));
            }
            check(&stats, record);
            return Ok(());
        }
        sleep(Duration::from_millis(200)).await;
    }
}

/// Checks the counts of a server that has no client.
fn check(stats: &Stats, record: &Record) {
    let cleaned = number(stats, "cleaned");
    if cleaned != number(stats, "handlers") || number(stats, "twice") > 0 {
        record.broken(Law::CleanUp, format!("{stats:?}"));
    }
    if number(stats, "panics") > 0 {
        record.broken(
            Law::Panics,
            format!("{} in a server", number(stats, "panics")),
        );
    }
}

/// Shuts a server down while it has clients.
async fn shut_down(server: Process, record: &Record) -> Result<Stats> {
    let begin = Instant::now();
    let (stats, status) = server.shut_down().await?;
    let took = begin.elapsed();
    if took > SHUTDOWN + SHUTDOWN_MARGIN {
        record.broken(
            Law::Shutdown,
            format!("{took:?}; the deadline is {SHUTDOWN:?}"),
        );
    }
    if !status.success() {
        record.broken(Law::Panics, format!("the server ends with {status}"));
    }
    if number(&stats, "open") > 0 {
        record.broken(Law::LeftOpen, format!("after the shutdown: {stats:?}"));
    }
    check(&stats, record);
    Ok(stats)
}
