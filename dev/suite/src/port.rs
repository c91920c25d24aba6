//! Ports for programs and servers that have to be told theirs, and may come back to it.

use std::net::{Ipv4Addr, SocketAddr};

use socket2::{Domain, Socket, Type};

/// A port of 127.0.0.1 that no other socket gets while this is held.
///
/// A port that was free a moment ago may be another's by the time it is used: the system gives it to the
/// next that asks for any port, and to clients, which may even connect to themselves from it. This one is
/// bound, by a socket that does not listen. Linux then gives it to none that asks for any port, refuses
/// those that connect to it, and lets a program listen that asks for this port with `SO_REUSEADDR`, as
/// all servers do, and again after it has ended.
#[derive(Debug)]
pub struct Port {
    address: SocketAddr,
    _held: Socket,
}

impl Port {
    #[must_use]
    pub fn reserve() -> Self {
        let held = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        held.set_reuse_address(true).unwrap();
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        held.bind(&any.into()).unwrap();
        let address = held.local_addr().unwrap().as_socket().unwrap();
        Self {
            address,
            _held: held,
        }
    }

    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    #[must_use]
    pub fn number(&self) -> u16 {
        self.address.port()
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::{
        collections::HashSet,
        io::ErrorKind,
        net::{TcpListener, TcpStream},
    };

    use super::*;

    #[test]
    fn a_server_can_listen_on_a_reserved_port_again_and_again_and_is_missed_in_between() {
        let port = Port::reserve();
        for _ in 0..3 {
            let refused = TcpStream::connect(port.address()).unwrap_err();
            assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
            let listener = TcpListener::bind(port.address()).unwrap();
            let client = TcpStream::connect(port.address()).unwrap();
            // The server ends first, so that the system remembers the connection for a while.
            drop(listener.accept().unwrap());
            drop((listener, client));
        }
    }

    #[test]
    fn no_port_is_reserved_twice() {
        let ports: Vec<_> = (0..500).map(|_| Port::reserve()).collect();
        let numbers: HashSet<_> = ports.iter().map(Port::number).collect();
        assert_eq!(numbers.len(), ports.len());
    }
}
