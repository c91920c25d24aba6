//! A page that shows a live event stream, its losses and its clean-ups, and the server behind it.
//!
//! The same for every runtime: what differs is in the module `on` of whoever includes this.

mod clean_up_log;
mod flags;
mod live;

use std::{process::ExitCode, sync::Arc, time::Duration};

use futures_util::{StreamExt, future, stream};

use crate::on::{
    adapter::{Event, Request, Response, Router, Server, ServerHandle, http::header, tls},
    sleep,
};
use clean_up_log::CleanUpLog;
use flags::Flags;
use live::Live;

const PAGE: &str = include_str!("page.html");

pub(crate) async fn main() -> ExitCode {
    let flags = match Flags::parse() {
        Ok(Some(flags)) => flags,
        Ok(None) => return ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo: {error}\nTry --help.");
            return ExitCode::FAILURE;
        }
    };
    match run(flags).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(flags: Flags) -> Result<(), Box<dyn std::error::Error>> {
    let mut server = Server::bind(&flags.addr)
        .await
        .map_err(|error| format!("{error}\nChoose another address with --addr HOST:PORT."))?
        .with_config(flags.config);
    let mut scheme = "http";
    if let Some((cert, key)) = flags.tls {
        let identity = tls::Identity::from_pem_files(cert, key)?;
        server = server.with_tls(tls::server_config(&identity)?);
        scheme = "https";
    }
    let address = server.local_addr()?;
    let handle = server.handle();

    println!("Open {scheme}://{address}/ in a browser, or try");
    println!("  curl -N {scheme}://{address}/events");
    println!("  curl -N {scheme}://{address}/example/events");
    println!("Ctrl-C shuts the server down.\n");

    shut_down_on_ctrl_c(handle.clone())?;
    let report = server.serve(routes(handle)).await?;
    println!("Shut down: {report}.");
    Ok(())
}

fn routes(handle: ServerHandle) -> Router {
    let log = Arc::new(CleanUpLog::default());
    let live = Arc::new(Live::new(handle));

    let events = {
        let log = log.clone();
        move |request: Request| {
            log.watch(&request);
            let time = request
                .query_param("for")
                .and_then(|seconds| Duration::try_from_secs_f64(seconds.parse().ok()?).ok());
            let end = async move {
                match time {
                    Some(time) => sleep(time).await,
                    None => future::pending().await,
                }
            };
            live.events(request.last_event_id())
                .take_until(end)
                .take_until(request.shutdown())
        }
    };

    let bounded = {
        let log = log.clone();
        move |request: Request| {
            log.watch(&request);
            let count = ["3", "2", "1"].map(Event::new).map(Ok);
            let bye = Event::new("that was all").with_event_type("bye");
            stream::iter(count)
                .then(|event| async {
                    sleep(Duration::from_millis(500)).await;
                    event
                })
                .chain(stream::iter([bye]))
        }
    };

    let example = {
        let log = log.clone();
        move |request: Request| {
            log.watch(&request);
            stream::iter(["Hello, world!", "Goodbye, world!"])
                .enumerate()
                .then(|(index, text)| async move {
                    sleep(Duration::from_secs(index as u64)).await;
                    text
                })
        }
    };

    let clean_ups = move |request: Request| {
        log.watch(&request);
        log.entries(request.last_event_id())
            .take_until(request.shutdown())
    };

    Router::new()
        .get("/", |_| html(PAGE))
        .events("/events", events)
        .events("/bounded", bounded)
        .events("/clean-ups", clean_ups)
        .nest("/example", Router::new().events("/events", example))
}

fn html(page: &'static str) -> Response<&'static str> {
    let mut response = Response::new(page);
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("text/html; charset=utf-8"),
    );
    response
}

/// Once is graceful, twice is at once.
fn shut_down_on_ctrl_c(handle: ServerHandle) -> Result<(), ctrlc::Error> {
    let mut pressed = false;
    ctrlc::set_handler(move || {
        if pressed {
            return handle.cut();
        }
        pressed = true;
        println!("\nShutting down. Press Ctrl-C again to cut all connections.");
        handle.shut_down();
    })
}
