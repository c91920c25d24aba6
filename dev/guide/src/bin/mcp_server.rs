//! A server of the Model Context Protocol by its streamable HTTP, as of revision 2025-11-25:
//! `mcp_server [ADDRESS [SECONDS]]`, with how long a response lasts at most.

use std::{env, error::Error, sync::Arc, time::Duration};

use futures_util::{Stream, StreamExt, stream};
use serde_json::{Value, json};
use sse_tokio::{
    AllowList, Attachment, Event, EventError, HeaderName, HeaderValue, Lifetime, OpenStreams,
    Refusal, Reply, Request, ResumableConfig, ResumableStreams, Router, Server, ServerConfig,
    StatusCode, Tokio, Topic, TopicMap, TopicMapConfig, http::Method, topic::Outcome,
};

/// The newest first.
const VERSIONS: [&str; 2] = ["2025-11-25", "2025-06-18"];

const ID: HeaderName = HeaderName::from_static("mcp-session-id");
const VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");

struct Mcp {
    /// A topic for each client that sent "initialize": the messages that the server sends on its own.
    clients: TopicMap,
    /// The answers that are event streams. The owner is the client, and the name is the request's ID.
    answers: ResumableStreams,
    open: OpenStreams,
}

impl Mcp {
    fn post(&self, request: &Request) -> Result<Reply, Refusal> {
        let message: Value = request.json()?;
        let method = message["method"].as_str();
        if method == Some("initialize") {
            return self.initialize(&message);
        }
        let (client, topic) = self.client(request)?;
        let (Some(method), Some(id)) = (method, message.get("id")) else {
            // A notification, or the answer to a request of the server.
            if method == Some("notifications/cancelled") {
                let name = name_of(&message["params"]["requestId"])?;
                self.answers
                    .of(client)
                    .stop(&name, "the client cancelled it");
            }
            return Ok(Reply::empty(StatusCode::ACCEPTED));
        };
        let params = &message["params"];
        match (method, params["name"].as_str()) {
            ("ping", _) => answer(id, json!({})),
            ("tools/list", _) => answer(
                id,
                json!({ "tools": [
                tool("count", "Counts to a number, and tells how far it is", "to"),
                tool("remind", "Tells so after some seconds, without being asked", "seconds"),
            ] }),
            ),
            // The answer is an event stream.
            ("tools/call", Some("count")) => Ok(self.count(client, request, id, params)?.into()),
            // The answer is JSON. The reminder comes later, by the stream of the client's topic.
            ("tools/call", Some("remind")) => {
                let wait =
                    Duration::from_secs(params["arguments"]["seconds"].as_u64().unwrap_or(1));
                tokio::spawn(remind(topic, wait));
                answer(id, text("You will be told."))
            }
            _ => {
                let error = json!({ "code": -32601, "message": "there is no such method or tool" });
                let error = json!({ "jsonrpc": "2.0", "id": id, "error": error });
                Ok(Reply::json(StatusCode::OK, &error)?)
            }
        }
    }

    /// Answers the only request without a client's ID, and gives the client one.
    fn initialize(&self, message: &Value) -> Result<Reply, Refusal> {
        let asked = &message["params"]["protocolVersion"];
        let version = VERSIONS.into_iter().find(|version| asked == version);
        let refusal = |_| {
            Refusal::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "There is no random number.\n",
            )
        };
        let random = || getrandom::u64().map_err(refusal);
        let client = format!("{:016x}{:016x}", random()?, random()?);
        // At the bound for clients, `?` makes a 503.
        self.clients.topic(&client)?;
        let result = json!({
            "protocolVersion": version.unwrap_or(VERSIONS[0]),
            "capabilities": { "tools": {}, "logging": {} },
            "serverInfo": { "name": "sse-guide", "version": env!("CARGO_PKG_VERSION") },
        });
        let reply = answer(&message["id"], result)?;
        Ok(match HeaderValue::try_from(client) {
            Ok(client) => reply.with_header(ID, client),
            Err(_) => reply,
        })
    }

    /// Returns the ID of the client that sent the request, and its topic.
    fn client(&self, request: &Request) -> Result<(String, Topic), Refusal> {
        let field = |name| {
            request
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        if field(VERSION).is_some_and(|version| !VERSIONS.contains(&version)) {
            let text = format!("Send mcp-protocol-version: {}.\n", VERSIONS.join(" or "));
            return Err(Refusal::new(StatusCode::BAD_REQUEST, text));
        }
        let initialize = |status| Refusal::new(status, "Send \"initialize\" first.\n");
        let client = field(ID).ok_or_else(|| initialize(StatusCode::BAD_REQUEST))?;
        let topic = self.clients.get(client);
        let topic = topic.ok_or_else(|| initialize(StatusCode::NOT_FOUND))?;
        Ok((client.to_owned(), topic))
    }

    /// Counts, whether the client listens or not. A client that was cut continues by `get`.
    fn count(
        &self,
        client: String,
        request: &Request,
        id: &Value,
        params: &Value,
    ) -> Result<Attachment, Refusal> {
        let (name, id) = (name_of(id)?, id.clone());
        let to = params["arguments"]["to"].as_u64().unwrap_or(3).min(1_000);
        let token = params["_meta"]["progressToken"].clone();
        let attachment = self
            .answers
            .of(client)
            .attach_or_start(&name, request, |producer| {
                let name = producer.name().to_string();
                producer
                    .clean_up()
                    .add(move |end| eprintln!("count {name}: {end}"));
                count(producer.name().to_string(), id, token, to)
            })?;
        Ok(attachment)
    }

    /// Returns the messages that the server sends on its own; or, for a client that comes back to an
    /// answer, the rest of that answer, which the last event ID names.
    fn get(&self, request: &Request) -> Result<Reply, Refusal> {
        let (client, topic) = self.client(request)?;
        if let Some((name, _)) = request.last_event_id().and_then(|id| id.rsplit_once('/')) {
            let attachment = self.answers.of(client).attach(name, request);
            let refusal =
                || Refusal::new(StatusCode::NOT_FOUND, "This answer is not kept any more.\n");
            return Ok(attachment.ok_or_else(refusal)?.into());
        }
        let subscriber = topic.resume(request);
        let subscriber = match subscriber.outcome() {
            // The ID is that of an answer's last event: nothing follows it.
            Outcome::Unknown { .. } => return Ok(Reply::empty(StatusCode::NO_CONTENT)),
            // With this ID a client that loses its connection before the first message misses nothing.
            Outcome::Fresh => subscriber.begin_with([Event::new("")])?,
            _ => subscriber,
        };
        // Each message is sent on one stream only: the newest, which the client reads.
        request.label_stream(client.clone());
        let is_older = |open: &sse_tokio::OpenStream| {
            open.label.as_deref() == Some(&client) && Some(open.id) != request.stream_id()
        };
        self.open
            .end_where(is_older, "the client has another stream");
        Ok(subscriber.into())
    }

    /// The client leaves for good.
    fn delete(&self, request: &Request) -> Result<Reply, Refusal> {
        let (client, topic) = self.client(request)?;
        topic.close();
        self.answers.of(client).stop_all("the client has left");
        Ok(Reply::empty(StatusCode::NO_CONTENT))
    }
}

/// The name of a request's answer, which is a part of event IDs.
fn name_of(id: &Value) -> Result<String, Refusal> {
    match id {
        Value::Number(id) => Ok(id.to_string()),
        Value::String(id) if id.bytes().all(|byte| byte.is_ascii_graphic()) => {
            Ok(format!("\"{id}\""))
        }
        _ => {
            let text = "The ID of a request is a number or a text of ASCII without blanks here.\n";
            Err(Refusal::new(StatusCode::BAD_REQUEST, text))
        }
    }
}

fn count(
    name: String,
    id: Value,
    token: Value,
    to: u64,
) -> impl Stream<Item = Result<Event, EventError>> {
    let steps = stream::iter(1..=to).then(|step| async move {
        tokio::time::sleep(Duration::from_millis(200)).await;
        step
    });
    let told = steps.map(move |step| {
        let params = json!({ "progressToken": token, "progress": step, "total": to });
        json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": params })
    });
    let told = told.filter(|told| std::future::ready(!told["params"]["progressToken"].is_null()));
    let result = text(&format!("counted to {to}"));
    let result = json!({ "jsonrpc": "2.0", "id": id, "result": result });
    let messages = told
        .chain(stream::iter([result]))
        .map(|message| Event::new(message.to_string()));
    // The first event has an ID and no data, so that a client can come back before the first result.
    let first = Event::new("").with_reconnection_time(Duration::from_secs(1));
    let events = stream::iter([first]).chain(messages);
    events
        .enumerate()
        .map(move |(n, event)| event.with_id(format!("{name}/{n}")))
}

async fn remind(topic: Topic, wait: Duration) {
    tokio::time::sleep(wait).await;
    let params = json!({ "level": "info", "data": "it is time" });
    let message = json!({ "jsonrpc": "2.0", "method": "notifications/message", "params": params });
    // This fails if the client has left meanwhile.
    let _ = topic.publish(message.to_string());
}

fn tool(name: &str, description: &str, argument: &str) -> Value {
    let properties = json!({ argument: { "type": "integer" } });
    let schema = json!({ "type": "object", "properties": properties });
    json!({ "name": name, "description": description, "inputSchema": schema })
}

fn text(text: &str) -> Value {
    json!({ "content": [{ "type": "text", "text": text }] })
}

fn answer(id: &Value, result: Value) -> Result<Reply, Refusal> {
    let message = json!({ "jsonrpc": "2.0", "id": id, "result": result });
    Ok(Reply::json(StatusCode::OK, &message)?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:8080".into());
    let lifetime = arguments
        .next()
        .map(|seconds| seconds.parse())
        .transpose()?;

    let open = OpenStreams::new();
    let mcp = Arc::new(Mcp {
        clients: TopicMap::on(Tokio, TopicMapConfig::default()),
        answers: ResumableStreams::on(Tokio, ResumableConfig::default()),
        open: open.clone(),
    });
    let mut config = ServerConfig::default();
    config.open_streams = Some(open);
    config.lifetime = lifetime.map(|seconds| Lifetime::at_most(Duration::from_secs(seconds)));

    let [posted, got, deleted] = [0; 3].map(|_| mcp.clone());
    let router = Router::new()
        .post("/mcp", move |request: Request| posted.post(&request))
        .events("/mcp", move |request: Request| got.get(&request))
        .route(Method::DELETE, "/mcp", move |request: Request| {
            deleted.delete(&request)
        })
        // A page of another origin gets a 403, and a request for another host a 421.
        .allow_only(AllowList::localhost());
    let server = Server::bind(address).await?.with_config(config);
    println!("{}", server.local_addr()?);
    server.serve(router).await?;
    Ok(())
}
