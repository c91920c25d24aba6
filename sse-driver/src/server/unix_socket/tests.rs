//! Whose files are replaced, and when they are removed.

use std::{
    env,
    future::pending,
    process,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use socket2::{Domain, SockAddr, Socket, Type};
use sse_core::internal::sync::{AtomicBool, Ordering};

use super::*;
use crate::AcceptUnix;

fn stream_socket() -> Socket {
    Socket::new(Domain::UNIX, Type::STREAM, None).unwrap()
}

fn bound(name: &str) -> (Socket, PathBuf) {
    let path = env::temp_dir().join(format!("sse-driver-{}-{name}", process::id()));
    let _ = fs::remove_file(&path);
    let socket = stream_socket();
    socket.bind(&SockAddr::unix(&path).unwrap()).unwrap();
    (socket, path)
}

#[test]
fn a_file_is_not_left_over_while_its_process_accepts_no_connection() {
    let (socket, path) = bound("full");
    socket.listen(0).unwrap();
    let address = SockAddr::unix(&path).unwrap();
    let waiting: Vec<Socket> = std::iter::repeat_with(stream_socket)
        .take(1_000)
        .map_while(|client| {
            client.set_nonblocking(true).unwrap();
            client.connect(&address).is_ok().then_some(client)
        })
        .collect();
    assert!(waiting.len() < 1_000, "the queue is full");
    let (answers, answer) = mpsc::channel();
    let asked = path.clone();
    thread::spawn(move || answers.send(is_left_over(&asked)));
    let answer = answer.recv_timeout(Duration::from_secs(20));
    assert_eq!(answer, Ok(false));
    drop((socket, waiting));
    assert!(is_left_over(&path));
    fs::remove_file(&path).unwrap();
}

#[test]
fn a_file_is_not_left_over_while_its_process_does_not_listen_yet() {
    let (socket, path) = bound("early");
    assert!(!is_left_over(&path));
    drop(socket);
    assert!(is_left_over(&path));
    fs::remove_file(&path).unwrap();
}

/// A listening socket that notes at its end whether its file is still there.
struct Probe {
    path: PathBuf,
    has_file: Arc<AtomicBool>,
}

impl UnixListener for Probe {
    fn accept(&self) -> AcceptUnix<'_> {
        Box::pin(pending())
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.has_file.store(self.path.exists(), Ordering::Relaxed);
    }
}

#[test]
fn the_file_is_removed_before_the_socket_is_closed() {
    let (_socket, path) = bound("order");
    let has_file = Arc::new(AtomicBool::new(true));
    let probe = Probe {
        path: path.clone(),
        has_file: has_file.clone(),
    };
    drop(UnixSocket {
        _file: Some(SocketFile::at(&path).unwrap()),
        listener: Box::new(probe),
    });
    assert!(!has_file.load(Ordering::Relaxed));
    assert!(!path.exists());
}
