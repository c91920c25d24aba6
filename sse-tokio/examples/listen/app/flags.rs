//! The command line.

use std::{
    fs,
    io::{self, Write},
    str::FromStr,
    time::Duration,
};

use lexopt::{Arg, Parser, ValueExt};

use crate::on::adapter::{
    EventId, EventSourceConfig, Proxy,
    http::{HeaderName, HeaderValue, Method, StatusCode},
};

const HELP: &str = "\
Prints each event of an event stream as one line of JSON:
{\"type\":…,\"data\":…,\"lastEventId\":…}

Usage: listen [FLAGS] URL

  -X, --method METHOD       instead of GET, or of POST where there is a body
  -d, --body BODY           the request's body; @FILE takes it from a file
  -H, --header 'NAME: VALUE'
                            a header field; can be given more than once
      --last-event-id ID    where to resume
  -n, --max-messages N      stop after so many events
      --comments            print comments, too: {\"comment\":…}
      --states              print what becomes of the connection, too: {\"state\":…}
      --idle-timeout SECONDS
                            connect again after so long without a byte
      --retry-status STATUS[,STATUS...]
                            connect again after these answers, too, instead of stopping:
                            502,503,504 is what proxies answer while a server restarts
      --no-reconnection     stop at the end of the stream, and at any loss
      --proxy URL           go through this HTTP proxy, http://USER:PASSWORD@HOST:PORT; `env` takes
                            it from HTTP_PROXY, HTTPS_PROXY and NO_PROXY
      --unix-socket PATH    connect to this socket instead of the URL's host
      --ca FILE             trust the certificates in this PEM file, and no others
      --help                this text

Ends with 0 after a stop that is proper, otherwise with 1 and a message.
";

#[derive(Debug)]
pub(crate) struct Flags {
    pub(crate) url: String,
    pub(crate) config: EventSourceConfig,
    pub(crate) max_messages: Option<u64>,
    pub(crate) comments: bool,
    pub(crate) states: bool,
    /// The PEM file of those to trust, instead of whom the platform trusts.
    pub(crate) roots: Option<String>,
    pub(crate) way: Way,
}

/// How to connect.
#[derive(Clone, Debug)]
pub(crate) enum Way {
    Direct,
    Proxy(Proxy),
    UnixSocket(String),
}

impl Flags {
    /// `None` once the help was asked for and printed.
    pub(crate) fn parse() -> Result<Option<Self>, String> {
        let mut url = None;
        let mut method = None;
        let mut flags = Self {
            url: String::new(),
            config: EventSourceConfig::default(),
            max_messages: None,
            comments: false,
            states: false,
            roots: None,
            way: Way::Direct,
        };
        let config = &mut flags.config;
        let mut parser = Parser::from_env();
        while let Some(arg) = parser.next().map_err(|error| error.to_string())? {
            match arg {
                Arg::Long("help") | Arg::Short('h') => {
                    let _ = io::stdout().write_all(HELP.as_bytes());
                    return Ok(None);
                }
                Arg::Short('X') | Arg::Long("method") => {
                    let name = value(&mut parser)?;
                    let parsed =
                        Method::from_str(&name).map_err(|_| format!("{name:?} is not a method"))?;
                    method = Some(parsed);
                }
                Arg::Short('d') | Arg::Long("body") => {
                    let data = value(&mut parser)?;
                    config.body = match data.strip_prefix('@') {
                        Some(file) => fs::read(file)
                            .map_err(|error| format!("cannot read {file}: {error}"))?
                            .into(),
                        None => data.into(),
                    };
                    method.get_or_insert(Method::POST);
                }
                Arg::Short('H') | Arg::Long("header") => {
                    let (name, value) = header(&value(&mut parser)?)?;
                    config.headers.append(name, value);
                }
                Arg::Long("last-event-id") => {
                    let id = value(&mut parser)?;
                    let id = EventId::new(id).map_err(|error| error.to_string())?;
                    config.last_event_id = id;
                }
                Arg::Short('n') | Arg::Long("max-messages") => {
                    let number = value(&mut parser)?;
                    let parsed = number
                        .parse()
                        .map_err(|_| format!("--max-messages takes a number, not {number:?}"))?;
                    flags.max_messages = Some(parsed);
                }
                Arg::Long("comments") => flags.comments = true,
                Arg::Long("states") => flags.states = true,
                Arg::Long("idle-timeout") => {
                    config.idle_timeout = Some(seconds(&value(&mut parser)?)?);
                }
                Arg::Long("retry-status") => {
                    config
                        .retry_statuses
                        .extend(statuses(&value(&mut parser)?)?);
                }
                Arg::Long("no-reconnection") => config.reconnection = None,
                Arg::Long("proxy") => {
                    let proxy = match value(&mut parser)?.as_str() {
                        "env" => Proxy::from_env(),
                        url => Proxy::new(url),
                    };
                    flags.way = Way::Proxy(proxy.map_err(|error| error.to_string())?);
                }
                Arg::Long("unix-socket") => flags.way = Way::UnixSocket(value(&mut parser)?),
                Arg::Long("ca") => flags.roots = Some(value(&mut parser)?),
                Arg::Value(given) if url.is_none() => {
                    url = Some(given.string().map_err(|error| error.to_string())?);
                }
                other => return Err(other.unexpected().to_string()),
            }
        }
        config.method = method.unwrap_or(Method::GET);
        flags.url = url.ok_or("which URL?")?;
        Ok(Some(flags))
    }
}

fn value(parser: &mut Parser) -> Result<String, String> {
    let value = parser.value().map_err(|error| error.to_string())?;
    value.string().map_err(|error| error.to_string())
}

fn header(text: &str) -> Result<(HeaderName, HeaderValue), String> {
    let field = text.split_once(':').and_then(|(name, value)| {
        let name = name.trim().parse::<HeaderName>().ok()?;
        Some((name, HeaderValue::from_str(value.trim()).ok()?))
    });
    field.ok_or_else(|| format!("--header takes 'NAME: VALUE', not {text:?}"))
}

fn statuses(list: &str) -> Result<Vec<StatusCode>, String> {
    list.split(',')
        .map(|status| {
            status
                .trim()
                .parse()
                .map_err(|_| format!("--retry-status takes statuses such as 503, not {status:?}"))
        })
        .collect()
}

/// Whole seconds or a fraction of one.
fn seconds(value: &str) -> Result<Duration, String> {
    let seconds = value.parse().ok();
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| format!("--idle-timeout takes a number of seconds, not {value:?}"))
}
