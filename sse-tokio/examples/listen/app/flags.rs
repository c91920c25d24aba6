//! The command line.

use std::{
    fs,
    io::{self, Write},
    str::FromStr,
    time::Duration,
};

use lexopt::{Arg, Parser, ValueExt};
use serde::de::IgnoredAny;

use crate::on::adapter::{
    EventId, EventSourceConfig, Proxy,
    client::Reconnection,
    http::{HeaderName, HeaderValue, Method, StatusCode, header::CONTENT_TYPE},
};

const HELP: &str = "\
Prints each event of an event stream as one line of JSON:
{\"type\":…,\"data\":…,\"lastEventId\":…}

Usage: listen [FLAGS] URL

  -X, --method METHOD       instead of GET, or of POST where there is a body
  -d, --body BODY           the request's body; @FILE takes it from a file
      --json JSON           the same, checked, and sent as application/json
  -H, --header 'NAME: VALUE'
                            a header field; can be given more than once
  -u, --user USER:PASSWORD  basic credentials
      --token-command CMD   a bearer token is what this shell command prints; it
                            runs at the beginning, and again after a 401
      --last-event-id ID    where to resume
      --resume-by-get       after a POST, connect again by GET

      --retry-status STATUS[,STATUS...]
                            connect again after these answers, too: 502,503,504
                            is what proxies answer while a server restarts
      --idle-timeout SECONDS
                            connect again after so long without a byte
      --max-attempts N      stop after so many attempts in a row that failed
      --fail-fast           stop where the first attempt fails
      --no-reconnection     stop at the end of the stream, and at any loss

      --proxy URL           through this proxy, http://USER:PASSWORD@HOST:PORT;
                            `env` is for HTTP_PROXY, HTTPS_PROXY and NO_PROXY
      --unix-socket PATH    connect to this socket instead of the URL's host
      --ca FILE             trust the certificates of this PEM file alone

      --comments            print comments, too: {\"comment\":…}
      --states              print what becomes of the connection, too, with the
                            header fields of answers: {\"state\":…}
  -n, --max-messages N      stop after so many events
  -h, --help                this text

Ends with 0 after a stop that is proper, otherwise with 1 and a message.
";

#[derive(Debug)]
pub(crate) struct Flags {
    pub(crate) url: String,
    pub(crate) config: EventSourceConfig,
    /// The shell command whose output is the bearer token.
    pub(crate) token_command: Option<String>,
    pub(crate) max_messages: Option<u64>,
    pub(crate) comments: bool,
    pub(crate) states: bool,
    /// The PEM file of trusted roots, in place of the platform's.
    pub(crate) roots: Option<String>,
    pub(crate) way: Way,
    method: Option<Method>,
    reconnection: Reconnection,
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
        let mut url = None;
        let mut flags = Self {
            url: String::new(),
            config: EventSourceConfig::default(),
            token_command: None,
            max_messages: None,
            comments: false,
            states: false,
            roots: None,
            way: Way::Direct,
            method: None,
            reconnection: Reconnection::default(),
        };
        let mut reconnects = true;
        let mut parser = Parser::from_env();
        while let Some(arg) = parser.next().map_err(text)? {
            let name = match arg {
                Arg::Value(given) if url.is_none() => {
                    url = Some(given.string().map_err(text)?);
                    continue;
                }
                Arg::Long(name) => name.to_owned(),
                Arg::Short(letter) => match long(letter) {
                    Some(name) => name.to_owned(),
                    None => return Err(arg.unexpected().to_string()),
                },
                Arg::Value(_) => return Err(arg.unexpected().to_string()),
            };
            match name.as_str() {
                "help" => {
                    let _ = io::stdout().write_all(HELP.as_bytes());
                    return Ok(None);
                }
                "no-reconnection" => reconnects = false,
                name => {
                    let is_known = flags.of_the_request(name, &mut parser)?
                        || flags.of_attempts(name, &mut parser)?
                        || flags.of_the_way(name, &mut parser)?
                        || flags.of_the_output(name, &mut parser)?;
                    if !is_known {
                        return Err(format!("there is no flag --{name}"));
                    }
                }
            }
        }
        flags.config.reconnection = reconnects.then(|| flags.reconnection.clone());
        flags.config.method = flags.method.clone().unwrap_or(Method::GET);
        flags.url = url.ok_or("which URL?")?;
        Ok(Some(flags))
    }

    /// Parses the flags of the request. Returns whether this is one.
    fn of_the_request(&mut self, name: &str, parser: &mut Parser) -> Result<bool, String> {
        let config = &mut self.config;
        match name {
            "method" => {
                let name = value(parser)?;
                let method = Method::from_str(&name);
                self.method = Some(method.map_err(|_| format!("{name:?} is not a method"))?);
            }
            "body" => {
                config.body = body(value(parser)?)?.into();
                self.method.get_or_insert(Method::POST);
            }
            "json" => {
                config.body = body(value(parser)?)?.into();
                serde_json::from_slice::<IgnoredAny>(&config.body)
                    .map_err(|error| format!("--json takes JSON: {error}"))?;
                let json = HeaderValue::from_static("application/json");
                config.headers.insert(CONTENT_TYPE, json);
                self.method.get_or_insert(Method::POST);
            }
            "header" => {
                let (name, value) = header(&value(parser)?)?;
                config.headers.append(name, value);
            }
            "user" => {
                let both = value(parser)?;
                let (user, password) = both
                    .split_once(':')
                    .ok_or("--user takes USER:PASSWORD, with a colon between them")?;
                config.set_basic(user, password).map_err(text)?;
            }
            "token-command" => self.token_command = Some(value(parser)?),
            "last-event-id" => {
                config.last_event_id = EventId::new(value(parser)?).map_err(text)?;
            }
            "resume-by-get" => config.resume_by_get = true,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Parses the flags of reconnections. Returns whether this is one.
    fn of_attempts(&mut self, name: &str, parser: &mut Parser) -> Result<bool, String> {
        match name {
            "retry-status" => {
                let more = statuses(&value(parser)?)?;
                self.config.retry_statuses.extend(more);
            }
            "idle-timeout" => self.config.idle_timeout = Some(seconds(&value(parser)?)?),
            "max-attempts" => self.reconnection.max_attempts = Some(number(name, parser)?),
            "fail-fast" => self.reconnection.first_failure_is_final = true,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Parses the flags of the connection. Returns whether this is one.
    fn of_the_way(&mut self, name: &str, parser: &mut Parser) -> Result<bool, String> {
        match name {
            "proxy" => {
                let proxy = match value(parser)?.as_str() {
                    "env" => Proxy::from_env(),
                    url => Proxy::new(url),
                };
                self.way = Way::Proxy(proxy.map_err(text)?);
            }
            "unix-socket" => self.way = Way::UnixSocket(value(parser)?),
            "ca" => self.roots = Some(value(parser)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Parses the flags of the output. Returns whether this is one.
    fn of_the_output(&mut self, name: &str, parser: &mut Parser) -> Result<bool, String> {
        match name {
            "comments" => self.comments = true,
            "states" => self.states = true,
            "max-messages" => self.max_messages = Some(number(name, parser)?),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// Returns the flag for which a letter stands.
fn long(letter: char) -> Option<&'static str> {
    Some(match letter {
        'X' => "method",
        'd' => "body",
        'H' => "header",
        'u' => "user",
        'n' => "max-messages",
        'h' => "help",
        _ => return None,
    })
}

fn text(error: impl ToString) -> String {
    error.to_string()
}

fn value(parser: &mut Parser) -> Result<String, String> {
    parser.value().map_err(text)?.string().map_err(text)
}

fn number<N: FromStr>(flag: &str, parser: &mut Parser) -> Result<N, String> {
    let number = value(parser)?;
    let parsed = number.parse();
    parsed.map_err(|_| format!("--{flag} takes a number, not {number:?}"))
}

/// Returns the text itself, or the content of the file that it names.
fn body(data: String) -> Result<Vec<u8>, String> {
    match data.strip_prefix('@') {
        Some(file) => fs::read(file).map_err(|error| format!("cannot read {file}: {error}")),
        None => Ok(data.into_bytes()),
    }
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

/// Parses whole seconds or a fraction of one.
fn seconds(value: &str) -> Result<Duration, String> {
    let seconds = value.parse().ok();
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| format!("--idle-timeout takes a number of seconds, not {value:?}"))
}
