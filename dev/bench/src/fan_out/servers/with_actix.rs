//! actix-web: `Sse` of actix-web-lab over a channel for each client, as the project's own example of
//! a broadcaster has it.

use std::sync::{Arc, Mutex, PoisonError};

use actix_web::{App, HttpServer, web};
use actix_web_lab::sse;
use futures_util::{StreamExt, stream};
use tokio::sync::mpsc;

use super::{data, tokio_control};
use crate::{
    Result,
    control::{id, obey},
};

/// The number of events that a client's channel holds. The 10 of the example would lose most of a
/// backlog.
const CAPACITY: usize = 128;

type Clients = Arc<Mutex<Vec<mpsc::Sender<sse::Event>>>>;

pub(crate) fn serve(control: &str) -> Result<()> {
    let control = control.to_owned();
    actix_web::rt::System::new().block_on(async move {
        let clients = Clients::default();
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        rustix::net::listen(&listener, 1024)?;
        let port = listener.local_addr()?.port();
        HttpServer::new(move || {
            // This runs on the worker's thread; there is one worker.
            actix_web::rt::spawn(publish(control.clone(), port, clients.clone()));
            App::new()
                .app_data(web::Data::from(clients.clone()))
                .route("/events", web::get().to(subscribe))
                .route("/first", web::get().to(first))
        })
        .workers(1)
        .listen(listener)?
        .run()
        .await?;
        Ok(())
    })
}

async fn subscribe(
    clients: web::Data<Mutex<Vec<mpsc::Sender<sse::Event>>>>,
) -> impl actix_web::Responder {
    let (sender, receiver) = mpsc::channel(CAPACITY);
    clients
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(sender);
    sse::Sse::from_infallible_receiver(receiver)
}

/// A stream with one event.
async fn first() -> impl actix_web::Responder {
    let event = sse::Data::new(data()).id(id(10_000)).into();
    sse::Sse::from_infallible_stream(stream::iter([event]).chain(stream::pending()))
}

async fn publish(control: String, port: u16, clients: Clients) {
    let Ok(control) = tokio_control(&control).await else {
        std::process::exit(1);
    };
    let (data, mut sequence) = (data(), 10_000);
    let publish = |events| {
        let clients = clients.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..events {
            sequence += 1;
            let event = sse::Data::new(&*data).id(id(sequence));
            for client in &*clients {
                // This fails for a client that has left.
                let _ = client.try_send(event.clone().into());
            }
        }
    };
    let _ = obey(control, port, publish).await;
    std::process::exit(0);
}
