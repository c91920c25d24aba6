//! Long jobs, which go on whether a page looks or not: the program of `docs/progress.md`.

use std::{env, time::Duration};

use serde::Serialize;
use sse_tokio::{
    Attachment, IntoEvent, Producer, Refusal, Reply, Request, ResumableConfig, ResumableStreams,
    Router, Server, StatusCode, Tokio, extract,
    topic::{PublishError, WhenFull},
};

#[derive(Serialize)]
struct Progress {
    done: u32,
    of: u32,
}

/// What the page is told: events of the types `progress` and `note`.
#[derive(Serialize, IntoEvent)]
enum Update {
    Progress(Progress),
    Note(String),
}

/// The job. It knows nothing of pages.
async fn work(job: Producer) -> Result<(), PublishError> {
    const STEPS: u32 = 100;
    job.publish(Update::Note(format!("{} has begun", job.name())))?;
    for done in 1..=STEPS {
        tokio::time::sleep(Duration::from_millis(100)).await;
        job.publish(Update::Progress(Progress { done, of: STEPS }))?;
    }
    Ok(())
}

/// Starts the job of this name. Where it is there already, it goes on.
fn start(jobs: &ResumableStreams, request: &Request) -> Result<Reply, Refusal> {
    let name: String = extract::path(request, "name")?;
    let job = jobs.start(&name, |job| {
        let name = job.name().clone();
        job.clean_up().add(move |end| eprintln!("{name}: {end}"));
        work(job)
    })?;
    let status = match job.end() {
        None => StatusCode::ACCEPTED,
        // It is done, and kept for a while. To do it once more, `forget` it before.
        Some(_) => StatusCode::OK,
    };
    Ok(Reply::empty(status))
}

/// Everything that the job has told so far, and what it tells from now on; 404 where there is none.
fn watch(jobs: &ResumableStreams, request: &Request) -> Result<Option<Attachment>, Refusal> {
    let name: String = extract::path(request, "name")?;
    Ok(jobs.attach(&name, request))
}

/// The button "stop".
fn stop(jobs: &ResumableStreams, request: &Request) -> Result<Option<Reply>, Refusal> {
    let name: String = extract::path(request, "name")?;
    let stopped = jobs.stop(&name, "stopped by hand");
    Ok(stopped.then(|| Reply::empty(StatusCode::NO_CONTENT)))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut config = ResumableConfig::default();
    // A job that was started is done, whether a page looks or not.
    config.grace = None;
    // At a shutdown pages leave at once, and jobs go on: see below.
    config.shutdown_grace = None;
    // A page that comes late needs the newest steps, and not each of them.
    (config.topic.max_events, config.topic.when_full) = (50, WhenFull::DropOldest);
    let jobs = ResumableStreams::on(Tokio, config);

    let [started, watched, stopped] = [0; 3].map(|_| jobs.clone());
    let router = Router::new()
        .post("/jobs/{name}", move |request: Request| {
            start(&started, &request)
        })
        .events("/jobs/{name}", move |request: Request| {
            watch(&watched, &request)
        })
        .post("/jobs/{name}/stop", move |request: Request| {
            stop(&stopped, &request)
        });
    let address = env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:8080".into());
    let server = Server::bind(address).await?;
    println!("{}", server.local_addr()?);
    let handle = server.handle();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            handle.shut_down();
        }
    });
    server.serve(router).await?;
    // Pages were told. What still runs is done, or let go by a second Ctrl-C.
    for job in jobs.all() {
        tokio::select! {
            _ = job.ended() => {}
            _ = tokio::signal::ctrl_c() => break,
        }
    }
    jobs.stop_all("the program ends");
    Ok(())
}
