//! With and without certificates on the platform. The environment says where they are, and each
//! case needs its own: it is a process of its own, which runs one test of this program again.

use std::{
    env, fs, io,
    path::Path,
    process::{self, Command},
    sync::Arc,
};

use rlimit::Resource;
use sse_driver::tls::{
    Certificates, Roots, TlsError, client_config, platform_client_config, server_config,
};

use crate::{
    handshakes::{NAME, handshake, identity},
    issuer::Issuer,
};

/// Whether this is the process in which `test` is to happen. If not, there has been one.
fn in_a_process_with_store(test: &str, store: &Path) -> bool {
    const MARK: &str = "SSE_TLS_TEST";
    if env::var_os(MARK).is_some() {
        return true;
    }
    let status = Command::new(env::current_exe().unwrap())
        .args(["--exact", test])
        .env(MARK, "1")
        .env("SSL_CERT_FILE", store)
        .env_remove("SSL_CERT_DIR")
        .status();
    assert!(status.unwrap().success());
    false
}

fn given() -> Certificates {
    Certificates::from_pem(Issuer::new("given").pem().as_bytes()).unwrap()
}

#[test]
fn a_platform_without_certificates_is_an_error_that_says_what_to_do() {
    let test = "platform::a_platform_without_certificates_is_an_error_that_says_what_to_do";
    if in_a_process_with_store(test, Path::new("/there/is/none")) {
        for _ in 0..2 {
            let error = platform_client_config().unwrap_err();
            assert!(matches!(error, TlsError::NoPlatformRoots(_)));
            let text = error.to_string();
            assert!(text.contains("ca-certificates") && text.contains("SSL_CERT_FILE"));
            // There will be none the next time either: a client need not try again.
            assert_eq!(io::Error::from(error).kind(), io::ErrorKind::Unsupported);
        }
        // It is missed only where it is needed.
        client_config(&Roots::Only(given()), None).unwrap();
        client_config(&Roots::PlatformAnd(given()), None).unwrap();
    }
}

#[test]
fn the_platforms_roots_are_trusted() {
    let test = "platform::the_platforms_roots_are_trusted";
    let store = env::temp_dir().join(format!("sse-tls-store-{}.pem", process::id()));
    if in_a_process_with_store(test, &store) {
        // The process to which this store was named fills it.
        let store = env::var_os("SSL_CERT_FILE").unwrap();
        let issuer = Issuer::new("the platform's");
        fs::write(&store, issuer.pem()).unwrap();
        let client = platform_client_config().unwrap();
        assert!(Arc::ptr_eq(&client, &platform_client_config().unwrap()));
        let both = client_config(&Roots::PlatformAnd(given()), None).unwrap();
        fs::remove_file(store).unwrap();

        for client in [client, both] {
            let server = server_config(&identity(&issuer, NAME)).unwrap();
            let (_, client_says, _) = handshake(client.clone(), server);
            client_says.unwrap();
            let stranger = Issuer::new("a stranger");
            let server = server_config(&identity(&stranger, NAME)).unwrap();
            let (_, client_says, _) = handshake(client, server);
            client_says.unwrap_err();
        }
    }
}

/// A client that has no file descriptor left tries again later.
#[test]
fn certificates_that_cannot_be_read_now_may_be_read_later() {
    let test = "platform::certificates_that_cannot_be_read_now_may_be_read_later";
    let store = env::temp_dir().join(format!("sse-tls-later-{}.pem", process::id()));
    if in_a_process_with_store(test, &store) {
        let store = env::var_os("SSL_CERT_FILE").unwrap();
        fs::write(&store, Issuer::new("the platform's").pem()).unwrap();
        let (soft, hard) = rlimit::getrlimit(Resource::NOFILE).unwrap();
        rlimit::setrlimit(Resource::NOFILE, 0, hard).unwrap();
        let error = platform_client_config();
        rlimit::setrlimit(Resource::NOFILE, soft, hard).unwrap();
        let error = error.unwrap_err();
        assert!(matches!(error, TlsError::Unreadable(..)), "{error:?}");
        assert_ne!(io::Error::from(error).kind(), io::ErrorKind::Unsupported);

        platform_client_config().unwrap();
        fs::remove_file(store).unwrap();
    }
}
