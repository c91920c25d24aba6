//! The clients: each an event source in a task, which counts its events and keeps none of them.

use std::{
    error::Error,
    io::{self, Write},
    sync::Arc,
    time::{Duration, Instant},
};

use sse_tokio::{
    EventSource, EventSourceConfig, MessageEvent, UnixConnector,
    client::{ClientEvent, Loss},
    tls::rustls,
    tls::{Certificates, Roots, client_config},
};
use tokio::{task::JoinSet, time::sleep_until};

use crate::{
    flags::{Flags, Way},
    stamp::{self, Sequence, Step},
    tally::Tally,
};

/// The error of a system that has no more open files to give: `EMFILE`.
const TOO_MANY_OPEN_FILES: i32 = 24;

/// The state that all clients share.
pub(crate) struct Clients {
    url: String,
    config: Arc<EventSourceConfig>,
    /// The settings of the first client, which makes no second attempt before its stream was open.
    first: Arc<EventSourceConfig>,
    way: Way,
    tls: Option<Arc<rustls::ClientConfig>>,
    stamp: Option<Arc<str>>,
    sequence: bool,
    count: usize,
    tally: Arc<Tally>,
}

impl Clients {
    pub(crate) fn new(flags: &Flags, tally: Arc<Tally>) -> Result<Self, Box<dyn Error>> {
        let mut first = flags.config.clone();
        first.retry_statuses.clear();
        if let Some(reconnection) = &mut first.reconnection {
            reconnection.first_failure_is_final = true;
        }
        let tls = match &flags.roots {
            None => None,
            Some(file) => {
                let roots = Roots::Only(Certificates::from_pem_file(file)?);
                Some(client_config(&roots, None)?)
            }
        };
        Ok(Self {
            url: flags.url.clone(),
            config: Arc::new(flags.config.clone()),
            first: Arc::new(first),
            way: flags.way.clone(),
            tls,
            stamp: flags.stamp.as_deref().map(Arc::from),
            sequence: flags.sequence,
            count: flags.clients,
            tally,
        })
    }

    /// Starts all clients: the first one alone, and the others evenly over `ramp`.
    pub(crate) async fn start(
        &self,
        tasks: &mut JoinSet<()>,
        ramp: Duration,
    ) -> Result<(), Box<dyn Error>> {
        let asked = Instant::now();
        let mut source = self.source(&self.first)?;
        source.opened().await?;
        let mut first = self.client(0, source);
        first.opened(asked.elapsed());
        tasks.spawn(first.run());

        let start = Instant::now();
        for number in 1..self.count {
            let share = number as f64 / self.count as f64;
            sleep_until((start + ramp.mul_f64(share)).into()).await;
            tasks.spawn(self.client(number, self.source(&self.config)?).run());
        }
        Ok(())
    }

    fn source(&self, config: &Arc<EventSourceConfig>) -> Result<EventSource, Box<dyn Error>> {
        let source = EventSource::with_config(&self.url, config.clone())?;
        let source = match &self.tls {
            Some(tls) => source.with_tls(tls.clone()),
            None => source,
        };
        Ok(match &self.way {
            Way::Direct => source,
            Way::Proxy(proxy) => source.with_connector(proxy.clone()),
            Way::UnixSocket(path) => source.with_connector(UnixConnector::new(path)),
        })
    }

    fn client(&self, number: usize, source: EventSource) -> Client {
        self.tally.started.add(1);
        Client {
            number,
            source,
            stamp: self.stamp.clone(),
            sequence: self.sequence.then(Sequence::default),
            asked: None,
            is_open: false,
            was_open: false,
            tally: self.tally.clone(),
        }
    }
}

struct Client {
    number: usize,
    source: EventSource,
    stamp: Option<Arc<str>>,
    sequence: Option<Sequence>,
    /// When the connection was asked for.
    asked: Option<Instant>,
    is_open: bool,
    was_open: bool,
    tally: Arc<Tally>,
}

impl Client {
    async fn run(mut self) {
        while let Some(update) = self.source.next_update().await {
            match update {
                ClientEvent::Event(event) => self.take(&event),
                ClientEvent::Connect(_) => self.asked = Some(Instant::now()),
                ClientEvent::Open(_) => {
                    let took = self.asked.take().map(|asked| asked.elapsed());
                    self.opened(took.unwrap_or_default());
                }
                ClientEvent::Disconnect => self.closed(),
                ClientEvent::Lost { loss, .. } => {
                    self.tally.lost.add(1);
                    self.tell(loss.to_string(), is_out_of_files(&loss));
                }
                ClientEvent::Closed(result) => {
                    self.tally.failed.add(1);
                    let why = match result {
                        Ok(end) => end.to_string(),
                        Err(failure) => failure.to_string(),
                    };
                    self.tell(format!("for good: {why}"), false);
                }
                _ => {}
            }
        }
    }

    fn take(&mut self, event: &MessageEvent) {
        self.tally.event(event.data().len());
        if let Some(field) = &self.stamp
            && let Some(age) = stamp::age(event.data(), field)
        {
            self.tally.latency.record(self.number, age);
        }
        if let Some(sequence) = &mut self.sequence {
            let step = sequence.step(event.last_event_id());
            match step {
                Step::Next | Step::NoNumber => {}
                Step::Missed(n) => self.tally.missed.add(n),
                Step::Repeated => self.tally.repeated.add(1),
            }
            if step != Step::NoNumber {
                self.tally.numbered.add(1);
            }
        }
    }

    fn opened(&mut self, took: Duration) {
        self.tally.opening.record(self.number, took);
        self.tally.open.add(1);
        self.tally.opened.add(1);
        if self.was_open {
            self.tally.reopened.add(1);
        }
        self.is_open = true;
        self.was_open = true;
    }

    fn closed(&mut self) {
        if std::mem::take(&mut self.is_open) {
            self.tally.open.take_one();
        }
    }

    /// Counts a loss, and shows the first one of its kind.
    fn tell(&self, why: String, is_out_of_files: bool) {
        if self.tally.count_loss(why.clone()) {
            let advice = match is_out_of_files {
                true => ": each client needs one; raise the limit with `ulimit -n`",
                false => "",
            };
            let _ = writeln!(io::stderr(), "lost: {why}{advice}");
        }
    }
}

fn is_out_of_files(loss: &Loss) -> bool {
    let cause = loss.cause::<io::Error>();
    cause.and_then(io::Error::raw_os_error) == Some(TOO_MANY_OPEN_FILES)
}
