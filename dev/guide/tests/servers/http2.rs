//! The same over HTTP/2: one connection has many streams, each of which ends by itself.

use std::pin::Pin;

use hyper::{
    Request,
    body::{Body, Incoming},
    client::conn::http2::{self, SendRequest},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{net::TcpStream, time::timeout};

use crate::{
    app::{App, PATIENCE},
    run::{Running, hyper_on_tokio},
};

/// Opens one connection, for many requests.
async fn connect(server: &Running) -> SendRequest<String> {
    let socket = TcpStream::connect(server.address).await.unwrap();
    let (requests, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(socket))
        .await
        .unwrap();
    tokio::spawn(connection);
    requests
}

async fn get(requests: &mut SendRequest<String>, path: &str) -> Incoming {
    let request = Request::get(format!("http://a{path}")).body(String::new());
    let response = requests.send_request(request.unwrap()).await.unwrap();
    assert_eq!(response.status(), 200);
    response.into_body()
}

/// Returns the next events; `None` at the end. Where the machine is slow there are comments, too.
async fn next(body: &mut Incoming) -> Option<Result<String, hyper::Error>> {
    loop {
        let data = match next_data(body).await? {
            Ok(data) => data.replace(":\n", ""),
            error => return Some(error),
        };
        if !data.is_empty() {
            return Some(Ok(data));
        }
    }
}

/// Returns the next data; `None` at the end.
async fn next_data(body: &mut Incoming) -> Option<Result<String, hyper::Error>> {
    let frame = std::future::poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx));
    let frame = timeout(PATIENCE, frame).await.expect("data or an end")?;
    Some(frame.map(|frame| String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap()))
}

#[tokio::test]
async fn streams_of_one_connection_end_each_by_itself() {
    let app = App::new();
    let server = hyper_on_tokio(app.router()).await;
    let mut requests = connect(&server).await;
    let mut idle = Vec::new();
    for _ in 0..20 {
        let mut body = get(&mut requests, "/idle").await;
        assert_eq!(next(&mut body).await.unwrap().unwrap(), "data: first\n\n");
        idle.push(body);
    }
    assert_eq!(app.log.lines(), [""; 0]);
    idle.truncate(18);
    app.log.expect(&["/idle: the client went away"; 2]).await;

    // The client can tell an end from a failure, and receives everything before it.
    let mut ends = get(&mut requests, "/end").await;
    let mut text = String::new();
    while let Some(data) = next(&mut ends).await {
        text += &data.unwrap();
    }
    assert_eq!(text, "data: one\n\ndata: two\n\n");
    let mut fails = get(&mut requests, "/error").await;
    assert_eq!(next(&mut fails).await.unwrap().unwrap(), "data: before\n\n");
    assert!(next(&mut fails).await.unwrap().is_err());

    // An idle stream gets comments.
    let kept = &mut idle[0];
    let comments = next_data(kept).await.unwrap().unwrap();
    assert!(comments.starts_with(":\n"), "{comments}");

    (server.cut)();
    while let Some(data) = next_data(kept).await {
        if data.is_err() {
            break;
        }
    }
    let away = ["/idle: the client went away"; 2];
    let ended = [
        "/end: the stream ended",
        "/error: the stream failed: out of paper",
    ];
    let cut = ["/idle: the server was shut down"; 18];
    app.log.expect(&[&away[..], &ended, &cut].concat()).await;
}
