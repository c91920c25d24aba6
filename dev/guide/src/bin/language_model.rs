//! A language model's answer, which goes on when the page that asked for it is reloaded or closed.

use std::env;

use futures_util::{Stream, TryStreamExt, stream};
use serde_json::{Value, json};
use sse_tokio::{
    Attachment, Event, EventSource, EventType, FromRequest, HeaderValue, Producer, Refusal, Reply,
    Request, ResumableConfig, ResumableStreams, Router, Server, StatusCode, Text, Tokio,
    client::{ClientEvent, EventSourceConfig, Failure},
    controller,
    driver::Clock,
    extract,
    http::{Method, header},
};

/// Any server with the widespread "chat completions" interface.
const MODEL: &str = "http://127.0.0.1:11434/v1/chat/completions";

const PAGE: &str = include_str!("language_model.html");

const REFUSED: EventType = EventType::from_static("refused");

type Failed = Box<dyn std::error::Error + Send + Sync>;

struct Answers {
    model: String,
    streams: ResumableStreams,
}

#[controller("answers")]
impl Answers {
    /// Asks the model. The page chooses the ID: where it asks twice, there is one answer.
    #[sse("{id}", method = POST)]
    async fn ask(
        &self,
        user: User,
        #[path] id: String,
        request: Request,
    ) -> Result<Reply, Refusal> {
        let prompt = String::from_utf8(request.body().to_vec())
            .map_err(|_| Refusal::new(StatusCode::BAD_REQUEST, "The prompt is not UTF-8.\n"))?;
        let model = self.model.clone();
        self.streams.of(user.0).start(&id, |producer| {
            producer.clean_up().add(|end| eprintln!("over: {end}"));
            answer(producer, model, prompt)
        })?;
        Ok(Reply::empty(StatusCode::NO_CONTENT))
    }

    /// The answer from its beginning, or from where the client was; 404 where it is not kept.
    #[sse("{id}")]
    async fn read(&self, user: User, #[path] id: String, request: Request) -> Option<Attachment> {
        self.streams.of(user.0).attach(&id, &request)
    }

    /// The button "stop". The connection to the model is closed with the stream that reads it.
    #[sse("{id}/stop", method = POST)]
    async fn stop(&self, user: User, #[path] id: String) -> Option<Reply> {
        let stopped = self.streams.of(user.0).stop(&id, "the user stopped it");
        stopped.then(|| Reply::empty(StatusCode::NO_CONTENT))
    }
}

/// Who asks: the owner of the answers. A cookie with a random number stands for a login here.
struct User(Text);

impl FromRequest for User {
    async fn from_request(request: &Request) -> Result<Self, Refusal> {
        let user: Option<String> = extract::cookie(request, "user")?;
        let user = user.filter(|user| !user.is_empty());
        let refusal = || Refusal::new(StatusCode::UNAUTHORIZED, "Open the page first.\n");
        Ok(Self(user.ok_or_else(refusal)?.into()))
    }
}

/// The producer: asks the model, and passes on what it writes.
async fn answer(
    producer: Producer,
    model: String,
    prompt: String,
) -> Result<impl Stream<Item = Result<String, Failed>>, Failed> {
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

    let mut written = EventSource::with_config(model, config)?;
    while let Some(update) = written.next_update().await {
        match update {
            ClientEvent::Open(_) => break,
            ClientEvent::Closed(Err(failure)) => {
                producer.publish(refused(&failure))?;
                return Err(failure.into());
            }
            _ => {}
        }
    }
    Ok(stream::try_unfold(written, async |mut written| {
        while let Some(event) = written.try_next().await? {
            if event.data() == "[DONE]" {
                return Ok(None);
            }
            // Blanks at either end and line ends come through as they are.
            if let Some(words) = words(event.data())? {
                return Ok(Some((words, written)));
            }
        }
        // The end of the response is not that of the answer: a proxy, or a model that gives up, may end it.
        Err("the response ended without [DONE]".into())
    }))
}

/// The words of one of the model's events, if it has any.
fn words(data: &str) -> Result<Option<String>, Failed> {
    let value: Value = serde_json::from_str(data)?;
    match &value["error"] {
        Value::Null => {}
        error => return Err(format!("the model failed: {error}").into()),
    }
    let words = value["choices"][0]["delta"]["content"].as_str();
    Ok(words.map(str::to_owned))
}

/// What the page is told where the model refuses. "Too many requests" and "busy" concern the page;
/// what else the model's server refuses, such as a key, is a fault of this server's.
fn refused(failure: &Failure) -> Event {
    let concerns_page = [
        StatusCode::TOO_MANY_REQUESTS,
        StatusCode::SERVICE_UNAVAILABLE,
    ];
    let told = match failure {
        Failure::Status(refusal) if concerns_page.contains(&refusal.response.status()) => {
            let retry_after = refusal.response.headers().get(header::RETRY_AFTER);
            let retry_after = retry_after.and_then(|value| value.to_str().ok());
            json!({ "status": refusal.response.status().as_u16(), "retry_after": retry_after })
        }
        _ => json!({ "status": StatusCode::BAD_GATEWAY.as_u16() }),
    };
    Event::new(told.to_string()).of_type(REFUSED)
}

/// The page, with a cookie that tells its browser from others.
fn page(request: &Request) -> Reply {
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    let page = Reply::text(StatusCode::OK, PAGE).with_header(header::CONTENT_TYPE, html);
    if extract::cookie::<Option<String>, _>(request, "user").is_ok_and(|user| user.is_some()) {
        return page;
    }
    let cookie = format!(
        "user={:016x}; HttpOnly; SameSite=Strict; Path=/",
        Tokio.seed()
    );
    match HeaderValue::try_from(cookie) {
        Ok(cookie) => page.with_header(header::SET_COOKIE, cookie),
        Err(_) => page,
    }
}

#[tokio::main]
async fn main() -> Result<(), Failed> {
    let mut arguments = env::args().skip(1);
    let model = arguments.next().unwrap_or_else(|| MODEL.into());
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:8080".into());
    let streams = ResumableStreams::on(Tokio, ResumableConfig::default());
    let router = Router::new()
        .get("/", |request: Request| page(&request))
        .controller(Answers { model, streams });
    let server = Server::bind(address).await?;
    println!("{}", server.local_addr()?);
    server.serve(router).await?;
    Ok(())
}
