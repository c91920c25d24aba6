//! TLS configurations of servers and clients.

use std::sync::Arc;

use rustls::{
    ClientConfig, ConfigBuilder, ServerConfig, WantsVerifier, client::danger::ServerCertVerifier,
    crypto::CryptoProvider, server::WebPkiClientVerifier, sign::SingleCertAndKey,
};
use rustls_platform_verifier::Verifier;
use sse_core::internal::sync::OnceLock;

use super::{Certificates, Identity, TlsError};

/// The protocol to agree on ([RFC 7301](https://www.rfc-editor.org/rfc/rfc7301)).
const ALPN: &[u8] = b"http/1.1";

/// The certificate authorities that a client trusts.
///
/// ```no_run
/// use sse_driver::tls::{Certificates, Roots, client_config};
///
/// let authority = Certificates::from_pem_file("authority.pem")?;
/// let config = client_config(&Roots::Only(authority), None)?;
/// # Ok::<(), sse_driver::tls::TlsError>(())
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Roots {
    /// Those that the platform trusts.
    #[default]
    Platform,
    /// Those that the platform trusts, and these. Android's verifier accepts no others.
    #[cfg(not(target_os = "android"))]
    PlatformAnd(Certificates),
    /// Only these.
    Only(Certificates),
}

/// Creates the configuration of a server with the certificate of `identity`, which accepts any client.
///
/// A client that connects again resumes its session with a ticket that only this configuration can decrypt.
/// The keys change every 6 h, and the server keeps no sessions in memory. Servers that resume each other's
/// sessions need a [`ticketer`](ServerConfig::ticketer) of the application.
///
/// # Errors
///
/// [`TlsError::Config`] where rustls rejects the configuration.
pub fn server_config(identity: &Identity) -> Result<Arc<ServerConfig>, TlsError> {
    let config = versions(ServerConfig::builder_with_provider(provider()))?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(identity.certified_key())));
    finish_server(config)
}

/// Creates the configuration of a server with the certificate of `identity`, which accepts only clients
/// with a certificate that `authorities` have signed (mutual TLS). Other clients get an alert that says
/// so.
///
/// Sessions are resumed as with [`server_config`]: for at most 12 h, a client's certificate is not checked
/// again.
///
/// # Errors
///
/// [`TlsError::Config`] where rustls rejects the configuration.
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
    finish_server(config)
}

/// Creates the configuration of a client that trusts `roots`, and sends the certificate of `identity` to
/// servers that ask for one.
///
/// This may read the platform's certificate store: create one configuration and share it.
///
/// # Errors
///
/// [`TlsError::NoPlatformRoots`] where the platform's roots are wanted and it has none;
/// [`TlsError::Unreadable`] where it has some and they cannot be read now, such as without a free file
/// descriptor; [`TlsError::Config`] where rustls rejects the configuration.
pub fn client_config(
    roots: &Roots,
    identity: Option<&Identity>,
) -> Result<Arc<ClientConfig>, TlsError> {
    let builder = versions(ClientConfig::builder_with_provider(provider()))?;
    let builder = match roots {
        Roots::Only(certificates) => builder.with_root_certificates(certificates.roots()?),
        Roots::Platform => builder
            .dangerous() // Is any verifier except the one for given roots.
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

/// Returns the configuration of a client that trusts the platform's roots. It is created once and then
/// shared, so that connections can resume TLS sessions; after an error the next call tries again.
///
/// # Errors
///
/// The errors of [`client_config`].
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

/// Returns why the platform's certificates cannot be read, if they exist: the verifier only says that
/// there are none. A lack of file descriptors may pass.
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

/// Keeps sessions in the clients' tickets: a store in the server would bound how many clients can resume, and
/// after a loss of the network all of them connect at once.
fn finish_server(mut config: ServerConfig) -> Result<Arc<ServerConfig>, TlsError> {
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.ticketer = rustls::crypto::ring::Ticketer::new().map_err(TlsError::Config)?;
    Ok(Arc::new(config))
}
