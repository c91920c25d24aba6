//! The hook before each attempt: what it may change, when it is called, and how it may fail, panic or
//! never return.

use std::{
    convert::Infallible,
    future::pending,
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use futures_util::stream;
use sse_core::{
    Event,
    client::{Attempt, ClientEvent, Loss},
    http::{HeaderValue, StatusCode, header},
};
use sse_driver::{
    PreparePanicked, Prepared,
    router::{Refusal, Request, Router},
};

use crate::{
    harness::{World, secs},
    sim::Sim,
    subscriber::{Source, Subscriber, source, source_with},
};

/// When a request came, and its content.
type Log = Arc<Mutex<Vec<(u64, String)>>>;

/// Returns a server whose `/stream` requires the token `good`, sends one event, and ends.
fn guarded() -> (World, Log) {
    let log = Log::default();
    let sim = Arc::<Mutex<Option<Sim>>>::default();
    let router = Router::new().events("/stream", {
        let (log, sim) = (log.clone(), sim.clone());
        move |request: Request| {
            let now = sim.lock().unwrap().as_ref().unwrap().elapsed().as_secs();
            let token = request.headers().get(header::AUTHORIZATION).cloned();
            let target = request.uri().to_string();
            let token = token.map(|token| token.to_str().unwrap().to_owned());
            let noted = format!("{target} {}", token.as_deref().unwrap_or("-"));
            log.lock().unwrap().push((now, noted));
            async move {
                match token.as_deref() {
                    Some("Bearer good") => {
                        Ok(stream::iter([Event::new("in").with_id("7").unwrap()]))
                    }
                    _ => Err(Refusal::new(StatusCode::UNAUTHORIZED, "expired")),
                }
            }
        }
    });
    let world = World::new(router);
    *sim.lock().unwrap() = Some(world.sim.clone());
    (world, log)
}

fn set_token(attempt: &mut Attempt, token: &str) {
    let value = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
    attempt.headers.insert(header::AUTHORIZATION, value);
}

fn requests(log: &Log) -> Vec<String> {
    let log = log.lock().unwrap();
    log.iter().map(|(_, request)| request.clone()).collect()
}

#[test]
fn a_401_leads_to_a_fresh_token_inside_the_pacing() {
    let (world, log) = guarded();
    let source = source(&world.sim, "/stream").prepare(async move |mut attempt: Attempt| {
        let response = attempt.unexpected_response();
        let status = response.map(|response| response.status());
        let token = match status {
            Some(StatusCode::UNAUTHORIZED) => "good",
            _ => "old",
        };
        set_token(&mut attempt, token);
        attempt
    });
    let subscriber = Subscriber::new(&world.sim, source);
    world.sim.advance(secs(6));
    assert_eq!(
        subscriber.notes(),
        [
            "prepares 1",
            "dials sim:80",
            "hangs up",
            "lost: the server answered 401 Unauthorized: expired",
            "prepares 2",
            "dials sim:80",
            "open: 200 OK",
            "event: in",
            "hangs up",
            "lost: the server ended the event stream",
        ]
    );
    world.sim.advance(secs(600));
    let times: Vec<_> = log.lock().unwrap().iter().map(|(time, _)| *time).collect();
    assert!(times.len() > 20, "{times:?}");
    for pair in times.windows(2) {
        assert!(pair[1] >= pair[0] + 3, "{times:?}");
    }
}

#[test]
fn a_cursor_may_be_in_the_query() {
    let (world, log) = guarded();
    let source = source(&world.sim, "/stream").prepare(|mut attempt: Attempt| async move {
        attempt.url = format!("http://sim/stream?after={}", attempt.last_event_id);
        set_token(&mut attempt, "good");
        // It may take its time, too.
        Ok::<_, Infallible>(Prepared::Send(attempt))
    });
    let _subscriber = Subscriber::new(&world.sim, source);
    world.sim.advance(secs(6));
    assert_eq!(
        requests(&log)[..2],
        ["/stream?after= Bearer good", "/stream?after=7 Bearer good"]
    );
}

#[test]
fn a_hook_that_does_nothing_about_it_fails_after_some_attempts() {
    let (world, log) = guarded();
    let source = source(&world.sim, "/stream").prepare(async |attempt: Attempt| attempt);
    let subscriber = Subscriber::new(&world.sim, source);
    world.sim.advance(secs(600));
    assert_eq!(
        subscriber.notes().last().unwrap(),
        "failed: the server answered 401 Unauthorized: expired"
    );
    assert_eq!(requests(&log).len(), 3);
}

#[test]
fn a_hook_may_stop() {
    let (world, log) = guarded();
    let source = source(&world.sim, "/stream").prepare(async |attempt: Attempt| {
        match attempt.unexpected_response() {
            None => Prepared::Send(attempt),
            Some(_) => Prepared::Stop,
        }
    });
    let subscriber = Subscriber::new(&world.sim, source);
    world.sim.advance(secs(10));
    assert_eq!(
        subscriber.notes().last().unwrap(),
        "failed: the server answered 401 Unauthorized: expired"
    );
    assert_eq!(requests(&log).len(), 1);
}

#[test]
fn a_hook_may_put_the_attempt_off() {
    let (world, log) = guarded();
    let mut asked = 0;
    let source = source(&world.sim, "/stream").prepare(move |mut attempt: Attempt| {
        asked += 1;
        let asked = asked;
        async move {
            set_token(&mut attempt, "good");
            match asked {
                1 => Prepared::Wait(secs(100)),
                2 => Prepared::Wait(Duration::ZERO),
                _ => Prepared::Send(attempt),
            }
        }
    });
    let subscriber = Subscriber::new(&world.sim, source);
    world.sim.advance(secs(99));
    assert_eq!(subscriber.notes(), ["prepares 1"]);
    world.sim.advance(secs(1));
    assert_eq!(subscriber.notes(), ["prepares 1"]);
    // The attempt does not come at once, whatever the hook returns.
    world.sim.advance(Duration::from_millis(999));
    assert!(subscriber.notes().is_empty());
    world.sim.advance(Duration::from_millis(1));
    assert_eq!(log.lock().unwrap()[0].0, 101);
}

/// Returns what ends an attempt with this hook.
fn loss(hook: impl FnMut(Attempt) -> std::future::Ready<Attempt> + Send + 'static) -> Loss {
    let sim = Sim::new();
    first_loss(&sim, source(&sim, "/").prepare(hook))
}

fn first_loss(sim: &Sim, mut source: Source) -> Loss {
    let job = sim.start(async move {
        loop {
            match source.next_update().await {
                Some(ClientEvent::Lost { loss, .. }) => return loss,
                Some(_) => {}
                None => panic!("it ended"),
            }
        }
    });
    sim.advance(secs(60));
    job.take().expect("a loss")
}

#[test]
fn a_hook_that_fails_is_a_loss_with_its_error() {
    let sim = Sim::new();
    let source = source(&sim, "/")
        .prepare(async |_| Err::<Attempt, _>(io::Error::new(io::ErrorKind::TimedOut, "no token")));
    let loss = first_loss(&sim, source);
    assert_eq!(
        loss.to_string(),
        "the request could not be prepared: no token"
    );
    let cause = loss.cause::<io::Error>().unwrap();
    assert_eq!(cause.kind(), io::ErrorKind::TimedOut);
}

#[test]
fn a_hook_that_panics_is_a_loss_and_is_asked_again() {
    let at_once = loss(|_| panic!("at once"));
    assert_eq!(at_once.name(), "Preparation");
    assert!(at_once.cause::<PreparePanicked>().is_some());

    let (world, log) = guarded();
    let mut asked = 0;
    let source = source(&world.sim, "/stream").prepare(move |mut attempt: Attempt| {
        asked += 1;
        let asked = asked;
        async move {
            assert!(asked > 2, "in its future");
            set_token(&mut attempt, "good");
            attempt
        }
    });
    let subscriber = Subscriber::new(&world.sim, source);
    world.sim.advance(secs(60));
    let notes = subscriber.notes();
    let lost = "lost: the request could not be prepared: the hook before the attempt panicked";
    assert_eq!(
        notes[..5],
        ["prepares 1", lost, "prepares 2", lost, "prepares 3"]
    );
    assert_eq!(requests(&log)[0], "/stream Bearer good");
}

/// Counts the running hooks.
struct AtWork(Arc<AtomicU32>);

impl AtWork {
    fn new(count: &Arc<AtomicU32>) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count.clone())
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Returns a source whose hook never returns, and the count of running ones.
fn endless(sim: &Sim, timeout: Duration) -> (Source, Arc<AtomicU32>) {
    let count = Arc::<AtomicU32>::default();
    let source = source_with(sim, "/", |config| config.prepare_timeout = timeout);
    let source = source.prepare({
        let count = count.clone();
        move |_| {
            let at_work = AtWork::new(&count);
            async move {
                let _at_work = at_work;
                pending::<Attempt>().await
            }
        }
    });
    (source, count)
}

#[test]
fn a_hook_that_never_returns_is_dropped_at_its_deadline() {
    let sim = Sim::new();
    let (source, at_work) = endless(&sim, secs(7));
    let subscriber = Subscriber::new(&sim, source);
    sim.advance(Duration::from_millis(6999));
    assert_eq!(at_work.load(Ordering::Relaxed), 1);
    assert_eq!(subscriber.notes(), ["prepares 1"]);
    sim.advance(Duration::from_millis(1));
    assert_eq!(at_work.load(Ordering::Relaxed), 0);
    assert_eq!(
        subscriber.notes(),
        ["lost: the application did not prepare the request in time"]
    );
    sim.advance(secs(60));
    assert!(subscriber.notes().len() > 3, "it goes on trying");

    let config = sse_core::client::EventSourceConfig::default();
    assert_eq!(config.prepare_timeout, secs(30));
}

#[test]
fn closing_and_dropping_the_event_source_drop_the_hooks_work() {
    let sim = Sim::new();
    let (source, at_work) = endless(&sim, secs(7));
    let handle = source.handle();
    let subscriber = Subscriber::new(&sim, source);
    handle.close();
    sim.settle();
    assert_eq!(at_work.load(Ordering::Relaxed), 0);
    assert_eq!(
        subscriber.notes(),
        ["prepares 1", "over: the application closed it"]
    );

    let (source, at_work) = endless(&sim, secs(7));
    let subscriber = Subscriber::new(&sim, source);
    assert_eq!(at_work.load(Ordering::Relaxed), 1);
    subscriber.job.cancel();
    sim.settle();
    assert_eq!(at_work.load(Ordering::Relaxed), 0);
    assert_eq!((sim.live_tasks(), sim.live_timers()), (0, 0));
}

#[test]
fn a_url_that_cannot_be_asked_is_a_failure() {
    let sim = Sim::new();
    let source = source(&sim, "/").prepare(async |mut attempt: Attempt| {
        attempt.url = "ftp://sim/".into();
        attempt
    });
    let subscriber = Subscriber::new(&sim, source);
    sim.advance(secs(60));
    assert_eq!(
        subscriber.notes().last().unwrap(),
        "failed: the request could not be prepared: the URL begins with \"ftp:\"; \
         let it begin with http:// or https://"
    );
}
