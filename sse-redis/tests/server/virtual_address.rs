//! An address that is moved from one server to another, as an operator does by hand.

use std::{
    io,
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use crate::server::Server;

pub(crate) struct VirtualAddress {
    pub(crate) port: u16,
    shared: Arc<Mutex<Shared>>,
}

struct Shared {
    target: u16,
    open: Vec<TcpStream>,
}

impl VirtualAddress {
    pub(crate) fn of(server: &Server) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Mutex::new(Shared {
            target: server.port(),
            open: Vec::new(),
        }));
        let for_thread = shared.clone();
        // The thread ends with the process.
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let mut shared = for_thread.lock().unwrap();
                if let Ok(server) = TcpStream::connect(("127.0.0.1", shared.target)) {
                    for (from, to) in [(&client, &server), (&server, &client)] {
                        let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                        thread::spawn(move || forward(from, to));
                    }
                    shared.open.extend([client, server]);
                }
            }
        });
        Self { port, shared }
    }

    /// Leads to this server from now on. Open connections break off.
    pub(crate) fn move_to(&self, server: &Server) {
        let mut shared = self.shared.lock().unwrap();
        shared.target = server.port();
        for stream in shared.open.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn forward(mut from: TcpStream, mut to: TcpStream) {
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Both);
}
