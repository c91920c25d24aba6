//! The command line.

use std::{
    io::{self, Write},
    num::NonZeroUsize,
    time::Duration,
};

use lexopt::{Arg, Parser, ValueExt};

use crate::on::adapter::ServerConfig;

const HELP: &str = "\
Publishes every line of standard input to all who listen at /events: some-program | tail
What it counts is at /metrics, for Prometheus.

Usage: tail [FLAGS]

  --addr HOST:PORT  where to listen                               [127.0.0.1:8080]
  --keep N          how many lines to keep, for those who come later and for
                    those who read slowly                         [10000]
  --max-line BYTES  the longest line; what is longer is left out, and told of [1048576]
  --keep-alive SECONDS
                    idle time before a comment                    [15; 0 is never]
  --redis URL       the lines are those of all processes with the same URL, such
                    as redis://127.0.0.1/: a line that is read by one reaches the
                    clients of all, and clients resume on any of them
  --verbose         tell of every connection
  --help            this text
";

#[derive(Debug)]
pub(crate) struct Flags {
    pub(crate) addr: String,
    pub(crate) keep: usize,
    pub(crate) max_line: usize,
    /// The interval of keep-alives; `None` for none.
    pub(crate) keep_alive: Option<Duration>,
    /// The Redis server that holds the lines; `None` if this process does.
    pub(crate) redis: Option<String>,
    pub(crate) verbose: bool,
}

impl Flags {
    /// Parses the command line. Returns `None` once the help was asked for and printed.
    pub(crate) fn parse() -> Result<Option<Self>, String> {
        let mut flags = Self {
            addr: "127.0.0.1:8080".into(),
            keep: 10_000,
            max_line: 1024 * 1024,
            keep_alive: ServerConfig::default().connection.response.keep_alive,
            redis: None,
            verbose: false,
        };
        let mut parser = Parser::from_env();
        let value = |parser: &mut Parser| {
            let value = parser.value().map_err(|error| error.to_string())?;
            value.string().map_err(|error| error.to_string())
        };
        while let Some(arg) = parser.next().map_err(|error| error.to_string())? {
            match arg {
                Arg::Long("help") | Arg::Short('h') => {
                    let _ = io::stdout().write_all(HELP.as_bytes());
                    return Ok(None);
                }
                Arg::Long("verbose") | Arg::Short('v') => flags.verbose = true,
                Arg::Long("redis") => flags.redis = Some(value(&mut parser)?),
                Arg::Long("addr") => flags.addr = value(&mut parser)?,
                Arg::Long("keep") => flags.keep = number("keep", &value(&mut parser)?)?,
                Arg::Long("max-line") => flags.max_line = number("max-line", &value(&mut parser)?)?,
                Arg::Long("keep-alive") => {
                    let idle = seconds("keep-alive", &value(&mut parser)?)?;
                    flags.keep_alive = (!idle.is_zero()).then_some(idle);
                }
                Arg::Long(name) => return Err(format!("there is no flag --{name}")),
                other => return Err(other.unexpected().to_string()),
            }
        }
        Ok(Some(flags))
    }
}

fn number(flag: &str, value: &str) -> Result<usize, String> {
    let error = |_| format!("--{flag} takes a whole number from 1 on, not {value:?}");
    let number: NonZeroUsize = value.parse().map_err(error)?;
    Ok(number.get())
}

/// Parses whole seconds or a fraction of one.
fn seconds(flag: &str, value: &str) -> Result<Duration, String> {
    let seconds = value.parse().ok();
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| format!("--{flag} takes a number of seconds, not {value:?}"))
}
