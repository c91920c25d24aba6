//! A client and a server of this crate's configurations.

use std::sync::Arc;

use sse_driver::tls::{
    Certificates, Identity, Roots, client_config, mutual_server_config,
    rustls::{
        ClientConfig, ClientConnection, ConnectionCommon, Error, HandshakeKind, ServerConfig,
        ServerConnection, SideData, pki_types::ServerName,
    },
    server_config,
};

use crate::issuer::Issuer;

pub const NAME: &str = "events.test";

/// Makes a handshake; what each side says of it.
pub fn handshake(
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
) -> (ClientConnection, Result<(), Error>, Result<(), Error>) {
    let name = ServerName::try_from(NAME).unwrap();
    let mut client = ClientConnection::new(client, name).unwrap();
    let mut server = ServerConnection::new(server).unwrap();
    let (mut client_says, mut server_says) = (Ok(()), Ok(()));
    while client.wants_write() || server.wants_write() {
        server_says = server_says.and(pass(&mut client, &mut server));
        client_says = client_says.and(pass(&mut server, &mut client));
    }
    (client, client_says, server_says)
}

fn pass<A: SideData, B: SideData>(
    from: &mut ConnectionCommon<A>,
    to: &mut ConnectionCommon<B>,
) -> Result<(), Error> {
    let mut bytes = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut bytes).unwrap();
    }
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        to.read_tls(&mut rest).unwrap();
        to.process_new_packets()?;
    }
    Ok(())
}

pub fn identity(issuer: &Issuer, name: &str) -> Identity {
    let (chain, key) = issuer.issue(name);
    Identity::from_pem(chain.as_bytes(), key.as_bytes()).unwrap()
}

fn only(issuer: &Issuer) -> Roots {
    Roots::Only(certificates(issuer))
}

fn certificates(issuer: &Issuer) -> Certificates {
    Certificates::from_pem(issuer.pem().as_bytes()).unwrap()
}

#[test]
fn a_given_root_is_trusted_and_others_are_not() {
    let (ours, other) = (Issuer::new("ours"), Issuer::new("other"));
    let server = server_config(&identity(&ours, NAME)).unwrap();
    let handshake = |roots| handshake(client_config(&roots, None).unwrap(), server.clone());

    let (client, client_says, server_says) = handshake(only(&ours));
    client_says.unwrap();
    server_says.unwrap();
    assert_eq!(client.alpn_protocol(), Some(&b"http/1.1"[..]));

    let (_, client_says, server_says) = handshake(only(&other));
    assert!(matches!(client_says, Err(Error::InvalidCertificate(_))));
    assert!(matches!(server_says, Err(Error::AlertReceived(_))));
}

#[test]
fn one_pem_may_hold_several_roots() {
    let (one, other) = (Issuer::new("one"), Issuer::new("other"));
    let both = Certificates::from_pem((one.pem() + &other.pem()).as_bytes()).unwrap();
    let client = client_config(&Roots::Only(both), None).unwrap();
    for issuer in [one, other] {
        let server = server_config(&identity(&issuer, NAME)).unwrap();
        let (_, client_says, _) = handshake(client.clone(), server);
        client_says.unwrap();
    }
}

#[test]
fn a_server_may_demand_certificates_of_clients() {
    let (ours, other) = (Issuer::new("ours"), Issuer::new("other"));
    let server = mutual_server_config(&identity(&ours, NAME), &certificates(&ours)).unwrap();
    let handshake = |identity: Option<Identity>| {
        let client = client_config(&only(&ours), identity.as_ref()).unwrap();
        handshake(client, server.clone())
    };

    let (_, client_says, server_says) = handshake(Some(identity(&ours, "a client")));
    client_says.unwrap();
    server_says.unwrap();

    for stranger in [None, Some(identity(&other, "a stranger"))] {
        let (_, client_says, server_says) = handshake(stranger);
        server_says.unwrap_err();
        assert!(matches!(client_says, Err(Error::AlertReceived(_))));
    }
}

#[test]
fn a_client_resumes_its_session_however_many_others_came_meanwhile() {
    /// More than rustls's own store of a server keeps.
    const OTHERS: usize = 300;
    let issuer = Issuer::new("ours");
    let server = server_config(&identity(&issuer, NAME)).unwrap();
    let client = || client_config(&only(&issuer), None).unwrap();
    let kind = |client| {
        let (client, client_says, _) = handshake(client, server.clone());
        client_says.unwrap();
        client.handshake_kind()
    };

    let ours = client();
    assert_eq!(kind(ours.clone()), Some(HandshakeKind::Full));
    for _ in 0..OTHERS {
        assert_eq!(kind(client()), Some(HandshakeKind::Full));
    }
    assert_eq!(kind(ours), Some(HandshakeKind::Resumed));
}
