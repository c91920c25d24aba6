//! The handlers.

use std::time::Duration;

use futures_util::{Stream, StreamExt, stream};

use super::{
    answers,
    clean_up::Connection,
    console::Console,
    control::Control,
    feed::{Feed, Update},
    state::RECONNECTION_TIME,
};
use crate::on::{
    adapter::{
        Attachment, Event, HeaderValue, LastEventId, Next, OpenStream, OpenStreams, Refusal, Reply,
        Request, ResumableStreams, Router, StatusCode, controller,
        http::{Method, header},
    },
    sleep,
};

/// What the handlers of one run share.
pub(super) struct Demo {
    pub(super) feed: Feed,
    pub(super) answers: ResumableStreams,
    pub(super) open: OpenStreams,
    pub(super) control: Control,
    pub(super) console: Console,
}

#[controller]
impl Demo {
    /// What happens here: numbers, clean-ups and the state of the server.
    #[sse("events")]
    fn events(&self, request: Request) -> Reply {
        self.watch(&request);
        self.feed.listen(&request)
    }

    /// Five numbers after the client's last one. The stream ends then, and the
    /// browser asks for more.
    #[sse("count")]
    fn count(
        &self,
        request: Request,
        LastEventId(last): LastEventId,
    ) -> Result<impl Stream<Item = Event>, Refusal> {
        self.watch(&request);
        let last: u32 = last.and_then(|id| id.parse().ok()).unwrap_or(0);
        if last >= 15 {
            // That is all. A browser does not come back after this status.
            return Err(Refusal::new(StatusCode::NO_CONTENT, ""));
        }
        let numbers = stream::iter(last + 1..=last + 5).then(async |n| {
            sleep(Duration::from_millis(400)).await;
            Event::new(n.to_string())
                .under_id(n)
                .with_reconnection_time(RECONNECTION_TIME)
        });
        Ok(numbers.take_until(request.shutdown()))
    }

    /// Starts an answer, which goes on without the page that asked for it.
    #[sse("answers/{id}", method = POST)]
    fn begin(
        &self,
        #[path] id: String,
        #[query] question: Option<String>,
    ) -> Result<Reply, Refusal> {
        let answer = answers::write(question.as_deref());
        self.answers.start(&id, |_producer| answer)?;
        Ok(Reply::empty(StatusCode::NO_CONTENT))
    }

    /// The answer from its beginning, or from where the page was.
    #[sse("answers/{id}")]
    fn read(&self, #[path] id: String, request: Request) -> Option<Attachment> {
        self.watch(&request);
        self.answers.attach(&id, &request)
    }

    /// The button "Stop".
    #[sse("answers/{id}/stop", method = POST)]
    fn stop(&self, #[path] id: String) -> Option<Reply> {
        let is_stopped = self.answers.stop(&id, "the reader stopped it");
        is_stopped.then(|| Reply::empty(StatusCode::NO_CONTENT))
    }

    /// Ends a stream from outside its handler. Its clean-up gets the reason, and
    /// its browser comes back.
    #[sse("streams/{id}/end", method = POST)]
    fn end(&self, #[path] id: String) -> Option<Reply> {
        let is_it = |stream: &OpenStream| stream.id.to_string() == id;
        let ended = self.open.end_where(is_it, "a button of the page");
        (ended > 0).then(|| Reply::empty(StatusCode::NO_CONTENT))
    }

    /// Ends this run of the server gracefully. The next one begins.
    #[sse("restart", method = POST)]
    fn restart(&self) -> Reply {
        self.control.restart();
        Reply::empty(StatusCode::NO_CONTENT)
    }

    /// Two greetings, a second apart.
    #[sse("example/events")]
    fn example(
        &self,
        request: Request,
        LastEventId(last): LastEventId,
    ) -> impl Stream<Item = String> {
        self.watch(&request);
        let hello = match last {
            None => "Hello, world!".to_owned(),
            Some(last) => format!("Hello again, after {last}!"),
        };
        stream::iter([hello, "Goodbye, world!".to_owned()])
            .enumerate()
            .then(async |(index, text)| {
                sleep(Duration::from_secs(index as u64)).await;
                text
            })
    }
}

impl Demo {
    /// Tells all pages why this connection ended, whichever side ended it.
    fn watch(&self, request: &Request) {
        let (feed, console) = (self.feed.clone(), self.console.clone());
        let connection = Connection::of(request);
        request.clean_up().add(move |reason| {
            let ended = connection.ended(reason);
            console.say(&ended);
            feed.publish(Update::CleanUp(ended));
        });
    }

    /// Returns the routes, and this page.
    pub(super) fn routes(self, page: &str) -> Router {
        let page = page.to_owned();
        Router::new()
            .get("/", move |_| html(page.clone()))
            .controller(self)
            .layer(own_site)
    }
}

fn html(page: String) -> Reply {
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    Reply::text(StatusCode::OK, page).with_header(header::CONTENT_TYPE, html)
}

/// Keeps the pages of other sites from restarting the server and ending its streams.
async fn own_site(request: Request, next: Next) -> Result<Reply, Refusal> {
    let site = request.headers().get("sec-fetch-site");
    if request.method() == Method::POST && site.is_some_and(|site| site != "same-origin") {
        return Err(Refusal::new(
            StatusCode::FORBIDDEN,
            "Use the page of the demo.\n",
        ));
    }
    Ok(next.run(request).await)
}
