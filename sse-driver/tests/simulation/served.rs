//! The handlers, and their promises.

use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::Stream;
#[cfg(feature = "compression")]
use sse_core::server::StreamCompression;
use sse_core::{
    Event,
    http::{HeaderName, HeaderValue, Response, StatusCode},
    topic::{MergedSubscriber, Outcome, Subscriber},
};
use sse_driver::{
    Clock, Runtime, Timer,
    router::{Next, Refusal, Reply, Request, Router},
};

use crate::{
    chaos::Chaos,
    laws::Promise,
    payload::Place,
    registry::{Held, Kind, Registry},
    sim::{Sim, SimTimer},
    topics::{COMPLETE, FORGETFUL, Topics},
};

/// The event type that selecting streams get.
pub const SELECTED: &str = "tick";

/// The names of the topics in merged streams.
const NAMES: [&str; 2] = ["one", "two"];

const ASKED: HeaderName = HeaderName::from_static("x-asked");

/// The values that handlers use.
#[derive(Clone)]
pub struct Service {
    pub sim: Sim,
    pub chaos: std::sync::Arc<Chaos>,
    pub registry: Registry,
    pub topics: Topics,
    /// The longest time that a slow handler takes.
    pub longest_decision: Duration,
    /// The largest number of items of a handler's own stream, and the longest wait between two.
    pub longest_feed: usize,
    pub longest_pause: Duration,
}

pub fn path_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Forgetful => "/forgetful",
        Kind::Slow => "/slow",
        Kind::Selected => "/selected",
        Kind::Mapped => "/mapped",
        Kind::Merged => "/merged",
        Kind::MergedSelected => "/merged-selected",
        Kind::Feed => "/feed",
        Kind::Upload => "/upload",
        Kind::Job => "/job",
        Kind::Page => "/page",
        Kind::Gone => "/gone",
        Kind::Elsewhere => "/elsewhere",
    }
}

/// Returns whether a stream of this kind gets events of this type.
pub fn selects(kind: Kind, event_type: &str) -> bool {
    match kind {
        Kind::Selected | Kind::Mapped | Kind::MergedSelected => event_type == SELECTED,
        _ => true,
    }
}

/// Returns the topics that forget nothing in a stream of this kind.
pub fn complete_topics(kind: Kind) -> &'static [usize] {
    match kind {
        Kind::Selected | Kind::Mapped => &COMPLETE[..1],
        Kind::Merged | Kind::MergedSelected => &COMPLETE,
        _ => &[],
    }
}

/// Returns the number of a response's handler in the registry.
pub fn number_of<B>(response: &Response<B>) -> Option<usize> {
    response.headers().get(ASKED)?.to_str().ok()?.parse().ok()
}

impl Service {
    pub fn router(&self) -> Router {
        let mapped = self.routes(Kind::Mapped).layer(only_selected);
        let mut router = Router::new().nest("", mapped);
        for kind in [
            Kind::Forgetful,
            Kind::Selected,
            Kind::Merged,
            Kind::MergedSelected,
            Kind::Feed,
            Kind::Job,
            Kind::Page,
            Kind::Gone,
        ] {
            router = router.nest("", self.routes(kind));
        }
        let (slow, upload, elsewhere) = (self.clone(), self.clone(), self.clone());
        router
            .get(path_of(Kind::Slow), move |request: Request| {
                let service = slow.clone();
                async move { service.slow(request).await }
            })
            .post(path_of(Kind::Upload), move |request: Request| {
                upload.upload(&request)
            })
            .get("/elsewhere/{hops}/{to}", move |request: Request| {
                elsewhere.redirect(&request)
            })
    }

    fn routes(&self, kind: Kind) -> Router {
        let service = self.clone();
        Router::new().get(path_of(kind), move |request: Request| {
            let id = service.registry.ask(&request, kind);
            service.answer(&request, kind, id)
        })
    }

    fn answer(&self, request: &Request, kind: Kind, id: usize) -> Result<Reply, Refusal> {
        self.registry.answers(id);
        let reply = match kind {
            Kind::Forgetful | Kind::Slow => Reply::from(self.forgetful(request, id)),
            Kind::Selected | Kind::Mapped => {
                let which = COMPLETE[0];
                let subscriber = self.topics.topic(which).resume(request);
                self.starts(id, which, subscriber.outcome());
                Reply::from(match kind {
                    Kind::Selected => subscriber.only_event_types(|name| name == SELECTED),
                    _ => subscriber,
                })
            }
            Kind::Merged | Kind::MergedSelected => Reply::from(self.merged(request, kind, id)?),
            Kind::Feed => Reply::events(Feed::new(self, id)),
            Kind::Job => {
                let client = self.registry.asked(id).client;
                let (run, attachment) = self.topics.jobs.attach(client, request)?;
                self.registry.change(id, |asked| asked.run = Some(run));
                Reply::from(attachment)
            }
            Kind::Gone => Reply::empty(StatusCode::NO_CONTENT),
            _ => Reply::text(StatusCode::OK, "This is a page."),
        };
        Ok(self
            .compress(reply)
            .with_header(ASKED, HeaderValue::from(id)))
    }

    /// Lets a stream be compressed by its topic, or in another way.
    #[cfg(feature = "compression")]
    fn compress(&self, reply: Reply) -> Reply {
        match self.chaos.draw(|rng| rng.u8(..4)) {
            0 => reply.with_compression(StreamCompression::Own),
            1 => reply.with_compression(StreamCompression::Shared),
            2 => reply.with_compression(StreamCompression::Off),
            _ => reply,
        }
    }

    #[cfg(not(feature = "compression"))]
    fn compress(&self, reply: Reply) -> Reply {
        reply
    }

    fn forgetful(&self, request: &Request, id: usize) -> Subscriber {
        let end = self.topics.end(FORGETFUL);
        let subscriber = self.topics.topic(FORGETFUL).resume(request);
        let promise = Promise::new(subscriber.outcome(), end);
        self.registry
            .change(id, |asked| asked.promise = Some(promise));
        subscriber
    }

    /// Notes where the stream begins in a topic that has everything.
    fn starts(&self, id: usize, which: usize, outcome: Outcome) {
        let end = self.topics.end(which);
        let (replayed, resumes) = match outcome {
            Outcome::Fresh => (0, false),
            Outcome::Resumed { replayed } => (replayed, true),
            other => {
                let text = format!("{other:?} of a topic that has everything");
                return self.registry.fault(text);
            }
        };
        let sequence = end.sequence + 1 - replayed;
        let start = (which, Place { sequence, ..end }, resumes);
        self.registry.change(id, |asked| asked.starts.push(start));
    }

    fn merged(
        &self,
        request: &Request,
        kind: Kind,
        id: usize,
    ) -> Result<MergedSubscriber, Refusal> {
        let topics = COMPLETE.map(|which| self.topics.topic(which));
        let merged = MergedSubscriber::resume(NAMES.into_iter().zip(&topics), request)?;
        for (which, (_, outcome)) in COMPLETE.into_iter().zip(merged.outcomes()) {
            self.starts(id, which, outcome);
        }
        Ok(match kind {
            Kind::MergedSelected => merged.only_event_types(|name| name == SELECTED),
            _ => merged,
        })
    }

    async fn slow(&self, request: Request) -> Result<Reply, Refusal> {
        let id = self.registry.ask(&request, Kind::Slow);
        let held = Held::new(&self.registry, id);
        let time = match self.chaos.is_calm() {
            true => Duration::from_millis(100),
            false => self.longest_decision,
        };
        let time = self.chaos.draw(|rng| time.mul_f64(rng.f64()));
        self.registry.is_ready_in(id, time);
        let mut timer = self.sim.timer(self.sim.now() + time);
        std::future::poll_fn(|cx| timer.poll_elapsed(cx)).await;
        drop(held);
        self.answer(&request, Kind::Slow, id)
    }

    fn upload(&self, request: &Request) -> Reply {
        let id = self.registry.ask(request, Kind::Upload);
        self.registry.answers(id);
        let text = describe(request.body());
        let registry = self.registry.clone();
        let mut text = Some(text);
        let stream = futures_util::stream::poll_fn(move |_| {
            let text = text.take();
            registry.change(id, |asked| match &text {
                Some(_) => asked.given += 1,
                None => asked.ended = Some("stream_ended"),
            });
            Poll::Ready(text)
        });
        Reply::events(stream).with_header(ASKED, HeaderValue::from(id))
    }

    /// Redirects this many times, and then to the target.
    fn redirect(&self, request: &Request) -> Reply {
        let id = self.registry.ask(request, Kind::Elsewhere);
        self.registry.answers(id);
        let hops = request
            .path_param("hops")
            .and_then(|hops| hops.parse().ok());
        let to = request.path_param("to").unwrap_or_default();
        let location = match hops {
            None | Some(0_u32) => format!("/{to}"),
            Some(hops) => format!("/elsewhere/{}/{to}", hops - 1),
        };
        let status = match hops.unwrap_or(0) % 3 {
            0 => StatusCode::TEMPORARY_REDIRECT,
            1 => StatusCode::PERMANENT_REDIRECT,
            _ => StatusCode::FOUND,
        };
        let location = HeaderValue::from_str(&location);
        Reply::empty(status).with_header(
            HeaderName::from_static("location"),
            location.unwrap_or(HeaderValue::from_static("/")),
        )
    }
}

/// Returns the answer to an upload.
pub fn describe(body: &[u8]) -> String {
    let sum = body
        .iter()
        .fold(7_u32, |sum, byte| sum.wrapping_mul(31) ^ u32::from(*byte));
    format!("{} bytes, {sum}", body.len())
}

async fn only_selected(request: Request, next: Next) -> Reply {
    next.run(request).await.map_events(|event: Event| {
        let name = event.event_type().map(|name| name.to_string());
        let is_selected = name.as_deref() == Some(SELECTED);
        is_selected.then_some(event)
    })
}

/// Returns an item of a handler's own stream.
pub fn item(id: usize, number: usize) -> String {
    format!("item {number} of {id}{}", "x".repeat(number * number % 777))
}

/// A stream of a handler itself, which ends in one of several ways.
struct Feed {
    service: Service,
    id: usize,
    length: usize,
    given: usize,
    end: &'static str,
    timer: Option<SimTimer>,
    _held: Held,
}

const FAILURE: &str = "the source has failed";

impl Feed {
    fn new(service: &Service, id: usize) -> Self {
        let longest = service.longest_feed;
        let (length, end) = service
            .chaos
            .draw(|rng| (rng.usize(..=longest), rng.u8(..6)));
        Self {
            service: service.clone(),
            id,
            length,
            given: 0,
            end: match end {
                0 => "stream_error",
                1 => "handler_panicked",
                _ => "stream_ended",
            },
            timer: None,
            _held: Held::new(&service.registry, id),
        }
    }
}

impl Stream for Feed {
    type Item = Result<String, &'static str>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(timer) = &mut self.timer {
            std::task::ready!(timer.poll_elapsed(cx));
            self.timer = None;
        }
        let Service {
            sim,
            chaos,
            registry,
            longest_pause,
            ..
        } = &self.service;
        sim.note_progress();
        if self.given == self.length {
            let end = self.end;
            registry.ends(self.id, end);
            return Poll::Ready(match end {
                "stream_ended" => None,
                "stream_error" => Some(Err(FAILURE)),
                _ => panic!("expected in this test"),
            });
        }
        registry.change(self.id, |asked| asked.given += 1);
        if chaos.draw(|rng| rng.bool()) {
            let pause = chaos.draw(|rng| longest_pause.mul_f64(rng.f64()));
            let timer = sim.timer(sim.now() + pause);
            self.timer = Some(timer);
        }
        let item = item(self.id, self.given);
        self.given += 1;
        Poll::Ready(Some(Ok(item)))
    }
}
