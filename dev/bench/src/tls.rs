//! TLS for the measured servers and clients: an identity that a program shares with the servers
//! that it starts, and tickets by which a session outlives its server.

use std::{
    env,
    sync::{Arc, OnceLock},
};

use ring::{
    aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    digest,
    rand::{SecureRandom, SystemRandom},
};
use sse_tokio::tls::{
    self, Certificates, Identity, Roots,
    rustls::{
        ClientConfig, ClientConnection, ServerConfig, client::Resumption, pki_types::ServerName,
        server::ProducesTickets,
    },
};

use crate::Result;

/// The environment variable with the identity of a server.
pub(crate) const IDENTITY: &str = "BENCH_IDENTITY";

/// The name in the certificate.
const NAME: &str = "localhost";

/// How connections begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handshakes {
    /// Without TLS.
    None,
    /// By a whole handshake each.
    Full,
    /// By the ticket of an earlier connection, if the client has one. All servers know its key.
    Resumed,
}

impl Handshakes {
    const ALL: [Self; 3] = [Self::None, Self::Full, Self::Resumed];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "plain",
            Self::Full => "tls",
            Self::Resumed => "tls-resumed",
        }
    }

    pub(crate) fn named(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|it| it.name() == name);
        found.ok_or_else(|| format!("there is no handshake {name}").into())
    }
}

/// Returns a certificate and its key: made at the first call, or received from the program that
/// started this one.
pub(crate) fn identity_pem() -> Result<&'static str> {
    static PEM: OnceLock<String> = OnceLock::new();
    if let Some(pem) = PEM.get() {
        return Ok(pem);
    }
    let pem = match env::var(IDENTITY) {
        Ok(pem) => pem,
        Err(_) => {
            let made = rcgen::generate_simple_self_signed([NAME.to_owned()])?;
            made.cert.pem() + "\n" + &made.signing_key.serialize_pem()
        }
    };
    Ok(PEM.get_or_init(|| pem))
}

pub(crate) fn server_config(handshakes: Handshakes) -> Result<Option<Arc<ServerConfig>>> {
    if handshakes == Handshakes::None {
        return Ok(None);
    }
    let pem = identity_pem()?.as_bytes();
    let mut config = tls::server_config(&Identity::from_pem(pem, pem)?)?;
    if handshakes == Handshakes::Resumed {
        let key = digest::digest(&digest::SHA256, pem);
        let key = UnboundKey::new(&CHACHA20_POLY1305, key.as_ref());
        let key = LessSafeKey::new(key.map_err(|_| "no key")?);
        Arc::make_mut(&mut config).ticketer = Arc::new(SharedTickets(key));
    }
    Ok(Some(config))
}

/// Returns the configuration of one client. Each client has its own tickets; the store of a
/// configuration keeps 8.
pub(crate) fn client_config(handshakes: Handshakes) -> Result<Option<Arc<ClientConfig>>> {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    if handshakes == Handshakes::None {
        return Ok(None);
    }
    let config = match CONFIG.get() {
        Some(config) => config,
        None => {
            let roots = Roots::Only(Certificates::from_pem(identity_pem()?.as_bytes())?);
            let config = tls::client_config(&roots, None)?;
            CONFIG.get_or_init(|| config)
        }
    };
    let mut config = (**config).clone();
    config.resumption = match handshakes {
        Handshakes::Resumed => Resumption::in_memory_sessions(1),
        _ => Resumption::disabled(),
    };
    Ok(Some(Arc::new(config)))
}

/// Returns the client's end of a connection.
pub(crate) fn client(config: &Arc<ClientConfig>) -> Result<Box<ClientConnection>> {
    let name = ServerName::try_from(NAME)?;
    Ok(Box::new(ClientConnection::new(config.clone(), name)?))
}

/// Makes tickets with a key that several servers know: a nonce, and the session sealed with it.
#[derive(Debug)]
struct SharedTickets(LessSafeKey);

impl ProducesTickets for SharedTickets {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        60 * 60
    }

    fn encrypt(&self, session: &[u8]) -> Option<Vec<u8>> {
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).ok()?;
        let mut sealed = session.to_vec();
        let unique = Nonce::assume_unique_for_key(nonce);
        self.0
            .seal_in_place_append_tag(unique, Aad::empty(), &mut sealed)
            .ok()?;
        Some([&nonce, sealed.as_slice()].concat())
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = ticket.split_first_chunk::<NONCE_LEN>()?;
        let mut sealed = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let session = self.0.open_in_place(nonce, Aad::empty(), &mut sealed);
        Some(session.ok()?.to_vec())
    }
}
