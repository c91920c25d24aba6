//! The command line.

use std::{
    io::{self, Write},
    str::FromStr,
    time::Duration,
};

use lexopt::{Arg, Parser, ValueExt};

use super::https::Tls;
use crate::on::adapter::ServerConfig;

const HELP: &str = "\
A page that shows what the project does, and the server behind it.

Usage: demo [FLAGS]

  --addr HOST:PORT        where to listen            [127.0.0.1:8080]
  --port PORT             the same, on 127.0.0.1
  --tls                   speak https, with a certificate made for this run
  --cert FILE, --key FILE speak https, with this certificate and its key, in PEM
  --keep-alive SECONDS    idle time before a comment [15; 0 is never]
  --head-timeout SECONDS  for a whole request head   [10]
  --stall-timeout SECONDS for a write's progress     [30]
  --drain-timeout SECONDS for 64 KiB after the end   [30]
  --shutdown-timeout SECONDS
                          for streams to end by themselves at Ctrl-C [10]
  --max-connections N     beyond it: 503             [10000]
  --redis URL             all demos with the same URL are one, such as
                          redis://127.0.0.1/
  --help                  this text
";

#[derive(Debug)]
pub(super) struct Flags {
    pub(super) addr: String,
    pub(super) config: ServerConfig,
    /// The certificate, for https.
    pub(super) tls: Option<Tls>,
    /// The Redis server by which many nodes have one topic.
    pub(super) redis: Option<String>,
}

impl Flags {
    /// Parses the command line. Returns `None` once the help was asked for and printed.
    pub(super) fn parse() -> Result<Option<Self>, String> {
        let mut flags = Self {
            addr: "127.0.0.1:8080".into(),
            config: ServerConfig::default(),
            tls: None,
            redis: None,
        };
        let (mut cert, mut key, mut self_signed) = (None, None, false);
        let config = &mut flags.config;
        let mut parser = Parser::from_env();
        while let Some(arg) = parser.next().map_err(|error| error.to_string())? {
            let flag = match arg {
                Arg::Long("help") | Arg::Short('h') => {
                    let _ = io::stdout().write_all(HELP.as_bytes());
                    return Ok(None);
                }
                Arg::Long(flag) => flag.to_owned(),
                other => return Err(other.unexpected().to_string()),
            };
            let value = |parser: &mut Parser| {
                let value = parser.value().map_err(|error| error.to_string())?;
                value.string().map_err(|error| error.to_string())
            };
            match flag.as_str() {
                "addr" => flags.addr = value(&mut parser)?,
                "port" => {
                    let port: u16 = number(&flag, &value(&mut parser)?)?;
                    flags.addr = format!("127.0.0.1:{port}");
                }
                "redis" => flags.redis = Some(value(&mut parser)?),
                "tls" => self_signed = true,
                "cert" => cert = Some(value(&mut parser)?),
                "key" => key = Some(value(&mut parser)?),
                "keep-alive" => {
                    let idle = seconds(&flag, &value(&mut parser)?)?;
                    config.connection.response.keep_alive = (!idle.is_zero()).then_some(idle);
                }
                "head-timeout" => {
                    config.connection.head_timeout = some_time(&flag, &value(&mut parser)?)?;
                }
                "stall-timeout" => {
                    config.connection.stall_timeout = some_time(&flag, &value(&mut parser)?)?;
                }
                "drain-timeout" => {
                    config.connection.drain_timeout = some_time(&flag, &value(&mut parser)?)?;
                }
                "shutdown-timeout" => {
                    config.shutdown_timeout = seconds(&flag, &value(&mut parser)?)?;
                }
                "max-connections" => {
                    config.max_connections = number(&flag, &value(&mut parser)?)?;
                }
                _ => return Err(format!("there is no flag --{flag}")),
            }
        }
        flags.tls = match (cert, key) {
            (Some(cert), Some(key)) => Some(Tls::Files { cert, key }),
            (None, None) => self_signed.then_some(Tls::SelfSigned),
            _ => return Err("https needs both --cert and --key".into()),
        };
        Ok(Some(flags))
    }
}

fn number<N: FromStr>(flag: &str, value: &str) -> Result<N, String> {
    let error = |_| format!("--{flag} takes a whole number, not {value:?}");
    value.parse().map_err(error)
}

/// Parses whole seconds or a fraction of one.
fn seconds(flag: &str, value: &str) -> Result<Duration, String> {
    let seconds = value.parse().ok();
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| format!("--{flag} takes a number of seconds, not {value:?}"))
}

/// Parses a time of more than 0, without which nothing would work.
fn some_time(flag: &str, value: &str) -> Result<Duration, String> {
    match seconds(flag, value)? {
        Duration::ZERO => Err(format!("--{flag} takes more than 0 seconds")),
        time => Ok(time),
    }
}
