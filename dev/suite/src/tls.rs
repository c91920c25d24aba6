//! TLS: the adapter's server and its event source, and peers that do not fit.

use std::{
    net::SocketAddr,
    sync::{Arc, mpsc},
    time::Duration,
};

use futures_util::{StreamExt, stream};
use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use sse_core::client::{self, ClientEvent, Loss};
use sse_driver::tls::{
    Certificates, Identity, Roots, client_config, mutual_server_config,
    rustls::{self, ClientConfig, ServerConfig},
    server_config,
};
use sse_driver::{
    self as driver,
    router::{Request, Router},
};

use crate::{
    Adapter, EventSource, PATIENCE, patiently,
    running::{Running, start_set_up},
};

/// An authority that signs certificates.
#[derive(Debug)]
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    /// Returns the authority's own certificate.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// Returns a certificate for this host, and its key.
    pub fn certify(&self, host: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([host.to_owned()]).unwrap();
        // With the authority's own name the certificate would look self-signed.
        let name = &mut params.distinguished_name;
        name.push(rcgen::DnType::CommonName, host);
        let certificate = params.signed_by(&key, &self.0).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    pub fn identify(&self, host: &str) -> Identity {
        let (certificate, key) = self.certify(host);
        Identity::from_pem(certificate.as_bytes(), key.as_bytes()).unwrap()
    }

    pub(crate) fn server(&self, host: &str) -> Arc<ServerConfig> {
        server_config(&self.identify(host)).unwrap()
    }

    fn certificates(&self) -> Certificates {
        Certificates::from_pem(self.0.pem().as_bytes()).unwrap()
    }

    /// Returns the configuration of a client that trusts the authority.
    pub fn client(&self) -> Arc<ClientConfig> {
        self.client_known_as(None)
    }

    pub fn client_known_as(&self, identity: Option<&Identity>) -> Arc<ClientConfig> {
        client_config(&Roots::Only(self.certificates()), identity).unwrap()
    }
}

pub(crate) fn start<A: Adapter>(tls: Arc<ServerConfig>, router: Router) -> Running {
    start_with::<A>(tls, driver::ServerConfig::default(), router)
}

fn start_with<A: Adapter>(
    tls: Arc<ServerConfig>,
    config: driver::ServerConfig,
    router: Router,
) -> Running {
    start_set_up::<A>("127.0.0.1:0".into(), router, move |server| {
        server.with_config(config).with_tls(tls)
    })
}

pub(crate) fn hello() -> Router {
    Router::new().events("/", |_| stream::iter(["hello"]).chain(stream::pending()))
}

pub(crate) fn subscribe<A: Adapter>(
    address: SocketAddr,
    host: &str,
    tls: Arc<ClientConfig>,
) -> EventSource<A> {
    let url = format!("https://{host}:{}/", address.port());
    let config = client::EventSourceConfig::default();
    EventSource::<A>::with_config(url, config)
        .unwrap()
        .with_tls(tls)
}

pub(crate) async fn next_data<A: Adapter>(source: &mut EventSource<A>) -> String {
    let event = patiently::<A, _>(source.next()).await;
    event.unwrap().unwrap().data().to_owned()
}

/// Returns the reason that there is no connection.
async fn loss<A: Adapter>(mut source: EventSource<A>) -> Loss {
    loop {
        match patiently::<A, _>(source.next_update()).await {
            Some(ClientEvent::Lost { loss, .. }) => {
                assert!(matches!(loss, Loss::Transport(_)), "{loss:?}");
                return loss;
            }
            Some(_) => {}
            None => panic!("it ended"),
        }
    }
}

pub fn events_get_through_tls_and_so_does_going_away<A: Adapter>() {
    let authority = Authority::new();
    let (told, hears) = mpsc::channel();
    let large = "x".repeat(300_000);
    let router = Router::new().events("/", {
        let large = large.clone();
        move |request: Request| {
            let told = told.clone();
            let clean_up = request.clean_up();
            clean_up.add(move |reason| told.send(reason.to_string()).unwrap());
            stream::iter(["hello".to_owned(), large.clone()]).chain(stream::pending())
        }
    });
    let server = start::<A>(authority.server("localhost"), router);
    A::block_on(async {
        let mut source = subscribe::<A>(server.address, "localhost", authority.client());
        assert_eq!(next_data::<A>(&mut source).await, "hello");
        assert_eq!(next_data::<A>(&mut source).await, large);
        drop(source);
    });
    let reason = hears.recv_timeout(PATIENCE);
    assert_eq!(reason.as_deref(), Ok("the client went away"));
}

pub fn a_stream_that_ends_properly_ends_properly_over_tls<A: Adapter>() {
    let authority = Authority::new();
    let router = Router::new().events("/", |_| stream::iter(["only"]));
    let server = start::<A>(authority.server("127.0.0.1"), router);
    A::block_on(async {
        let url = format!("https://{}/", server.address);
        let mut config = client::EventSourceConfig::default();
        config.reconnection = None;
        let mut source = EventSource::<A>::with_config(url, config)
            .unwrap()
            .with_tls(authority.client());
        assert_eq!(next_data::<A>(&mut source).await, "only");
        assert!(patiently::<A, _>(source.next()).await.is_none());
    });
}

pub fn the_issuer_and_the_name_of_a_certificate_are_checked<A: Adapter>() {
    let (authority, other) = (Authority::new(), Authority::new());
    let server = start::<A>(authority.server("localhost"), hello());
    A::block_on(async {
        let unknown = subscribe::<A>(server.address, "localhost", other.client());
        let loss = loss::<A>(unknown).await;
        let text = loss.to_string();
        assert!(text.contains("invalid peer certificate: "), "{text}");
        // A program can recognise the fault without reading the text.
        let fault = loss.cause();
        assert!(matches!(fault, Some(rustls::Error::InvalidCertificate(_))));

        let wrong_name = subscribe::<A>(server.address, "127.0.0.1", authority.client());
        let text = self::loss::<A>(wrong_name).await.to_string();
        assert!(text.contains("not valid for name"), "{text}");

        // Other clients are not affected.
        let mut good = subscribe::<A>(server.address, "localhost", authority.client());
        assert_eq!(next_data::<A>(&mut good).await, "hello");
    });
}

pub fn a_server_may_ask_for_a_certificate<A: Adapter>() {
    let authority = Authority::new();
    let identity = authority.identify("localhost");
    let config = mutual_server_config(&identity, &authority.certificates()).unwrap();
    let server = start::<A>(config, hello());
    A::block_on(async {
        let anonymous = subscribe::<A>(server.address, "localhost", authority.client());
        let text = loss::<A>(anonymous).await.to_string();
        assert!(text.contains("CertificateRequired"), "{text}");

        let known = authority.identify("client.example");
        let known = authority.client_known_as(Some(&known));
        let mut known = subscribe::<A>(server.address, "localhost", known);
        assert_eq!(next_data::<A>(&mut known).await, "hello");
    });
}

pub fn a_client_that_does_not_speak_tls_is_cut<A: Adapter>() {
    let authority = Authority::new();
    let server = start::<A>(authority.server("localhost"), hello());
    // A plain request gets an alert and the end of the connection.
    let answer = server.get("/").answer_rest_bytes();
    assert!(answer.starts_with(&[21, 3]), "{answer:?}");
    server.empty();
    // A client that is silent meets the deadline for the head.
    let mut config = driver::ServerConfig::default();
    config.connection.head_timeout = Duration::from_millis(300);
    let hasty = start_with::<A>(authority.server("localhost"), config, hello());
    assert!(hasty.connect().answer_rest_bytes().is_empty());
    hasty.empty();
    A::block_on(async {
        let mut good = subscribe::<A>(server.address, "localhost", authority.client());
        assert_eq!(next_data::<A>(&mut good).await, "hello");
    });
}

pub fn a_server_that_speaks_http_2_only_is_a_failure_that_says_so<A: Adapter>() {
    let authority = Authority::new();
    let mut config = authority.server("localhost");
    // The server would leave `h2` out. Any other protocol leads to the same alert.
    Arc::make_mut(&mut config).alpn_protocols = vec![b"h3".to_vec()];
    let server = start::<A>(config, hello());
    A::block_on(async {
        let mut source = subscribe::<A>(server.address, "localhost", authority.client());
        let error = patiently::<A, _>(source.opened()).await.unwrap_err();
        assert!(error.to_string().contains("HTTP/2"), "{error}");
    });
}
