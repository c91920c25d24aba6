//! A certificate authority for one test, and the configurations for it.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion, crypto::CryptoProvider,
    pki_types::PrivateKeyDer, version,
};

/// The name of the servers.
pub const NAME: &str = "sim.test";

pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    versions: &'static [&'static SupportedProtocolVersion],
}

impl Authority {
    pub fn new() -> Self {
        Self::named("Sim's authority")
    }

    pub fn named(name: &str) -> Self {
        static LATEST: &[&SupportedProtocolVersion] = &[&version::TLS13];
        Self::with(LATEST, name)
    }

    pub fn with(versions: &'static [&'static SupportedProtocolVersion], name: &str) -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { issuer, versions }
    }

    /// Returns the configuration of a server with the name [`NAME`].
    pub fn server_config(&self) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([NAME.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(self.versions)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::Pkcs8(key.serialize_der().into()),
            );
        Arc::new(config.unwrap())
    }

    /// Returns the configuration of a server whose certificate is that of an authority, and of a client that
    /// trusts it: what `openssl req -x509` makes.
    pub fn of_its_own() -> (Arc<ServerConfig>, Arc<ClientConfig>) {
        let mut params = CertificateParams::new([NAME.to_owned()]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let private = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let issuer = CertifiedIssuer::self_signed(params, key).unwrap();
        let authority = Self {
            issuer,
            ..Self::new()
        };
        let config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(authority.versions)
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![authority.issuer.der().clone()], private);
        (Arc::new(config.unwrap()), authority.client_config())
    }

    /// Returns the configuration of a client that trusts this authority.
    pub fn client_config(&self) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        let config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(self.versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Arc::new(config)
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
