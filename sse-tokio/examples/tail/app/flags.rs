//! The command line.

use lexopt::{Arg, Parser, ValueExt};

const HELP: &str = "\
Publishes every line of standard input to all who listen at /events: some-program | tail
What it counts is at /metrics, for Prometheus.

Usage: tail [FLAGS]

  --addr HOST:PORT  where to listen                               [127.0.0.1:8080]
  --keep N          how many lines to keep for those who come later [10000]
  --verbose         tell of every connection
  --help            this text
";

#[derive(Debug)]
pub(crate) struct Flags {
    pub(crate) addr: String,
    pub(crate) keep: usize,
    pub(crate) verbose: bool,
}

impl Flags {
    /// `None` once the help was asked for and printed.
    pub(crate) fn parse() -> Result<Option<Self>, String> {
        let mut flags = Self {
            addr: "127.0.0.1:8080".into(),
            keep: 10_000,
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
                    print!("{HELP}");
                    return Ok(None);
                }
                Arg::Long("verbose") | Arg::Short('v') => flags.verbose = true,
                Arg::Long("addr") => flags.addr = value(&mut parser)?,
                Arg::Long("keep") => {
                    let text = value(&mut parser)?;
                    flags.keep = text
                        .parse()
                        .map_err(|_| format!("--keep takes a whole number, not {text:?}"))?;
                }
                other => return Err(other.unexpected().to_string()),
            }
        }
        Ok(Some(flags))
    }
}
