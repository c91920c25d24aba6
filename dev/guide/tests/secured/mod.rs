//! hyper with TLS, for HTTP/2 and HTTP/1.1.

use std::{convert::Infallible, net::SocketAddr, sync::Arc};

use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use sse_tokio::{
    Embedding, Router,
    tls::{Identity, server_config},
};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A running server.
pub struct Secured {
    pub address: SocketAddr,
    /// Its certificate, for `localhost`, as PEM.
    #[allow(dead_code)] // a browser takes any
    pub certificate: String,
}

/// Serves `router` under a certificate for `localhost`, over these protocols.
pub async fn serve(embedding: Embedding, router: Router, protocols: &[&[u8]]) -> Secured {
    let certified = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (certified.cert.pem(), certified.signing_key.serialize_pem());
    let identity = Identity::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap();
    let mut config = server_config(&identity).unwrap();
    let protocols = protocols.iter().map(|protocol| protocol.to_vec());
    Arc::make_mut(&mut config).alpn_protocols = protocols.collect();

    let acceptor = TlsAcceptor::from(config);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let routes = Arc::new(router.build().unwrap());
    tokio::spawn(async move {
        while let Ok((socket, peer)) = listener.accept().await {
            let (embedding, routes) = (embedding.clone(), routes.clone());
            let service = service_fn(move |request: hyper::Request<Incoming>| {
                let answer = embedding.route(&routes, request, Some(peer));
                async { Ok::<_, Infallible>(answer.await) }
            });
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(socket) = acceptor.accept(socket).await else {
                    return;
                };
                let mut builder = auto::Builder::new(TokioExecutor::new());
                builder.http1().timer(TokioTimer::new());
                builder.http2().timer(TokioTimer::new());
                let _ = builder
                    .serve_connection(TokioIo::new(socket), service)
                    .await;
            });
        }
    });
    Secured {
        address,
        certificate,
    }
}
