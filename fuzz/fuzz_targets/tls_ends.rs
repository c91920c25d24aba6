//! The configurations of two ends of TLS. Nothing in them is drawn at random or depends on the time, so that
//! an input does the same in every run. The keys are no secret; signatures, their verification and the
//! encryption of records are real.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use rcgen::{CertificateParams, KeyPair};
use rustls::{
    ClientConfig, Error, NamedGroup, PeerMisbehaved, RootCertStore, ServerConfig,
    SupportedProtocolVersion,
    client::Resumption,
    crypto::{
        ActiveKeyExchange, CryptoProvider, GetRandomFailed, SecureRandom, SharedSecret,
        SupportedKxGroup, ring::default_provider,
    },
    pki_types::{CertificateDer, PrivatePkcs8KeyDer, UnixTime},
    server::{NoServerSessionStorage, ProducesTickets},
    time_provider::TimeProvider,
    version::{TLS12, TLS13},
};

/// The server's name.
pub const NAME: &str = "localhost";

/// The beginning of an Ed25519 key ([RFC 8410](https://www.rfc-editor.org/rfc/rfc8410#section-7)), whose
/// signatures need no random bytes.
const KEY: &[u8] = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";

/// The key of each end for one connection.
const SHARE: [u8; 32] = [9; 32];

pub struct Ends {
    client: ClientConfig,
    pub server: Arc<ServerConfig>,
}

/// A client that speaks TLS 1.2, and one that speaks TLS 1.3 as well, each with a server that speaks both.
pub static ENDS: LazyLock<[Ends; 2]> =
    LazyLock::new(|| [Ends::new(&[&TLS12]), Ends::new(&[&TLS13, &TLS12])]);

impl Ends {
    fn new(versions: &[&'static SupportedProtocolVersion]) -> Self {
        let key = PrivatePkcs8KeyDer::from([KEY, &[7; 32]].concat());
        let pair = KeyPair::try_from(&key).unwrap();
        let certificate = CertificateParams::new([NAME.to_owned()]).unwrap();
        let certificate: CertificateDer<'static> = certificate.self_signed(&pair).unwrap().into();
        let mut roots = RootCertStore::empty();
        roots.add(certificate.clone()).unwrap();
        let provider = Arc::new(CryptoProvider {
            kx_groups: vec![&Fixed],
            secure_random: &Fixed,
            ..default_provider()
        });
        let client = ClientConfig::builder_with_details(provider.clone(), Arc::new(Fixed))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut server = ServerConfig::builder_with_details(provider, Arc::new(Fixed))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key.into())
            .unwrap();
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.ticketer = Arc::new(Fixed);
        let server = Arc::new(server);
        Self { client, server }
    }

    /// Returns the configuration of a client that has had no connection.
    pub fn client(&self) -> Arc<ClientConfig> {
        let mut client = self.client.clone();
        client.resumption = Resumption::in_memory_sessions(4);
        Arc::new(client)
    }
}

/// What is drawn at random or depends on the time elsewhere.
#[derive(Debug)]
struct Fixed;

impl SecureRandom for Fixed {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), GetRandomFailed> {
        bytes.fill(5);
        Ok(())
    }
}

impl TimeProvider for Fixed {
    fn current_time(&self) -> Option<UnixTime> {
        let now = Duration::from_secs(1_800_000_000);
        Some(UnixTime::since_unix_epoch(now))
    }
}

impl SupportedKxGroup for Fixed {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        Ok(Box::new(Self))
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

impl ActiveKeyExchange for Fixed {
    /// Both ends get the share of the other one, which is the same where no attacker has changed it.
    fn complete(self: Box<Self>, share: &[u8]) -> Result<SharedSecret, Error> {
        match share.len() == SHARE.len() {
            true => Ok(share.into()),
            false => Err(PeerMisbehaved::InvalidKeyShare.into()),
        }
    }

    fn pub_key(&self) -> &[u8] {
        &SHARE
    }

    fn group(&self) -> NamedGroup {
        self.name()
    }
}

impl ProducesTickets for Fixed {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        3_600
    }

    fn encrypt(&self, plain: &[u8]) -> Option<Vec<u8>> {
        Some(plain.to_vec())
    }

    fn decrypt(&self, ticket: &[u8]) -> Option<Vec<u8>> {
        Some(ticket.to_vec())
    }
}
