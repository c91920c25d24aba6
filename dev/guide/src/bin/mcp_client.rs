//! A client of the Model Context Protocol by its streamable HTTP, as of revision 2025-11-25:
//! `mcp_client URL`. It lists the tools, and calls those of `mcp_server`.

use std::{env, error::Error, time::Duration};

use serde_json::{Value, json};
use sse_tokio::{
    EventSource, EventSourceConfig, HeaderName, HeaderValue, StatusCode,
    client::{ClientEvent, Failure},
    http::{Method, header},
};

type Failed = Box<dyn Error + Send + Sync>;

const ID: HeaderName = HeaderName::from_static("mcp-session-id");
const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");

struct Mcp {
    url: String,
    /// Fields of each later request, which the server gave in answer to "initialize".
    id: Option<HeaderValue>,
    version: Option<HeaderValue>,
    requests: u64,
}

impl Mcp {
    async fn connect(url: String) -> Result<Self, Failed> {
        let mut mcp = Self {
            url,
            id: None,
            version: None,
            requests: 0,
        };
        let result = mcp.call(
            "initialize",
            json!({
                "protocolVersion": "2025-11-25",
                "capabilities": {},
                "clientInfo": { "name": "sse-guide", "version": env!("CARGO_PKG_VERSION") },
            }),
        );
        let result = result.await?;
        let version = result["protocolVersion"]
            .as_str()
            .ok_or("the server names no version")?;
        mcp.version = Some(HeaderValue::from_str(version)?);
        mcp.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }))
            .await?;
        Ok(mcp)
    }

    fn config(&self, method: Method) -> EventSourceConfig {
        let mut config = EventSourceConfig::default();
        config.method = method;
        let accept = HeaderValue::from_static("application/json, text/event-stream");
        config.headers.insert(header::ACCEPT, accept);
        let fields = [(ID, &self.id), (VERSION, &self.version)];
        for (name, value) in fields {
            if let Some(value) = value {
                config.headers.insert(name, value.clone());
            }
        }
        // The request is sent once: after a loss the client gets the rest of an answer by `GET`.
        config.resume_by_get = true;
        if let Some(reconnection) = &mut config.reconnection {
            reconnection.first_failure_is_final = true;
            reconnection.time = Duration::from_secs(1);
            reconnection.max_attempts = Some(5);
        }
        // An answer in JSON is not an event stream, and is kept as an unexpected response.
        config.max_unexpected_body = 1024 * 1024;
        config
    }

    /// Calls a method, and returns its result.
    async fn call(&mut self, method: &str, params: Value) -> Result<Value, Failed> {
        self.requests += 1;
        let request = json!({
            "jsonrpc": "2.0", "id": self.requests, "method": method, "params": params,
        });
        let mut answer = self
            .send(&request)
            .await?
            .ok_or("the server does not answer")?;
        match answer.get_mut("result") {
            Some(result) => Ok(result.take()),
            None => Err(format!("{method}: {}", answer["error"]).into()),
        }
    }

    /// Sends a message, and returns the answer to it; `None` for a notification.
    async fn send(&mut self, message: &Value) -> Result<Option<Value>, Failed> {
        let mut config = self.config(Method::POST);
        config.set_json(message)?;
        let mut source = EventSource::with_config(&self.url, config)?;
        while let Some(update) = source.next_update().await {
            match update {
                ClientEvent::Open(response) => self.keep_id(response.headers()),
                // The first event may have an ID and no data.
                ClientEvent::Event(event)
                    if event.event_type() == "message" && !event.data().is_empty() =>
                {
                    let told: Value = serde_json::from_str(event.data())?;
                    if told.get("method").is_none() && told["id"] == message["id"] {
                        return Ok(Some(told));
                    }
                    println!("{}: {}", told["method"], told["params"]);
                }
                // A stream without event IDs cannot be resumed, and the request is not sent again.
                ClientEvent::Lost { loss, .. } if source.last_event_id().as_str().is_empty() => {
                    return Err(loss.into());
                }
                ClientEvent::Lost { loss, wait } => eprintln!("{loss}; again in {wait:?}"),
                ClientEvent::Closed(Ok(_)) => return Ok(None),
                ClientEvent::Closed(Err(failure)) => return self.whole(failure),
                _ => {}
            }
        }
        Ok(None)
    }

    /// Returns an answer that is not an event stream.
    fn whole(&mut self, failure: Failure) -> Result<Option<Value>, Failed> {
        match failure.unexpected_response() {
            Some(answer) if answer.status() == StatusCode::ACCEPTED => Ok(None),
            Some(answer) if answer.status() == StatusCode::OK && !answer.is_cut => {
                self.keep_id(answer.headers());
                Ok(Some(answer.json()?))
            }
            // A 404 means that the server has forgotten this client: connect anew.
            _ => Err(failure.into()),
        }
    }

    fn keep_id(&mut self, fields: &sse_tokio::http::HeaderMap) {
        if let Some(id) = fields.get(ID) {
            self.id = Some(id.clone());
        }
    }

    /// Subscribes to the messages that the server sends on its own. A server without any answers 405.
    fn listen(&self) -> Result<EventSource, Failed> {
        Ok(EventSource::with_config(
            &self.url,
            self.config(Method::GET),
        )?)
    }

    async fn leave(self) -> Result<(), Failed> {
        let mut config = self.config(Method::DELETE);
        config.reconnection = None;
        let mut source = EventSource::with_config(&self.url, config)?;
        // Any answer will do: a server may ignore the request.
        while source.next_update().await.is_some() {}
        Ok(())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failed> {
    let url = env::args()
        .nth(1)
        .ok_or("give the URL of a server's endpoint")?;
    let mut mcp = Mcp::connect(url).await?;
    let tools = mcp.call("tools/list", json!({})).await?;
    let names = tools["tools"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|tool| &tool["name"]);
    println!(
        "tools: {}",
        names.map(Value::to_string).collect::<Vec<_>>().join(" ")
    );

    let mut told = mcp.listen()?;
    let is_open = told.opened().await.is_ok();
    let params = json!({ "name": "remind", "arguments": { "seconds": 1 } });
    println!(
        "{}",
        mcp.call("tools/call", params).await?["content"][0]["text"]
    );
    let params = json!({
        "name": "count", "arguments": { "to": 8 }, "_meta": { "progressToken": "count" },
    });
    println!(
        "{}",
        mcp.call("tools/call", params).await?["content"][0]["text"]
    );
    if is_open {
        while let Some(event) = told.next().await {
            let event = event?;
            if event.event_type() == "message" && !event.data().is_empty() {
                println!("unasked: {}", event.data());
                break;
            }
        }
    }
    mcp.leave().await
}
