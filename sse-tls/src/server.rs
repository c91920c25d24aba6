//! A server's configuration.

use std::{fs, path::Path, sync::Arc};

use rustls::ServerConfig;

use crate::{HTTP_1_1, TlsError, pem, provider};

/// A server's configuration from PEM: its certificate, followed by those that lead to its root, and
/// its private key (PKCS #8, PKCS #1 or SEC 1). Clients need no certificate.
///
/// # Errors
///
/// [`TlsError`] where `certificates` or `key` is not PEM or holds no such thing, and where they do
/// not belong together.
pub fn server_config(certificates: &[u8], key: &[u8]) -> Result<Arc<ServerConfig>, TlsError> {
    let certificates = pem::certificates("the certificates", certificates)?;
    let key = pem::private_key("the key", key)?;
    let unusable = |error| TlsError::Unusable {
        part: "certificate and key",
        error,
    };
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .map_err(unusable)?;
    config.alpn_protocols = vec![HTTP_1_1.to_vec()];
    Ok(Arc::new(config))
}

/// [`server_config`] from two PEM files, which may be the same one.
///
/// # Errors
///
/// As for [`server_config`], and where a file cannot be read.
pub fn server_config_from_files(
    certificates: impl AsRef<Path>,
    key: impl AsRef<Path>,
) -> Result<Arc<ServerConfig>, TlsError> {
    server_config(&read(certificates.as_ref())?, &read(key.as_ref())?)
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(path).map_err(|error| TlsError::File {
        path: path.to_owned(),
        error,
    })
}
