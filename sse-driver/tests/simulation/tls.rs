//! TLS, with the same keys in each run, so that the sent bytes have the same lengths.

use std::sync::{Arc, LazyLock};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, PKCS_ED25519, SerialNumber,
};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::ring::default_provider,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};

/// The beginning of an Ed25519 key in PKCS #8 (RFC 8410); 32 bytes follow.
const PKCS8: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

struct Configs {
    server: Arc<ServerConfig>,
    client: Arc<ClientConfig>,
}

static CONFIGS: LazyLock<Configs> = LazyLock::new(configs);

fn key(byte: u8) -> Vec<u8> {
    PKCS8.into_iter().chain([byte; 32]).collect()
}

fn key_pair(byte: u8) -> KeyPair {
    let key = PrivatePkcs8KeyDer::from(key(byte));
    KeyPair::from_pkcs8_der_and_sign_algo(&key, &PKCS_ED25519).expect("a key")
}

fn configs() -> Configs {
    let mut params = CertificateParams::new([]).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.serial_number = Some(SerialNumber::from(1));
    let issuer = CertifiedIssuer::self_signed(params, key_pair(1)).expect("an issuer");
    let mut params = CertificateParams::new([crate::NAME.to_owned()]).expect("parameters");
    params.serial_number = Some(SerialNumber::from(2));
    let certificate = params.signed_by(&key_pair(2), &issuer).expect("signed");

    let server = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::Pkcs8(key(2).into()),
        );
    let mut roots = RootCertStore::empty();
    roots.add(issuer.der().clone()).expect("a root");
    let client = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Configs {
        server: Arc::new(server.expect("a certificate with its key")),
        client: Arc::new(client),
    }
}

pub fn server_config() -> Arc<ServerConfig> {
    // Sessions are not resumed: a ticket of one world would change the next one.
    let mut config = ServerConfig::clone(&CONFIGS.server);
    config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Arc::new(config)
}

pub fn client_config() -> Arc<ClientConfig> {
    let mut config = ClientConfig::clone(&CONFIGS.client);
    config.resumption = rustls::client::Resumption::disabled();
    Arc::new(config)
}
