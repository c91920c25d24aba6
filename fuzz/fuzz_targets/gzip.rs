//! Clients of a compressed stream join, miss pieces, return and get bytes of their own in any order: each
//! decodes at once what it is sent.
#![no_main]

#[path = "../../sse-core/tests/gzip/client.rs"]
mod client;

use arbitrary::Arbitrary;
use client::Client;
use libfuzzer_sys::fuzz_target;
use sse_core::gzip::SharedDeflate;

#[derive(Arbitrary, Debug)]
enum Call<'a> {
    /// Publishes these bytes, so many times; the clients whose bit is set receive them.
    Publish(&'a [u8], u8, u8),
    Insert(u8, &'a [u8]),
    InsertShared(u8, &'a [u8]),
    Compress(u8, &'a [u8]),
    Release(u8),
    KeepAlive(u8),
    /// A new client takes the place of this one.
    Join(u8),
    /// Another stream takes the place of this one.
    Restart,
}

/// How often a payload is repeated, so that restart points occur.
const REPEATED: [usize; 4] = [1, 2, 50, 2000];

fuzz_target!(|calls: Vec<Call<'_>>| {
    let mut shared = SharedDeflate::new();
    let mut clients = [Client::new(), Client::new(), Client::new()];
    let at = |client: u8| usize::from(client % 3);
    for call in calls {
        match call {
            Call::Publish(bytes, times, takers) => {
                let times = REPEATED[usize::from(times % 4)];
                let piece = shared.compress(bytes.repeat(times).into());
                for (n, client) in clients.iter_mut().enumerate() {
                    if takers >> n & 1 == 1 {
                        let before = client.wire().len();
                        client.piece(&piece);
                        let (sent, len) = (client.wire().len() - before, piece.plain().len());
                        assert!(sent <= len + 5 * len.div_ceil(65_535));
                    }
                }
            }
            Call::Insert(client, bytes) => clients[at(client)].insert(bytes),
            Call::InsertShared(client, bytes) => clients[at(client)].insert_shared(bytes),
            Call::Compress(client, bytes) => clients[at(client)].compress(bytes),
            Call::Release(client) => clients[at(client)].release(),
            Call::KeepAlive(client) => clients[at(client)].keep_alive(),
            Call::Join(client) => {
                clients[at(client)].finish();
                clients[at(client)] = Client::new();
            }
            Call::Restart => shared = SharedDeflate::new(),
        }
    }
    clients.iter_mut().for_each(Client::finish);
});
