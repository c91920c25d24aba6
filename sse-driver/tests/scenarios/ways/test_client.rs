//! For the test client, in virtual time.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::ready,
    time::Duration,
};

use bytes::Bytes;
use futures_util::Stream;
use sse_core::{http::Request, lifecycle::CloseReason, server::ConnectionConfig};
use sse_driver::{
    Clock,
    router::Router,
    test_client::{NoResponse, TestClient, TestClock, TestResponse},
};

use super::{End, Gate, Host, Sight, one_event};
use crate::{
    scenario::{Ask, Scenario, Step},
    sim::{Job, Sim},
};

pub struct Tested {
    sim: Sim,
    clock: TestClock,
    client: TestClient,
    /// The request's body that the client sends, which is all at once here.
    upload: String,
    clients: Vec<Reader>,
}

struct Reader {
    job: Job<()>,
    gate: Gate,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    sight: Sight,
    /// Set as long as it is open.
    response: Option<TestResponse>,
    reason: Option<CloseReason>,
}

impl Tested {
    pub fn new(sim: &Sim, router: Router, scenario: &Scenario) -> Self {
        let bounds = &scenario.bounds;
        let mut config = ConnectionConfig::default();
        config.stall_timeout = bounds.stall_timeout;
        config.response.respond_timeout = bounds.respond_timeout;
        config.response.body_timeout = bounds.body_timeout;
        config.response.body_limit = bounds.body_limit;
        config.response.keep_alive = bounds.keep_alive;
        config.response.high_water_mark = bounds.high_water_mark;
        let clock = TestClock::new(sim.now());
        let client = TestClient::new(router, &clock).unwrap();
        let pieces = scenario.script.iter().filter_map(|step| match step {
            Step::Upload(piece) | Step::Late(Step::Upload(piece), _) => Some(*piece),
            _ => None,
        });
        Self {
            sim: sim.clone(),
            client: client.with_config(config),
            clock,
            upload: pieces.collect(),
            clients: Vec::new(),
        }
    }
}

impl Reader {
    /// The panics of handlers come through here.
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Host for Tested {
    fn ask(&mut self, path: &'static str, ask: &Ask) {
        let mut request = Request::builder().method(&ask.method).uri(path);
        for (name, value) in &ask.fields {
            request = request.header(*name, value);
        }
        let mut body = Bytes::new();
        if let Some(announced) = ask.announced {
            request = request.header("content-length", announced);
            body = self.upload.clone().into();
        }
        let request = request.body(body).unwrap();
        let (gate, seen) = (Gate::of(ask), Arc::<Mutex<Seen>>::default());
        let job = read_all(self.client.clone(), request, gate.clone(), seen.clone());
        let job = self.sim.start(job);
        self.clients.push(Reader { job, gate, seen });
        self.settle();
    }

    fn settle(&mut self) {
        self.sim.settle();
    }

    fn advance(&mut self, by: Duration) {
        self.clock.advance(by);
        self.sim.advance(by);
    }

    fn hold_up(&mut self, by: Duration) {
        self.clock.advance(by);
        self.sim.hold_up(by);
    }

    fn read_once(&mut self) {
        self.clients[0].gate.read_once();
    }

    /// All of it was sent with the request.
    fn upload(&mut self, _: &'static str) {}

    fn break_upload(&mut self) {
        self.leave();
        self.clients[0].seen().sight.end = End::BrokeOff;
    }

    fn leave(&mut self) {
        self.clients[0].job.cancel();
        let is_over = |reader: &&Reader| reader.seen().sight.end == End::BrokeOff;
        let others = self.clients.iter().skip(1).filter(is_over);
        for reader in self.clients.iter().take(1).chain(others) {
            let response = reader.seen().response.take();
            if let Some(response) = response {
                let reason = response.disconnect();
                reader.seen().reason = Some(reason);
            }
        }
    }

    fn shut_down(&mut self) {
        self.client.shutdown().begin();
    }

    fn cut(&mut self) {
        self.client.cut();
    }

    fn stop(&mut self) {
        self.sim.stop();
        for reader in &self.clients {
            let response = reader.seen().response.take();
            drop(response);
            let end = &mut reader.seen().sight.end;
            if *end == End::Open {
                *end = End::BrokeOff;
            }
        }
    }

    fn sight(&self) -> Sight {
        self.clients[0].seen().sight.clone()
    }

    fn bystander(&self) -> Sight {
        let seen = &mut *self.clients[1].seen();
        // It has read to the end, where the server closes its side.
        seen.response.take();
        seen.sight.clone()
    }

    fn counted(&self) -> Option<String> {
        self.clients[0].seen().reason.as_ref()?;
        let reasons = self.clients.iter().filter_map(|reader| {
            let seen = reader.seen();
            seen.reason.as_ref().map(CloseReason::name)
        });
        Some(reasons.collect::<Vec<_>>().join(" and "))
    }
}

async fn read_all(client: TestClient, request: Request<Bytes>, gate: Gate, seen: Arc<Mutex<Seen>>) {
    let lock = || seen.lock().unwrap_or_else(PoisonError::into_inner);
    let response = match client.request_with_body(request).await {
        Ok(response) => response,
        Err(NoResponse::Closed(reason)) => {
            let mut seen = lock();
            seen.reason = Some(reason);
            seen.sight.end = End::BrokeOff;
            return;
        }
        Err(error) => panic!("{error}"),
    };
    let head = response.head();
    let status = head.status().as_u16();
    lock().sight.set_head(status, head.headers());
    if !lock().sight.is_stream() {
        poll_fn(|cx| gate.poll(cx)).await;
        let text = response.text().await;
        let sight = &mut lock().sight;
        sight.end = match text {
            Ok(text) => {
                sight.text = text;
                End::Ended
            }
            Err(_) => End::BrokeOff,
        };
        return;
    }
    lock().response = Some(response);
    loop {
        let next = poll_fn(|cx| {
            ready!(gate.poll(cx));
            let mut seen = lock();
            let response = seen.response.as_mut().unwrap();
            Pin::new(response).poll_next(cx)
        });
        let event = next.await;
        gate.took();
        let sight = &mut lock().sight;
        match event {
            Some(Ok(event)) => sight.events.push(one_event(
                event.event_type(),
                event.data(),
                event.last_event_id(),
            )),
            Some(Err(_)) => sight.end = End::BrokeOff,
            None if sight.end == End::BrokeOff => return,
            None => sight.end = End::Ended,
        }
        if sight.end != End::Open {
            return;
        }
    }
}
