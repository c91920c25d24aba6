//! What can be wrong with PEM, and that the error says where.

use std::{env, fs, path::PathBuf, process};

use sse_driver::tls::{Certificates, Identity, Source, TlsError};

use crate::issuer::Issuer;

/// A directory of its own for each test, gone at the end.
struct Files(PathBuf);

impl Files {
    fn new(test: &str) -> Self {
        let directory = env::temp_dir().join(format!("sse-tls-{}-{test}", process::id()));
        fs::create_dir_all(&directory).unwrap();
        Self(directory)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let file = self.0.join(name);
        fs::write(&file, content).unwrap();
        file
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn an_identity_may_be_in_two_files_or_in_one() {
    let files = Files::new("one");
    let (chain, key) = Issuer::new("any").issue("events.test");
    let both = files.write("both.pem", format!("{key}{chain}"));
    Identity::from_pem_files(&both, &both).unwrap();
    let chain = files.write("chain.pem", chain);
    let key = files.write("key.pem", key);
    let identity = Identity::from_pem_files(chain, key).unwrap();
    assert_eq!(format!("{identity:?}"), "Identity { certificates: 1, .. }");
}

#[test]
fn the_error_names_the_file_and_what_is_wrong_with_it() {
    let files = Files::new("wrong");
    let issuer = Issuer::new("any");
    let (chain_text, key_text) = issuer.issue("events.test");
    let chain = files.write("chain.pem", &chain_text);
    let key = files.write("key.pem", &key_text);
    let other = files.write("other-key.pem", issuer.issue("events.test").1);
    let empty = files.write("empty.pem", "");
    let binary = files.write("binary", [0, 159, 146, 150]);
    let cut = files.write("cut.pem", &chain_text[..chain_text.len() / 2]);
    let no_key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let no_key = files.write("no-key.pem", no_key);
    let no_certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let no_certificate = files.write("no-certificate.pem", no_certificate);
    let missing = files.0.join("missing.pem");
    let encrypted = key_text.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY");
    let encrypted = files.write("encrypted.pem", encrypted);

    let cases = [
        (&chain, &missing, "missing.pem", "cannot read"),
        (&missing, &key, "missing.pem", "cannot read"),
        (&empty, &key, "empty.pem", "no certificate in"),
        (&binary, &key, "binary", "no certificate in"),
        // The two mixed up.
        (&key, &chain, "key.pem", "no certificate in"),
        (&chain, &chain, "chain.pem", "no private key in"),
        (&chain, &encrypted, "encrypted.pem", "is not encrypted"),
        (&cut, &key, "cut.pem", "is not valid PEM"),
        (&chain, &no_key, "no-key.pem", "cannot be used"),
        (
            &no_certificate,
            &key,
            "no-certificate.pem",
            "cannot be used",
        ),
        (&chain, &other, "other-key.pem", "is not that of the first"),
        (&chain, &other, "chain.pem", "is not that of the first"),
    ];
    for (chain, key, file, what) in cases {
        let error = Identity::from_pem_files(chain, key).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains(file) && text.contains(what),
            "{error:?}: {text}"
        );
    }

    for (file, what) in [
        (&missing, "cannot read"),
        (&key, "no certificate in"),
        (&cut, "is not valid PEM"),
        (&no_certificate, "cannot be used"),
    ] {
        let text = Certificates::from_pem_file(file).unwrap_err().to_string();
        let name = file.file_name().unwrap().to_str().unwrap();
        assert!(text.contains(name) && text.contains(what), "{text}");
    }
}

#[test]
fn bytes_are_called_what_they_are() {
    let (chain, _) = Issuer::new("any").issue("events.test");
    let error = Identity::from_pem(chain.as_bytes(), b"").unwrap_err();
    assert!(matches!(&error, TlsError::NoKey(Source::Bytes)));
    assert!(
        error
            .to_string()
            .starts_with("no private key in the given PEM")
    );
}
