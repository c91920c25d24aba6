//! https, with the certificate of a file or one of this run.

use std::sync::Arc;

use super::Failure;
use crate::on::adapter::tls::{self, Identity, rustls};

/// Where the server's certificate comes from.
#[derive(Debug)]
pub(super) enum Tls {
    /// It is made at the start, and no browser knows its authority.
    SelfSigned,
    /// The files of a certificate and its key, in PEM.
    Files { cert: String, key: String },
}

impl Tls {
    pub(super) fn config(self) -> Result<Arc<rustls::ServerConfig>, Failure> {
        let identity = match self {
            Self::SelfSigned => {
                let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
                let own = rcgen::generate_simple_self_signed(names)?;
                let key = own.signing_key.serialize_pem();
                Identity::from_pem(own.cert.pem().as_bytes(), key.as_bytes())?
            }
            Self::Files { cert, key } => Identity::from_pem_files(cert, key)?,
        };
        Ok(tls::server_config(&identity)?)
    }
}
