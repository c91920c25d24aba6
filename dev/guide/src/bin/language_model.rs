//! Passes a language model's answer on, as it is written: the program of `docs/language-model.md`.

use std::{env, sync::Arc};

use futures_util::{Stream, StreamExt, future, stream};
use serde_json::{Value, json};
use sse_tokio::{
    Event, EventId, EventSource, EventType, HeaderValue, Refusal, Request, Router, Server,
    StatusCode,
    client::{ClientEvent, EventSourceConfig, Failure},
    http::{Method, header},
};

/// Any server with the widespread "chat completions" interface.
const MODEL: &str = "http://127.0.0.1:11434/v1/chat/completions";

const ANSWER: EventId = EventId::from_static("answer");
const DONE: EventType = EventType::from_static("done");

type Failed = Box<dyn std::error::Error + Send + Sync>;

/// Asks the model, and waits until it begins its answer or refuses to.
async fn ask_model(url: &str, prompt: &str) -> Result<EventSource, Refusal> {
    let mut config = EventSourceConfig::default();
    config.method = Method::POST;
    let json = HeaderValue::from_static("application/json");
    config.headers.insert(header::CONTENT_TYPE, json);
    let body = json!({
        "model": "llama3.2",
        "stream": true,
        "messages": [{ "role": "user", "content": prompt }],
    });
    config.body = body.to_string().into();
    // An answer is asked for once: a second try would be another answer.
    config.reconnection = None;

    let mut written = EventSource::with_config(url, config)
        .map_err(|error| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    while let Some(update) = written.next_update().await {
        match update {
            ClientEvent::Open(_) => return Ok(written),
            ClientEvent::Closed(Err(failure)) => return Err(refused(&failure)),
            _ => {}
        }
    }
    Err(Refusal::new(
        StatusCode::BAD_GATEWAY,
        "The model has no answer.\n",
    ))
}

/// What the page is told. "Too many requests" and "busy" concern the page; what else the model's
/// server refuses, such as a key, is a fault of this server's.
fn refused(failure: &Failure) -> Refusal {
    let bad_gateway = Refusal::new(StatusCode::BAD_GATEWAY, "The model does not answer.\n");
    let Failure::Status(refusal) = failure else {
        return bad_gateway;
    };
    let status = refusal.response.status();
    if status != StatusCode::TOO_MANY_REQUESTS && status != StatusCode::SERVICE_UNAVAILABLE {
        return bad_gateway;
    }
    let busy = Refusal::new(status, "The model is busy.\n");
    match refusal.response.headers().get(header::RETRY_AFTER) {
        Some(time) => busy.with_header(header::RETRY_AFTER, time.clone()),
        None => busy,
    }
}

/// The words of one of the model's events, if it has any.
fn words(data: &str) -> Option<String> {
    let value: Value = serde_json::from_str(data).ok()?;
    Some(value["choices"][0]["delta"]["content"].as_str()?.to_owned())
}

async fn answer(
    model: Arc<str>,
    request: Request,
) -> Result<impl Stream<Item = Result<Event, Failed>>, Refusal> {
    // A page that comes back has had its answer, or a part of it: not a second one.
    if request.last_event_id().is_some() {
        return Err(Refusal::new(StatusCode::NO_CONTENT, ""));
    }
    let prompt = request
        .query_param("prompt")
        .ok_or_else(|| Refusal::new(StatusCode::BAD_REQUEST, "Add ?prompt=…\n"))?;
    request.clean_up().add(|reason| eprintln!("over: {reason}"));

    let written = ask_model(&model, &prompt).await?;
    let words = written
        .take_while(|event| {
            let is_end = event.as_ref().is_ok_and(|event| event.data() == "[DONE]");
            future::ready(!is_end)
        })
        .filter_map(|event| {
            future::ready(match event {
                // Blanks at either end and line ends come through as they are.
                Ok(event) => words(event.data()).map(|text| Ok(Event::new(text).under_id(ANSWER))),
                Err(error) => Some(Err(error.into())),
            })
        });
    let done = Event::new("").of_type(DONE);
    Ok(words.chain(stream::iter([Ok(done)])))
}

#[tokio::main]
async fn main() -> Result<(), Failed> {
    let mut arguments = env::args().skip(1);
    let model: Arc<str> = arguments.next().unwrap_or_else(|| MODEL.into()).into();
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:8080".into());
    let router = Router::new().events("/answer", move |request| answer(model.clone(), request));
    let server = Server::bind(address).await?;
    println!("{}", server.local_addr()?);
    server.serve(router).await?;
    Ok(())
}
