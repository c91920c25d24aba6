//! Both ends of a TLS connection on the runtime without sockets, each side of each end a task of
//! its own with its own waker.

use std::{
    future::poll_fn,
    io::{self, IoSlice},
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use rustls::{
    SupportedProtocolVersion,
    pki_types::ServerName,
    version::{TLS12, TLS13},
};
use sse_driver::{Transport, tls::Tls};

use super::authority::{Authority, NAME};
use crate::sim::{Job, Sim, SimTransport};

/// An end of a connection, shared by the task that reads and the one that writes.
#[derive(Clone)]
pub struct End(Arc<Mutex<Tls<SimTransport>>>);

impl End {
    async fn poll<T>(
        &self,
        mut poll: impl FnMut(Pin<&mut Tls<SimTransport>>, &mut Context<'_>) -> Poll<T>,
    ) -> T {
        poll_fn(|cx| poll(Pin::new(&mut *self.0.lock().unwrap()), cx)).await
    }

    pub async fn handshake(self) -> io::Result<()> {
        self.poll(|mut tls, cx| tls.poll_handshake(cx)).await
    }

    pub async fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.poll(|mut tls, cx| tls.poll_read(cx, buffer)).await
    }

    /// Reads up to the end, which may be an error.
    pub async fn read_to_end(self) -> (Vec<u8>, io::Result<()>) {
        let (mut bytes, mut buffer) = (Vec::new(), [0; 1000]);
        loop {
            match self.read(&mut buffer).await {
                Ok(0) => return (bytes, Ok(())),
                Ok(count) => bytes.extend_from_slice(&buffer[..count]),
                Err(error) => return (bytes, Err(error)),
            }
        }
    }

    /// Writes all of `bytes`, and flushes.
    pub async fn write(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let (one, two) = bytes.split_at(bytes.len() / 2);
            let slices = [IoSlice::new(one), IoSlice::new(two)];
            let count = self
                .poll(|mut tls, cx| tls.poll_write_vectored(cx, &slices))
                .await?;
            assert!(count > 0);
            bytes = &bytes[count..];
        }
        self.poll(|mut tls, cx| tls.poll_flush(cx)).await
    }

    pub async fn shut_down(&self) -> io::Result<()> {
        self.poll(|mut tls, cx| tls.poll_shutdown(cx)).await
    }

    /// Sends all of `bytes` and ends the sending side.
    pub async fn send(self, bytes: Vec<u8>) -> io::Result<()> {
        self.write(&bytes).await?;
        self.shut_down().await
    }
}

pub fn client_end(authority: &Authority, name: &str, transport: SimTransport) -> End {
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let tls = Tls::client(transport, authority.client_config(), name).unwrap();
    End(Arc::new(Mutex::new(tls)))
}

pub fn server_end(authority: &Authority, transport: SimTransport) -> End {
    let tls = Tls::server(transport, authority.server_config()).unwrap();
    End(Arc::new(Mutex::new(tls)))
}

/// Returns a client and a server that it trusts, with room for this many bytes on the way.
pub fn pair(sim: &Sim, capacity: usize) -> (End, End) {
    pair_of(&Authority::new(), sim, capacity)
}

fn pair_of(authority: &Authority, sim: &Sim, capacity: usize) -> (End, End) {
    let (client, server) = sim.pair(capacity);
    (
        client_end(authority, NAME, client),
        server_end(authority, server),
    )
}

/// Returns the output of the job, which has to be done.
#[track_caller]
pub fn done<T: Send + 'static>(job: &Job<T>) -> T {
    job.take().expect("it does not hang")
}

fn bytes(seed: u8, count: usize) -> Vec<u8> {
    (0..count)
        .map(|index| (index as u8).wrapping_mul(seed) ^ (index >> 8) as u8)
        .collect()
}

static VERSIONS: [&[&SupportedProtocolVersion]; 2] = [&[&TLS12], &[&TLS13]];

#[test]
fn a_handshake_may_be_cut_anywhere() {
    for versions in VERSIONS {
        let authority = Authority::with(versions, "any");
        for capacity in (1..40).chain([64, 100, 333, 1000, 5000]) {
            let sim = Sim::new();
            let (client, server) = pair_of(&authority, &sim, capacity);
            let jobs = [&client, &server].map(|end| sim.start(end.clone().handshake()));
            sim.settle();
            done(&jobs[0]).unwrap();
            // The server's part ends with tickets, which a client reads later.
            let reader = sim.start(client.read_to_end());
            sim.settle();
            done(&jobs[1]).unwrap();
            drop(reader);
        }
    }
}

#[test]
fn data_goes_both_ways_at_once_whichever_side_comes_first() {
    let (up, down) = (bytes(3, 100_000), bytes(5, 150_000));
    for versions in VERSIONS {
        let authority = Authority::with(versions, "any");
        for capacity in [1, 77, 1000, 64 * 1024] {
            // Reading and writing make the handshake, whichever of them begins.
            for readers_first in [true, false] {
                let sim = Sim::new();
                let (up, down) = match capacity {
                    1 => (&up[..3000], &down[..2000]),
                    _ => (&up[..], &down[..]),
                };
                let (client, server) = pair_of(&authority, &sim, capacity);
                let read = || {
                    let (client, server) = (client.clone(), server.clone());
                    [client, server].map(|end| sim.start(end.read_to_end()))
                };
                let write = || {
                    let up = sim.start(client.clone().send(up.to_vec()));
                    [up, sim.start(server.clone().send(down.to_vec()))]
                };
                let (readers, writers) = match readers_first {
                    true => {
                        let readers = read();
                        sim.settle();
                        (readers, write())
                    }
                    false => {
                        let writers = write();
                        sim.settle();
                        (read(), writers)
                    }
                };
                sim.settle();
                for writer in &writers {
                    done(writer).unwrap();
                }
                let [received_down, received_up] = readers.map(|reader| done(&reader));
                assert!(received_up.0 == up && received_down.0 == down);
                received_up.1.unwrap();
                received_down.1.unwrap();
            }
        }
    }
}

#[test]
fn a_client_that_only_listens_gets_what_the_server_says() {
    let said = bytes(7, 2000);
    for versions in VERSIONS {
        let authority = Authority::with(versions, "any");
        for capacity in [1, 10, 1000] {
            let sim = Sim::new();
            let (client, server) = pair_of(&authority, &sim, capacity);
            let reader = sim.start(client.read_to_end());
            let writer = sim.start(server.clone().send(said.clone()));
            sim.settle();
            done(&writer).unwrap();
            let (heard, end) = done(&reader);
            assert!(heard == said);
            end.unwrap();
        }
    }
}

#[test]
fn after_close_notify_the_other_way_stays_open() {
    let sim = Sim::new();
    let (client, server) = pair(&sim, 1000);
    let reader = sim.start(client.clone().read_to_end());
    sim.start(client.clone().send(b"that was all".to_vec()));
    let echo = sim.start(async move {
        let (bytes, end) = server.clone().read_to_end().await;
        end?;
        server.send(bytes).await
    });
    sim.settle();
    done(&echo).unwrap();
    let (bytes, end) = done(&reader);
    assert_eq!(bytes, b"that was all");
    end.unwrap();
}

#[test]
fn nothing_can_be_written_after_close_notify_even_while_that_waits() {
    let sim = Sim::new();
    let (client, server) = pair(&sim, 10);
    sim.start(server.handshake());
    let writer = client.clone();
    let goodbye = sim.start(async move {
        writer.clone().handshake().await?;
        writer.send(b"more than there is room for".to_vec()).await
    });
    sim.settle();
    assert!(goodbye.take().is_none(), "the peer does not read");
    let ending = client.clone();
    let ending = sim.start(async move { ending.shut_down().await });
    let late = sim.start(async move { client.write(b"and more").await });
    sim.settle();
    assert!(ending.take().is_none(), "the peer does not read");
    assert_eq!(done(&late).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
}

#[test]
fn input_that_is_cut_off_is_noticed() {
    let sim = Sim::new();
    let (client, server) = pair(&sim, 1000);
    let reader = sim.start(server.clone().read_to_end());
    // It is dropped without a shutdown.
    let writer = sim.start(async move { client.write(b"that was not all").await });
    sim.settle();
    done(&writer).unwrap();
    let (bytes, end) = done(&reader);
    assert_eq!(bytes, b"that was not all");
    assert_eq!(end.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);

    // A second read returns the same.
    let again = sim.start(server.read_to_end());
    sim.settle();
    let (_, end) = done(&again);
    assert_eq!(end.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
}

#[test]
fn a_peer_that_goes_away_during_the_handshake_is_an_error_on_both_sides() {
    let sim = Sim::new();
    let (client, server) = sim.pair(10);
    let server = server_end(&Authority::new(), server);
    let reader = sim.start(server.clone().read_to_end());
    let writer = sim.start(server.send(b"hello".to_vec()));
    sim.settle();
    drop(client);
    sim.settle();
    for error in [
        done(&reader).1.unwrap_err(),
        done(&writer).expect_err("there is no peer"),
    ] {
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        assert!(error.to_string().contains("handshake"), "{error}");
    }
}

#[test]
fn a_certificate_that_does_not_fit_is_an_error_that_says_so() {
    let authority = Authority::new();
    let stranger = Authority::with(VERSIONS[1], "some other authority");
    let cases = [
        (
            &authority,
            "other.test",
            "not valid for name \"other.test\"",
        ),
        (&stranger, NAME, "UnknownIssuer"),
    ];
    for (trusted, name, what) in cases {
        for capacity in [1, 1000] {
            let sim = Sim::new();
            let (client, server) = sim.pair(capacity);
            let client = client_end(trusted, name, client);
            let server = server_end(&authority, server);
            let (client, server) = (
                sim.start(client.handshake()),
                sim.start(server.read_to_end()),
            );
            sim.settle();
            let error = done(&client).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
            assert!(error.to_string().contains(what), "{error}");
            let cause = error.get_ref().and_then(|cause| cause.downcast_ref());
            assert!(matches!(cause, Some(rustls::Error::InvalidCertificate(_))));

            // The server was told why.
            let error = done(&server).1.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
            assert!(error.to_string().contains("alert"), "{error}");
        }
    }
}

#[test]
fn no_more_than_a_record_is_taken_for_a_peer_that_does_not_read() {
    let sim = Sim::new();
    let (client, server) = pair(&sim, 100);
    let handshakes = [
        sim.start(client.clone().handshake()),
        sim.start(server.clone().handshake()),
    ];
    sim.settle();
    done(&handshakes[0]).unwrap();

    let taken = Arc::new(Mutex::new(0));
    let (writer, count) = (client.clone(), taken.clone());
    sim.start(async move {
        let flood = [0; 100_000];
        loop {
            let slices = [IoSlice::new(&flood)];
            let written = writer.poll(|mut tls, cx| tls.poll_write_vectored(cx, &slices));
            *count.lock().unwrap() += written.await.unwrap();
        }
    });
    sim.settle();
    assert_eq!(*taken.lock().unwrap(), 16 * 1024);

    // This is so until it has read that.
    let mut buffer = vec![0; 16 * 1024];
    let reader = sim.start(async move {
        let mut left = 16 * 1024;
        while left > 0 {
            left -= server.read(&mut buffer[..left]).await.unwrap();
        }
    });
    sim.settle();
    done(&reader);
    assert_eq!(*taken.lock().unwrap(), 2 * 16 * 1024);
}
