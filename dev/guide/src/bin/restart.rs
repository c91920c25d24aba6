//! A server whose clients notice nothing of its restarts: what is said is in a file, under the IDs that its
//! events have: `restart FILE [ADDRESS]`.

use std::{
    env,
    error::Error,
    fs::{self, File, OpenOptions},
    io,
    os::unix::fs::FileExt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use sse_tokio::{
    Event, Refusal, Reply, Request, Router, Server, ServerConfig, StatusCode, Subscriber, Tokio,
    Topic, TopicConfig, topic::ResumeRequest,
};
use tokio::signal::unix::{SignalKind, signal};

type Failed = Box<dyn Error + Send + Sync>;

/// One line of JSON for each thing that was said. The number of its line is the ID of its event.
struct Journal {
    file: File,
    bytes: u64,
    lines: u64,
}

impl Journal {
    /// Opens the journal. What a crash left of a line that was not written to its end is dropped.
    fn open(path: &str) -> Result<(Self, String), Failed> {
        let mut options = OpenOptions::new();
        options.create(true).write(true).truncate(false);
        let file = options.open(path)?;
        let mut text = fs::read_to_string(path)?;
        text.truncate(text.rfind('\n').map_or(0, |end| end + 1));
        let (bytes, lines) = (text.len() as u64, text.lines().count() as u64);
        file.set_len(bytes)?;
        Ok((Self { file, bytes, lines }, text))
    }

    /// Adds a line, and returns its number. After a failure the next line takes the place of this one.
    fn add(&mut self, line: &str) -> io::Result<u64> {
        let line = format!("{line}\n");
        self.file.write_all_at(line.as_bytes(), self.bytes)?;
        self.file.sync_data()?;
        self.bytes += line.len() as u64;
        self.lines += 1;
        Ok(self.lines)
    }
}

struct News {
    journal: Mutex<Journal>,
    topic: Topic,
}

impl News {
    /// The topic begins with the lines of the journal, of which it keeps the newest.
    fn open(path: &str) -> Result<Self, Failed> {
        let (journal, text) = Journal::open(path)?;
        let topic = Topic::on(Tokio, TopicConfig::default());
        for (number, line) in (1_u64..).zip(text.lines()) {
            topic.publish(Event::new(line).under_id(number))?;
        }
        let journal = Mutex::new(journal);
        Ok(Self { journal, topic })
    }

    /// Writes to the journal first: what a client has seen survives a crash.
    fn say(&self, request: &Request) -> Result<Reply, Refusal> {
        let said: String = request.json()?;
        let refusal = |status, error: &dyn Error| Refusal::new(status, format!("{error}\n"));
        let line = serde_json::to_string(&said)
            .map_err(|error| refusal(StatusCode::BAD_REQUEST, &error))?;
        // Held until the event is published, so that both have the same order.
        let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        let number = journal
            .add(&line)
            .map_err(|error| refusal(StatusCode::INTERNAL_SERVER_ERROR, &error))?;
        self.topic
            .publish(Event::new(line).under_id(number))
            .map_err(|error| refusal(StatusCode::INTERNAL_SERVER_ERROR, &error))?;
        Ok(Reply::empty(StatusCode::NO_CONTENT))
    }

    /// A page that was not here before gets what is kept; one that comes back, what it missed.
    fn listen(&self, request: &Request) -> Subscriber {
        match ResumeRequest::last_event_id(request, "lastEventId") {
            Some(_) => self.topic.resume(request),
            None => self.topic.subscribe_from_oldest(),
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Failed> {
    let mut arguments = env::args().skip(1);
    let path = arguments.next().ok_or("give the file of the journal")?;
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:8080".into());
    let news = Arc::new(News::open(&path)?);

    let mut config = ServerConfig::default();
    // The same service comes back at once. Its clients are gone at once, and come back one after the other.
    config.shutdown_spread.ends = Duration::ZERO;
    config.shutdown_spread.retry = Duration::from_secs(5);
    let server = Server::bind(address).await?.with_config(config);
    println!("{}", server.local_addr()?);

    let handle = server.handle();
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        terminate.recv().await;
        handle.shut_down();
    });
    let said = news.clone();
    let router = Router::new()
        .events("/news", move |request: Request| news.listen(&request))
        .post("/news", move |request: Request| said.say(&request));
    let report = server.serve(router).await?;
    println!("{report}");
    Ok(())
}
