//! The event source over other HTTP clients: the programs of the guide, against our handlers over HTTP/2
//! with TLS.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use futures_util::{StreamExt, stream};
use sse_tokio::{Embedding, Event, Request, Router};

#[allow(unreachable_pub)] // a test has no interface
mod secured;

/// A program that is killed at the end of the test.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Each stream has one event. The first stream ends after it, the second breaks off, and the third
/// stays open.
fn router() -> Router {
    Router::new().events("/events", |request: Request| {
        let last = request.last_event_id().map(|id| id.parse::<u64>().unwrap());
        let number = last.map_or(0, |last| last + 1);
        let event = Event::new(number.to_string())
            .under_id(number)
            .with_reconnection_time(Duration::from_secs(1));
        let rest = match number {
            0 => stream::empty().boxed(),
            1 => stream::iter([Err("broken off")]).boxed(),
            _ => stream::pending().boxed(),
        };
        stream::iter([Ok::<_, &str>(event)]).chain(rest)
    })
}

async fn goes_through_losses(program: &str, name: &str) {
    let embedding = Embedding::default();
    let server = secured::serve(embedding.clone(), router(), &[b"h2"]).await;
    let certificate = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.pem"));
    fs::write(&certificate, &server.certificate).unwrap();
    let url = format!("https://localhost:{}/events", server.address.port());
    let child = Command::new(program)
        .arg(url)
        .arg(certificate)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut program = Program(child.unwrap());
    let out = BufReader::new(program.0.stdout.take().unwrap());
    let err = BufReader::new(program.0.stderr.take().unwrap());
    let (program, seen, told) = tokio::task::spawn_blocking(move || {
        let seen: Vec<_> = out.lines().map(Result::unwrap).take(3).collect();
        let told: Vec<_> = err.lines().map(Result::unwrap).take(5).collect();
        (program, seen, told)
    })
    .await
    .unwrap();
    assert_eq!(seen, ["0", "1", "2"]);
    for at in [0, 2, 4] {
        assert_eq!(told[at], "open, over HTTP/2.0", "{told:#?}");
    }
    assert!(told[1].starts_with("the server ended the event stream; again in "));
    assert!(told[3].starts_with("the connection failed: "), "{told:#?}");
    while embedding.open() != 1 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    // The server notices that the program has ended.
    drop(program);
    while embedding.open() > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn an_event_source_goes_through_losses_over_reqwest() {
    goes_through_losses(env!("CARGO_BIN_EXE_client_over_reqwest"), "reqwest").await;
}

#[tokio::test]
async fn an_event_source_goes_through_losses_over_hyper() {
    goes_through_losses(env!("CARGO_BIN_EXE_client_over_hyper"), "hyper").await;
}

#[tokio::test]
async fn an_event_source_goes_through_losses_over_hyper_on_smol() {
    goes_through_losses(
        env!("CARGO_BIN_EXE_client_over_hyper_on_smol"),
        "hyper-on-smol",
    )
    .await;
}
