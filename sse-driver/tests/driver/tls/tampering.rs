//! Peers that do not speak TLS, and an attacker in between who changes bytes.

use std::{
    future::poll_fn,
    io::{self, IoSlice},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll, ready},
};

use proptest::prelude::*;
use sse_driver::Transport;

use super::{
    authority::{Authority, NAME},
    pair::{client_end, done, server_end},
};
use crate::sim::{Sim, SimTransport};

/// Sends `bytes` and reads until the other end is done.
async fn say(mut transport: SimTransport, bytes: Vec<u8>) -> Vec<u8> {
    let (mut said, mut answer) = (0, Vec::new());
    poll_fn(|cx| {
        while let Some(rest @ [_, ..]) = bytes.get(said..) {
            match transport.poll_write_vectored(cx, &[IoSlice::new(rest)]) {
                Poll::Ready(Ok(count)) => said += count,
                // If the other end is gone, its bytes may still be there.
                Poll::Ready(Err(_)) | Poll::Pending => break,
            }
        }
        if said == bytes.len() {
            let _ = transport.poll_shutdown(cx);
        }
        let mut buffer = [0; 100];
        loop {
            match transport.poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(count @ 1..)) => answer.extend_from_slice(&buffer[..count]),
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
    })
    .await;
    answer
}

#[test]
fn a_client_without_tls_gets_an_alert() {
    for capacity in [1, 1000] {
        let sim = Sim::new();
        let (client, server) = sim.pair(capacity);
        let server = server_end(&Authority::new(), server);
        let reader = sim.start(server.clone().read_to_end());
        let request = b"GET / HTTP/1.1\r\nHost: sim.test\r\n\r\n";
        let client = sim.start(say(client, request.to_vec()));
        sim.settle();
        let (bytes, end) = done(&reader);
        assert_eq!(bytes, b"");
        assert_eq!(end.unwrap_err().kind(), io::ErrorKind::InvalidData);
        drop(server);
        sim.settle();
        // This is a record of an alert, whose first byte is "fatal".
        let answer = done(&client);
        assert_eq!((answer.len(), answer[0], answer[5]), (7, 21, 2));
    }
}

/// An attacker between two ends, who changes the bytes in one direction.
async fn relay(
    mut one: SimTransport,
    mut other: SimTransport,
    mut change: impl FnMut(&mut [u8]) + Unpin,
) {
    let (mut forth, mut back) = (Way::default(), Way::default());
    poll_fn(|cx| {
        let forth = forth.pass(cx, &mut one, &mut other, &mut change);
        let back = back.pass(cx, &mut other, &mut one, &mut |_| ());
        match forth.is_ready() && back.is_ready() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    })
    .await
}

#[derive(Default)]
struct Way {
    held: Vec<u8>,
    ended: bool,
}

impl Way {
    fn pass(
        &mut self,
        cx: &mut Context<'_>,
        from: &mut SimTransport,
        to: &mut SimTransport,
        change: &mut impl FnMut(&mut [u8]),
    ) -> Poll<()> {
        let mut buffer = [0; 4096];
        while !self.ended {
            while !self.held.is_empty() {
                let written = to.poll_write_vectored(cx, &[IoSlice::new(&self.held)]);
                // There is no receiver any more.
                let count = ready!(written).unwrap_or(self.held.len());
                self.held.drain(..count);
                let _ = to.poll_flush(cx);
            }
            match ready!(from.poll_read(cx, &mut buffer)) {
                Ok(count @ 1..) => {
                    change(&mut buffer[..count]);
                    self.held.extend_from_slice(&buffer[..count]);
                }
                _ => {
                    self.ended = true;
                    let _ = to.poll_shutdown(cx);
                }
            }
        }
        Poll::Ready(())
    }
}

#[test]
fn an_alert_waits_until_there_is_room_for_it() {
    let authority = Authority::new();
    let sim = Sim::new();
    let ((client, one), (other, server)) = (sim.pair(1000), sim.pair(1000));
    let client = client_end(&authority, NAME, client);
    let server = server_end(&authority, server);
    let tampers = Arc::new(AtomicBool::new(false));
    let does = tampers.clone();
    sim.start(relay(one, other, move |bytes| {
        *bytes.last_mut().unwrap() ^= u8::from(does.load(Ordering::Relaxed));
    }));

    // The client does not read, and no task waits to write.
    let (says, hears) = (server.clone(), client.clone());
    let hello = sim.start(async move { says.write(b"h").await });
    sim.start(async move { hears.read(&mut [0]).await });
    sim.settle();
    done(&hello).unwrap();
    let says = server.clone();
    let flood = sim.start(async move { says.write(&[0; 10_000]).await });
    sim.settle();
    flood.cancel();

    let reader = sim.start(server.clone().read_to_end());
    sim.settle();
    tampers.store(true, Ordering::Relaxed);
    let says = client.clone();
    sim.start(async move { says.write(b"is changed").await });
    sim.settle();
    assert!(reader.take().is_none(), "the alert is lost");

    let hears = sim.start(client.read_to_end());
    sim.settle();
    for (count, end) in [done(&reader), done(&hears)].map(|(bytes, end)| (bytes.len(), end)) {
        assert!(count == 0 || count == 10_000);
        assert_eq!(end.unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
    let flush = sim.start(async move { server.write(b"").await });
    sim.settle();
    assert_eq!(done(&flush).unwrap_err().kind(), io::ErrorKind::InvalidData);
}

#[test]
fn a_changed_body_is_never_read_wrongly() {
    const SENTENCE: &[u8] = b"This is what was said.";
    let authority = Authority::new();
    let (mut failed, mut at) = (0, 0_usize);
    loop {
        let sim = Sim::new();
        let ((client, one), (other, server)) = (sim.pair(65_536), sim.pair(65_536));
        let client = client_end(&authority, NAME, client);
        let server = server_end(&authority, server);
        let said = sim.start(client.clone().send(SENTENCE.to_vec()));
        let answer = sim.start(client.read_to_end());
        let heard = sim.start(server.read_to_end());
        let passed = Arc::new(AtomicUsize::new(0));
        let count = passed.clone();
        let between = sim.start(relay(one, other, move |bytes| {
            let before = count.fetch_add(bytes.len(), Ordering::Relaxed);
            if let Some(byte) = at.checked_sub(before).and_then(|at| bytes.get_mut(at)) {
                *byte ^= 0x40;
            }
        }));
        sim.settle();
        // Both may be waiting for bytes that neither has sent.
        between.cancel();
        sim.settle();
        let (bytes, end) = done(&heard);
        let _ = (done(&said), done(&answer));
        match end {
            Ok(()) => assert_eq!(bytes, SENTENCE, "byte {at}"),
            Err(_) => {
                assert!(SENTENCE.starts_with(&bytes), "byte {at}: {bytes:?}");
                failed += 1;
            }
        }
        at += 1;
        if at > passed.load(Ordering::Relaxed) {
            break;
        }
    }
    assert!(at > 200, "only {at} bytes went to the server");
    // Only few bytes mean nothing: the version in a record's header is one of them.
    assert!(failed > at * 9 / 10, "{failed} of {at} were noticed");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn no_bytes_make_either_end_panic_or_hang(
        bytes in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..300),
            // Bytes with a record's header are examined more closely.
            (20_u8..26, proptest::collection::vec(any::<u8>(), 0..300)).prop_map(|(kind, body)| {
                let mut record = vec![kind, 3, 3, (body.len() >> 8) as u8, body.len() as u8];
                record.extend(body);
                record
            }),
        ],
        capacity in 1_usize..400,
    ) {
        let authority = Authority::new();
        let sim = Sim::new();
        let (noise, server) = sim.pair(capacity);
        sim.start(say(noise, bytes.clone()));
        let server = sim.start(server_end(&authority, server).read_to_end());
        let (noise, client) = sim.pair(capacity);
        sim.start(say(noise, bytes));
        let client = sim.start(client_end(&authority, NAME, client).read_to_end());
        sim.settle();
        for end in [server, client] {
            let (bytes, end) = done(&end);
            prop_assert!(bytes.is_empty());
            prop_assert!(end.is_err());
        }
    }
}
