//! Topics of many nodes beside topics of one process: events per second, the time that an event takes,
//! and the CPU time that it costs.
//!
//! `cargo run --release --manifest-path dev/bench/Cargo.toml --no-default-features --bin nodes`, behind `--`:
//!
//! - `quick`: a quarter of the time, which is less than a minute;
//! - `topics=1,1000,10000`, `seconds=6` (of each measurement), `rate=1000` (events per second where the
//!   time is measured): others than the usual ones.
//!
//! There are two nodes, each a process with one thread for its tasks, and a `redis-server` that this program
//! starts and ends. Each node has one client of every topic, a stream in its own process: what sockets
//! cost is measured by `fan_out`. One node publishes, to one topic after the other. For comparison one
//! process does the same with topics of its own. The time of an event is from before it is published to when
//! the client of the other node has it; the clock is the machine's.

mod node;
mod redis;

use std::{
    error::Error,
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio},
    str::FromStr,
    thread,
    time::Duration,
};

use redis::Redis;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

struct Plan {
    topics: Vec<usize>,
    seconds: f64,
    rate: u64,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match arguments.as_slice() {
        [serve, port, topics] if serve == "serve" => node::serve(port, topics),
        others => Plan::new(others).and_then(|plan| plan.run()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

impl Plan {
    fn new(arguments: &[String]) -> Result<Self> {
        let mut plan = Self {
            topics: vec![1, 1_000, 10_000],
            seconds: 6.0,
            rate: 1_000,
        };
        for argument in arguments {
            match argument.split_once('=') {
                None if argument == "quick" => plan.seconds = 1.5,
                Some(("topics", list)) => {
                    let counts: std::result::Result<_, _> =
                        list.split(',').map(str::parse).collect();
                    plan.topics = counts?;
                }
                Some(("seconds", seconds)) => plan.seconds = seconds.parse()?,
                Some(("rate", rate)) => plan.rate = rate.parse()?,
                _ => return Err(format!("there is no argument {argument:?}").into()),
            }
        }
        Ok(plan)
    }

    fn run(&self) -> Result<()> {
        let mut rows = Vec::new();
        for &topics in &self.topics {
            eprintln!("{topics} topics, in one process");
            let embedded = self.embedded(topics)?;
            eprintln!("{topics} topics, on two nodes");
            rows.push((topics, embedded, self.nodes(topics)?));
        }
        println!(
            "| topics | | events/s | p50, µs | p99, µs | publishing, µs | receiving, µs | Redis, µs |"
        );
        println!("|---|---|---|---|---|---|---|---|");
        for (topics, embedded, nodes) in rows {
            print_row(topics, "one process", &embedded);
            print_row(topics, "two nodes", &nodes);
        }
        println!(
            "\nTimes of an event (p50, p99) at {} events/s. The last three columns are CPU time for an event, \
             at the most events/s.",
            self.rate
        );
        Ok(())
    }

    fn embedded(&self, topics: usize) -> Result<Figures> {
        let mut node = Node::start(None, topics)?;
        let flood = node.flood(self.seconds)?;
        let most = node.report(flood)?;
        let paced = node.pace(self.rate, self.seconds)?;
        let times = node.report(paced)?;
        Ok(Figures {
            per_second: most.per_second(),
            p50: times.p50,
            p99: times.p99,
            publishing: most.cpu / flood as f64,
            receiving: None,
            redis: None,
        })
    }

    fn nodes(&self, topics: usize) -> Result<Figures> {
        let redis = Redis::start()?;
        let mut publishing = Node::start(Some(&redis), topics)?;
        let mut receiving = Node::start(Some(&redis), topics)?;
        // By then every topic of each node hears its bells.
        receiving.reset()?;
        let each = publishing.each()?;
        receiving.report(each)?;
        thread::sleep(Duration::from_secs(2));

        receiving.reset()?;
        let cpu = redis.cpu()?;
        let flood = publishing.flood(self.seconds)?;
        let (here, there) = (publishing.report(flood)?, receiving.report(flood)?);
        let cpu = redis.cpu()? - cpu;
        receiving.reset()?;
        let paced = publishing.pace(self.rate, self.seconds)?;
        let times = receiving.report(paced)?;
        Ok(Figures {
            per_second: there.per_second(),
            p50: times.p50,
            p99: times.p99,
            publishing: here.cpu / flood as f64,
            receiving: Some(there.cpu / flood as f64),
            redis: Some(cpu / flood as f64),
        })
    }
}

/// Times and CPU times in microseconds.
struct Figures {
    per_second: f64,
    p50: f64,
    p99: f64,
    publishing: f64,
    receiving: Option<f64>,
    redis: Option<f64>,
}

fn print_row(topics: usize, what: &str, figures: &Figures) {
    let cell = |value: Option<f64>| value.map_or("–".into(), |value| format!("{value:.1}"));
    println!(
        "| {topics} | {what} | {:.0} | {:.0} | {:.0} | {} | {} | {} |",
        figures.per_second,
        figures.p50,
        figures.p99,
        cell(Some(figures.publishing)),
        cell(figures.receiving),
        cell(figures.redis),
    );
}

/// The report of a node on the events that its clients received: see `node`.
struct Report {
    received: f64,
    /// The time between the first and the last of them.
    seconds: f64,
    /// In microseconds, like all that follow.
    cpu: f64,
    p50: f64,
    p99: f64,
}

impl Report {
    fn per_second(&self) -> f64 {
        self.received / self.seconds.max(1e-9)
    }
}

/// A process with topics, which obeys orders.
struct Node {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Node {
    /// Starts a node whose topics are on this server, or in the process itself. It has a client of
    /// each.
    fn start(redis: Option<&Redis>, topics: usize) -> Result<Self> {
        let port = redis.map_or(0, Redis::port).to_string();
        let mut child = Command::new(std::env::current_exe()?)
            .args(["serve", &port, &topics.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let orders = child.stdin.take().ok_or("no input")?;
        let answers = BufReader::new(child.stdout.take().ok_or("no output")?);
        let mut node = Self {
            child,
            orders,
            answers,
        };
        let _: String = node.answer()?;
        Ok(node)
    }

    fn order<T: FromStr<Err: Error + Send + Sync + 'static>>(&mut self, order: &str) -> Result<T> {
        writeln!(self.orders, "{order}")?;
        self.answer()
    }

    fn answer<T: FromStr<Err: Error + Send + Sync + 'static>>(&mut self) -> Result<T> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        Ok(line.trim_end().parse()?)
    }

    fn reset(&mut self) -> Result<()> {
        self.order::<String>("reset").map(drop)
    }

    /// Publishes an event to each topic, and returns their number.
    fn each(&mut self) -> Result<u64> {
        self.order("each")
    }

    /// Publishes as fast as it can, and returns the number of published events.
    fn flood(&mut self, seconds: f64) -> Result<u64> {
        self.reset()?;
        self.order(&format!("flood 0 {seconds}"))
    }

    fn pace(&mut self, rate: u64, seconds: f64) -> Result<u64> {
        self.reset()?;
        self.order(&format!("pace {rate} {seconds}"))
    }

    /// Waits until its clients have received this many events since the last reset.
    fn report(&mut self, events: u64) -> Result<Report> {
        let answer: String = self.order(&format!("report {events} 0"))?;
        let numbers: std::result::Result<Vec<f64>, _> = answer.split(' ').map(str::parse).collect();
        let [received, seconds, cpu, p50, p99] = numbers?[..] else {
            return Err(format!("a node answers {answer:?}").into());
        };
        if received < events as f64 {
            return Err(format!("{received} of {events} events came").into());
        }
        Ok(Report {
            received,
            seconds,
            cpu,
            p50,
            p99,
        })
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
