//! The connections of event sources: Unix sockets and proxies.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    thread,
};

use futures_util::stream;
use sse_core::client::EventSourceConfig;
use sse_driver::{Proxy, router::Router};

use crate::{
    Adapter, EventSource,
    running::start as start_plain,
    tls::{Authority, hello, next_data, start, subscribe},
};

/// An HTTP proxy that forwards one request at a time and makes tunnels, for clients that name `user`
/// and `pass`.
fn proxy() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for client in listener.incoming() {
            // A client that leaves in the middle does not matter.
            thread::spawn(move || serve(client?));
        }
    });
    address
}

fn serve(mut client: TcpStream) -> io::Result<()> {
    let head = read_head(&mut client)?;
    if !head.contains("\r\nproxy-authorization: Basic dXNlcjpwYXNz\r\n") {
        let answer = "HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n";
        return client.write_all(answer.as_bytes());
    }
    let target = head.split(' ').nth(1).unwrap_or_default();
    let server = match target.strip_prefix("http://") {
        // The origin's form takes the place of the absolute one.
        Some(rest) => {
            let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
            let mut server = TcpStream::connect(authority)?;
            let head = head.replacen(target, &format!("/{path}"), 1);
            server.write_all(head.as_bytes())?;
            server
        }
        None => {
            let server = TcpStream::connect(target)?;
            client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")?;
            server
        }
    };
    let (mut up, mut down) = (client.try_clone()?, server.try_clone()?);
    let upwards = thread::spawn(move || io::copy(&mut up, &mut &server));
    let _ = io::copy(&mut down, &mut client);
    client.shutdown(Shutdown::Both)?;
    let _ = upwards.join();
    Ok(())
}

fn read_head(client: &mut impl Read) -> io::Result<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte)?;
        head.extend_from_slice(&byte);
    }
    String::from_utf8(head).map_err(io::Error::other)
}

pub fn events_get_through_a_proxy<A: Adapter>() {
    let authority = Authority::new();
    let plain = start_plain::<A>(hello());
    let secure = start::<A>(authority.server("localhost"), hello());
    let proxy = Proxy::new(&format!("http://user:pass@{}", proxy())).unwrap();
    A::block_on(async {
        let url = format!("http://localhost:{}/", plain.address.port());
        let source = EventSource::<A>::new(url).unwrap();
        let mut source = source.with_connector(proxy.clone());
        assert_eq!(next_data::<A>(&mut source).await, "hello");

        let source = subscribe::<A>(secure.address, "localhost", authority.client());
        let mut source = source.with_connector(proxy);
        assert_eq!(next_data::<A>(&mut source).await, "hello");
    });
}

#[cfg(unix)]
pub fn events_get_through_a_unix_socket<A: Adapter>() {
    use std::{env, fs, os::unix::net::UnixListener, process, time::Duration};

    use sse_driver::UnixConnector;

    use crate::peer::STREAM_HEAD;

    let name = format!("sse-{}-{:?}.sock", process::id(), thread::current().id());
    let path = env::temp_dir().join(name);
    let listener = UnixListener::bind(&path).unwrap();
    let server = thread::spawn(move || {
        // Each connection gives one event, and is lost.
        (0..2).for_each(|number| {
            let (mut client, _) = listener.accept().unwrap();
            let head = read_head(&mut client).unwrap();
            assert!(head.contains("\r\nhost: daemon\r\n"), "{head}");
            let event = format!("{STREAM_HEAD}retry: 1\nid: {number}\ndata: {number}\n\n");
            client.write_all(event.as_bytes()).unwrap();
        });
    });
    A::block_on(async {
        let mut config = EventSourceConfig::default();
        let reconnection = config.reconnection.as_mut().unwrap();
        reconnection.floor = Duration::from_millis(1);
        let source = EventSource::<A>::with_config("http://daemon/", config).unwrap();
        let mut source = source.with_connector(UnixConnector::new(&path));
        assert_eq!(next_data::<A>(&mut source).await, "0");
        assert_eq!(next_data::<A>(&mut source).await, "1");
    });
    server.join().unwrap();
    fs::remove_file(&path).unwrap();
}

#[cfg(not(unix))]
pub fn events_get_through_a_unix_socket<A: Adapter>() {}

#[cfg(unix)]
pub fn a_server_listens_on_a_unix_socket<A: Adapter>() {
    use std::{env, fs, io::ErrorKind, os::unix::net::UnixListener, process, sync::mpsc};

    use sse_driver::{UnixConnector, router::Request};

    use crate::Server;

    let name = format!(
        "sse-server-{}-{:?}.sock",
        process::id(),
        thread::current().id()
    );
    let path = env::temp_dir().join(name);
    // A server that ended has left its file.
    drop(UnixListener::bind(&path).unwrap());
    let (started, has_started) = mpsc::channel();
    let listen = path.clone();
    let serves = thread::spawn(move || {
        A::block_on(async move {
            let server = Server::<A>::bind_unix(&listen).await.unwrap();
            assert_eq!(
                server.local_addr().unwrap_err().kind(),
                ErrorKind::Unsupported
            );
            started.send(server.handle()).unwrap();
            let peer = |request: Request| stream::iter([format!("{:?}", request.peer_addr())]);
            server.serve(Router::new().events("/", peer)).await.unwrap()
        })
    });
    let handle = has_started.recv().unwrap();
    A::block_on(async {
        let taken = Server::<A>::bind_unix(&path).await.unwrap_err();
        assert_eq!(taken.kind(), ErrorKind::AddrInUse);
        assert!(taken.to_string().contains(".sock"), "{taken}");

        let source = EventSource::<A>::new("http://daemon/").unwrap();
        let mut source = source.with_connector(UnixConnector::new(&path));
        assert_eq!(next_data::<A>(&mut source).await, "None");
    });
    handle.shut_down();
    assert!(!path.exists(), "the file is removed at once");
    // The second server has found that the first one is there, and has not connected to it for that.
    assert_eq!(serves.join().unwrap().accepted, 1);

    // The server does not know whose file is in the place of its own.
    A::block_on(async {
        let server = Server::<A>::bind_unix(&path).await.unwrap();
        fs::remove_file(&path).unwrap();
        let next = UnixListener::bind(&path).unwrap();
        drop(server);
        assert!(path.exists());
        drop(next);

        let file = path.with_extension("txt");
        fs::write(&file, "no socket").unwrap();
        assert!(Server::<A>::bind_unix(&file).await.is_err());
        assert!(file.exists(), "it is not removed");
        fs::remove_file(&file).unwrap();
    });
    fs::remove_file(&path).unwrap();
}

#[cfg(not(unix))]
pub fn a_server_listens_on_a_unix_socket<A: Adapter>() {}
