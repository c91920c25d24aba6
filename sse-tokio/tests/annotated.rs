//! Annotated handlers and typed events, over a socket: the generated code names only this crate.

use futures_util::{Stream, StreamExt, stream};
use serde::{Deserialize, Serialize};
use sse_tokio::{
    CleanUp, CloseReason, EventSource, FromEvent, IntoEvent, Router, Server, Typed, TypedEvents,
    controller, sse,
};
use tokio::sync::mpsc;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct User {
    name: String,
}

#[derive(Debug, PartialEq, IntoEvent, FromEvent)]
enum Chat {
    Joined(User),
    Ping,
}

struct Room {
    ended: mpsc::UnboundedSender<CloseReason>,
}

#[controller("rooms/{room}")]
impl Room {
    #[sse("events")]
    async fn events(&self, #[path] room: String, clean_up: CleanUp) -> impl Stream<Item = Chat> {
        let ended = self.ended.clone();
        clean_up.add(move |reason| ended.send(reason.clone()).unwrap());
        stream::iter([Chat::Joined(User { name: room }), Chat::Ping]).chain(stream::pending())
    }
}

#[sse("once")]
fn once(#[state] text: &'static str) -> String {
    text.to_owned()
}

#[tokio::test]
async fn annotated_methods_are_served() {
    let server = Server::bind("127.0.0.1:0").await.unwrap();
    let address = server.local_addr().unwrap();
    let (ended, mut reasons) = mpsc::unbounded_channel();
    let router = Router::new()
        .controller(Room { ended })
        .controller(once { text: "one" });
    tokio::spawn(server.serve(router));

    let source = EventSource::new(format!("http://{address}/rooms/a%20b/events")).unwrap();
    let mut events = TypedEvents::<_, Chat>::new(source);
    let joined = Chat::Joined(User { name: "a b".into() });
    assert_eq!(events.next().await.unwrap().unwrap(), Typed::Known(joined));
    assert_eq!(
        events.next().await.unwrap().unwrap(),
        Typed::Known(Chat::Ping)
    );
    drop(events);
    assert_eq!(reasons.recv().await, Some(CloseReason::ClientWentAway));

    let mut source = EventSource::new(format!("http://{address}/once")).unwrap();
    assert_eq!(source.next().await.unwrap().unwrap().data(), "one");
}
