//! Configurations for servers and clients.

use std::sync::Arc;

use rustls::{
    ClientConfig, ConfigBuilder, ServerConfig, WantsVerifier, client::danger::ServerCertVerifier,
    crypto::CryptoProvider, server::WebPkiClientVerifier, sign::SingleCertAndKey,
};
use rustls_platform_verifier::Verifier;
use sse_core::internal::sync::OnceLock;

use super::{Certificates, Identity, TlsError};

/// The protocol that is agreed on ([RFC 7301](https://www.rfc-editor.org/rfc/rfc7301)).
const ALPN: &[u8] = b"http/1.1";

/// The certificate authorities that a client trusts.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Roots {
    /// Whom the platform trusts.
    #[default]
    Platform,
    /// Whom the platform trusts, and these. Android's verifier takes no others.
    #[cfg(not(target_os = "android"))]
    PlatformAnd(Certificates),
    /// These alone.
    Only(Certificates),
}

/// Of a server that shows `identity`, and takes any client.
///
/// # Errors
///
/// [`TlsError::Config`] if rustls refuses to make it.
pub fn server_config(identity: &Identity) -> Result<Arc<ServerConfig>, TlsError> {
    let config = versions(ServerConfig::builder_with_provider(provider()))?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(identity.certified_key())));
    Ok(with_alpn_server(config))
}

/// Of a server that shows `identity`, and takes only clients that show a certificate which
/// `authorities` vouch for (mutual TLS). Others fail with an alert that says so.
///
/// # Errors
///
/// [`TlsError::Config`] if rustls refuses to make it.
pub fn mutual_server_config(
    identity: &Identity,
    authorities: &Certificates,
) -> Result<Arc<ServerConfig>, TlsError> {
    let verifier = WebPkiClientVerifier::builder_with_provider(authorities.roots()?, provider())
        .build()
        .map_err(|error| TlsError::Config(rustls::Error::General(error.to_string())))?;
    let config = versions(ServerConfig::builder_with_provider(provider()))?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(identity.certified_key())));
    Ok(with_alpn_server(config))
}

/// Of a client that trusts `roots`, and shows `identity` to servers that ask who it is.
///
/// This may read the platform's certificate store: make one configuration and share it.
///
/// # Errors
///
/// [`TlsError::NoPlatformRoots`] where the platform's roots are wanted and it has none;
/// [`TlsError::Unreadable`] where it has some and they cannot be read now, as without a free file
/// descriptor; [`TlsError::Config`] if rustls refuses to make it.
pub fn client_config(
    roots: &Roots,
    identity: Option<&Identity>,
) -> Result<Arc<ClientConfig>, TlsError> {
    let builder = versions(ClientConfig::builder_with_provider(provider()))?;
    let builder = match roots {
        Roots::Only(certificates) => builder.with_root_certificates(certificates.roots()?),
        Roots::Platform => builder
            .dangerous() // is any verifier but the one for given roots
            .with_custom_certificate_verifier(platform(Verifier::new(provider()))?),
        #[cfg(not(target_os = "android"))]
        Roots::PlatformAnd(certificates) => {
            let extra = certificates.der().iter().cloned();
            builder
                .dangerous()
                .with_custom_certificate_verifier(platform(Verifier::new_with_extra_roots(
                    extra,
                    provider(),
                ))?)
        }
    };
    let mut config = match identity {
        Some(identity) => builder
            .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity.certified_key()))),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![ALPN.to_vec()];
    Ok(Arc::new(config))
}

/// Of a client that trusts whom the platform trusts. It is made once and then shared, so that
/// connections can resume TLS sessions; after an error the next call tries again.
///
/// # Errors
///
/// Those of [`client_config`].
pub fn platform_client_config() -> Result<Arc<ClientConfig>, TlsError> {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    match CONFIG.get() {
        Some(config) => Ok(config.clone()),
        None => {
            let config = client_config(&Roots::Platform, None)?;
            Ok(CONFIG.get_or_init(|| config).clone())
        }
    }
}

pub(crate) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    PROVIDER
        .get_or_init(|| Arc::new(rustls::crypto::ring::default_provider()))
        .clone()
}

fn versions<S: rustls::ConfigSide>(
    builder: ConfigBuilder<S, rustls::WantsVersions>,
) -> Result<ConfigBuilder<S, WantsVerifier>, TlsError> {
    builder
        .with_safe_default_protocol_versions()
        .map_err(TlsError::Config)
}

fn platform(
    verifier: Result<Verifier, rustls::Error>,
) -> Result<Arc<dyn ServerCertVerifier>, TlsError> {
    match verifier {
        Ok(verifier) => Ok(Arc::new(verifier)),
        Err(error) => Err(unreadable_store().unwrap_or(TlsError::NoPlatformRoots(error))),
    }
}

/// Why the platform's certificates cannot be read, where they are there: the verifier says only that
/// there are none. Too few file descriptors are a reason that passes.
#[cfg(all(unix, not(target_os = "android"), not(target_vendor = "apple")))]
fn unreadable_store() -> Option<TlsError> {
    use rustls_native_certs::{ErrorKind, load_native_certs};

    let errors = load_native_certs().errors.into_iter();
    errors
        .filter_map(|error| match error.kind {
            ErrorKind::Io { inner, path } => Some((path, inner)),
            _ => None,
        })
        .find(|(_, error)| error.kind() != std::io::ErrorKind::NotFound)
        .map(|(path, error)| TlsError::Unreadable(path, error))
}

#[cfg(not(all(unix, not(target_os = "android"), not(target_vendor = "apple"))))]
fn unreadable_store() -> Option<TlsError> {
    None
}

fn with_alpn_server(mut config: ServerConfig) -> Arc<ServerConfig> {
    config.alpn_protocols = vec![ALPN.to_vec()];
    Arc::new(config)
}
