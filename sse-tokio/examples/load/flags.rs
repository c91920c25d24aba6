//! The command line.

use std::{
    fs,
    io::{self, Write},
    process::{Command, Stdio},
    str::FromStr,
    time::Duration,
};

use lexopt::{Arg, Parser, ValueExt};
use sse_tokio::{
    EventId, EventSourceConfig, Proxy,
    http::{HeaderName, HeaderValue, StatusCode},
};

const HELP: &str = "\
Holds many clients to an event stream, shows how the server does, and reports
it at the end. The clients connect again after a loss, with their last event
ID, as those of the server's users do.

Usage: load [FLAGS] URL

  -c, --clients N           how many clients there are (100)
  -r, --ramp SECONDS        over how long they are started (1)
  -t, --time SECONDS        how long all of it takes (30); Ctrl-C ends it earlier

  -H, --header 'NAME: VALUE'
                            a header field; can be given more than once
  -u, --user USER:PASSWORD  basic credentials
      --token-command CMD   all clients have the bearer token that this shell
                            command prints; it runs once, before they start
      --last-event-id ID    where each client begins
      --idle-timeout SECONDS
                            connect again after so long without a byte

      --proxy URL           through this proxy, http://USER:PASSWORD@HOST:PORT;
                            `env` is for HTTP_PROXY, HTTPS_PROXY and NO_PROXY
      --unix-socket PATH    connect to this socket instead of the URL's host
      --ca FILE             trust the certificates of this PEM file alone

      --stamp FIELD         events carry the time at which they were sent: their
                            data is a JSON object whose FIELD is the number of
                            milliseconds since 1970, which may have a fraction.
                            Measures latencies, by the clocks of both sides
      --sequence            IDs end in a number that grows by 1 from event to
                            event: counts events that are missed and repeated

      --json FILE           write the report to this file, too
  -h, --help                this text

The first client is to open the stream before the others start: ends with 1 and
a message where it cannot.
";

/// About how many files the program itself has open.
const OWN_FILES: usize = 32;

#[derive(Debug)]
pub(crate) struct Flags {
    pub(crate) url: String,
    pub(crate) config: EventSourceConfig,
    pub(crate) clients: usize,
    pub(crate) ramp: Duration,
    pub(crate) duration: Duration,
    pub(crate) way: Way,
    /// The PEM file of trusted roots, in place of the platform's.
    pub(crate) roots: Option<String>,
    /// The field of the events' data that has their time.
    pub(crate) stamp: Option<String>,
    pub(crate) sequence: bool,
    pub(crate) json: Option<String>,
}

/// How to connect.
#[derive(Clone, Debug)]
pub(crate) enum Way {
    Direct,
    Proxy(Proxy),
    UnixSocket(String),
}

impl Flags {
    /// Parses the command line. Returns `None` once the help was asked for and printed.
    pub(crate) fn parse() -> Result<Option<Self>, String> {
        let mut config = EventSourceConfig::default();
        // These are the statuses of an overloaded server or proxy.
        config.retry_statuses = vec![
            StatusCode::TOO_MANY_REQUESTS,
            StatusCode::BAD_GATEWAY,
            StatusCode::SERVICE_UNAVAILABLE,
            StatusCode::GATEWAY_TIMEOUT,
        ];
        let mut flags = Self {
            url: String::new(),
            config,
            clients: 100,
            ramp: Duration::from_secs(1),
            duration: Duration::from_secs(30),
            way: Way::Direct,
            roots: None,
            stamp: None,
            sequence: false,
            json: None,
        };
        let mut url = None;
        let mut parser = Parser::from_env();
        while let Some(arg) = parser.next().map_err(text)? {
            match arg {
                Arg::Value(given) if url.is_none() => url = Some(given.string().map_err(text)?),
                Arg::Short('h') | Arg::Long("help") => {
                    let _ = io::stdout().write_all(HELP.as_bytes());
                    return Ok(None);
                }
                Arg::Short(letter @ ('c' | 'r' | 't' | 'H' | 'u')) => {
                    let name = match letter {
                        'c' => "clients",
                        'r' => "ramp",
                        't' => "time",
                        'H' => "header",
                        _ => "user",
                    };
                    flags.set(name, &mut parser)?;
                }
                Arg::Long(name) => {
                    let name = name.to_owned();
                    flags.set(&name, &mut parser)?;
                }
                arg => return Err(arg.unexpected().to_string()),
            }
        }
        flags.url = url.ok_or("which URL?")?;
        Ok(Some(flags))
    }

    fn set(&mut self, name: &str, parser: &mut Parser) -> Result<(), String> {
        match name {
            "sequence" => {
                self.sequence = true;
                return Ok(());
            }
            "clients" | "ramp" | "time" | "header" | "user" | "token-command" | "last-event-id"
            | "idle-timeout" | "proxy" | "unix-socket" | "ca" | "stamp" | "json" => {}
            name => return Err(format!("there is no flag --{name}")),
        }
        let value = parser.value().map_err(text)?.string().map_err(text)?;
        match name {
            "clients" => self.clients = at_least_one(&value)?,
            "ramp" => self.ramp = seconds(name, &value)?,
            "time" => self.duration = seconds(name, &value)?,
            "header" => {
                let (name, value) = header(&value)?;
                self.config.headers.append(name, value);
            }
            "user" => {
                let (user, password) = value
                    .split_once(':')
                    .ok_or("--user takes USER:PASSWORD, with a colon between them")?;
                self.config.set_basic(user, password).map_err(text)?;
            }
            "token-command" => self.config.set_bearer(&token(&value)?).map_err(text)?,
            "last-event-id" => self.config.last_event_id = EventId::new(value).map_err(text)?,
            "idle-timeout" => self.config.idle_timeout = Some(seconds(name, &value)?),
            "proxy" => {
                let proxy = match value.as_str() {
                    "env" => Proxy::from_env(),
                    url => Proxy::new(url),
                };
                self.way = Way::Proxy(proxy.map_err(text)?);
            }
            "unix-socket" => self.way = Way::UnixSocket(value),
            "ca" => self.roots = Some(value),
            "stamp" => self.stamp = Some(value),
            _ => self.json = Some(value),
        }
        Ok(())
    }
}

/// What the command prints, without the end of its line.
fn token(command: &str) -> Result<String, String> {
    let (shell, option) = match cfg!(windows) {
        true => ("cmd", "/C"),
        false => ("sh", "-c"),
    };
    let mut shell = Command::new(shell);
    let shell = shell.args([option, command]).stderr(Stdio::inherit());
    let output = shell.output().map_err(text)?;
    if !output.status.success() {
        let status = output.status;
        return Err(format!("the command for the token failed: {status}"));
    }
    let token = String::from_utf8(output.stdout).map_err(text)?;
    Ok(token.trim().to_owned())
}

fn text(error: impl ToString) -> String {
    error.to_string()
}

fn at_least_one(value: &str) -> Result<usize, String> {
    let number = usize::from_str(value).ok().filter(|number| *number > 0);
    number.ok_or_else(|| format!("--clients takes a number from 1 on, not {value:?}"))
}

/// Parses whole seconds or a fraction of one.
fn seconds(flag: &str, value: &str) -> Result<Duration, String> {
    let seconds = value.parse().ok();
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .filter(|time| *time < Duration::from_secs(365 * 24 * 60 * 60))
        .ok_or_else(|| format!("--{flag} takes a number of seconds, not {value:?}"))
}

fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let field = text.split_once(':').and_then(|(name, value)| {
        let name = name.trim().parse::<HeaderName>().ok()?;
        Some((name, HeaderValue::from_str(value.trim()).ok()?))
    });
    field.ok_or_else(|| format!("--header takes 'NAME: VALUE', not {text:?}"))
}

/// Checks the limit of open files, of which each client takes one, if the system tells it.
pub(crate) fn check_open_files(clients: usize) -> Result<(), String> {
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let limit = line.and_then(|line| line.split_whitespace().nth(3)?.parse::<usize>().ok());
    let wanted = clients.saturating_add(OWN_FILES);
    match limit {
        Some(limit) if limit < wanted => Err(format!(
            "{clients} clients need {wanted} open files, and the limit is {limit}: raise it with \
             `ulimit -n {wanted}`"
        )),
        _ => Ok(()),
    }
}
