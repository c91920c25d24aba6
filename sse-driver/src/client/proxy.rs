//! Connections through an HTTP proxy: it forwards `http` requests, and makes tunnels for `https` ones.

use std::{
    env,
    error::Error,
    fmt,
    future::poll_fn,
    io::{self, IoSlice},
    net::Ipv6Addr,
};

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderValue, StatusCode};
use ipnet::IpNet;
use no_proxy::NoProxy;
use percent_encoding::percent_decode_str;
use sse_core::{
    client::Endpoint,
    http::{ResponseHeadLimits, ResponseHeadReader},
};
use url::Url;

use super::connector::{Connected, Connecting, Connector, Dial, Unreached};
use crate::{Runtime, Transport};

/// A connector that connects through an HTTP proxy.
///
/// A proxy forwards the requests of `http` URLs, and makes a tunnel (`CONNECT`, [RFC 9110 section
/// 9.3.6](https://www.rfc-editor.org/rfc/rfc9110#section-9.3.6)) for `https` ones, in which the event
/// source speaks TLS with the server.
///
/// ```
/// # use sse_driver::{EventSource, Proxy, Runtime};
/// fn subscribe<R: Runtime + Default>() -> Result<EventSource<R>, Box<dyn std::error::Error>> {
///     let proxy = Proxy::new("http://proxy.example.org:3128")?.with_basic("user", "password")?;
///     let source = EventSource::new("https://example.org/events")?;
///     Ok(source.with_connector(proxy))
/// }
/// ```
#[derive(Clone, Debug)]
pub struct Proxy {
    /// The proxies for `http` and for `https` URLs. With `None` connections are direct.
    http: Option<Server>,
    https: Option<Server>,
    direct: NoProxy,
}

/// The address of a proxy, and the credentials for it.
#[derive(Clone)]
struct Server {
    endpoint: Endpoint,
    authorization: Option<HeaderValue>,
}

impl Proxy {
    /// Creates a connector through the proxy at `url`: `http://host:port`, or `https://host:port` for a
    /// proxy that speaks TLS itself. The default port is that of the scheme. A user and a password in the
    /// URL are sent to the proxy as [`with_basic`](Self::with_basic) sends them.
    ///
    /// # Errors
    ///
    /// [`InvalidProxy`] where `url` is not a URL with a host, has another scheme, such as `socks5`, or has
    /// credentials that [`with_basic`](Self::with_basic) rejects.
    pub fn new(url: &str) -> Result<Self, InvalidProxy> {
        let server = Server::parse(url).map_err(InvalidProxy::by_hand)?;
        Ok(Self {
            http: Some(server.clone()),
            https: Some(server),
            direct: NoProxy::default(),
        })
    }

    /// Creates a connector with the proxies in the environment: `http_proxy` for `http` URLs,
    /// `HTTPS_PROXY` for `https` ones, `ALL_PROXY` where that variable is missing, each in capital or
    /// small letters, of which small ones take precedence. Connections to the hosts in `NO_PROXY` are
    /// direct; it is `*`, or a list of domains, addresses and networks (`10.0.0.0/8`) separated by
    /// commas. A domain stands for its subdomains, too, whether it is written as `example.org`,
    /// `.example.org` or `*.example.org`. An entry with a port matches no host. An empty variable counts as
    /// missing, and without any variable all connections are direct.
    ///
    /// `HTTP_PROXY` in capital letters is ignored if there is `REQUEST_METHOD`: in a CGI program the
    /// variable is a field of the request, so that a client could choose the proxy.
    ///
    /// The environment is read once, in this call.
    ///
    /// # Errors
    ///
    /// [`InvalidProxy`] as for [`new`](Self::new). It has the name of the variable.
    pub fn from_env() -> Result<Self, InvalidProxy> {
        Self::from_variables(|name| env::var(name).ok())
    }

    fn from_variables(get: impl Fn(&str) -> Option<String>) -> Result<Self, InvalidProxy> {
        let first = |names: &[&'static str]| {
            let mut found = names.iter().map(|&name| (name, get(name)));
            found.find_map(|(name, value)| Some((name, value.filter(|value| !value.is_empty())?)))
        };
        let server = |names: &[&'static str]| match first(names) {
            None => Ok(None),
            Some((name, value)) => Server::parse(&value)
                .map(Some)
                .map_err(|fault| InvalidProxy {
                    variable: Some(name),
                    fault,
                }),
        };
        let http: &[_] = match get("REQUEST_METHOD") {
            None => &["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"],
            Some(_) => &["http_proxy", "all_proxy", "ALL_PROXY"],
        };
        let hosts = first(&["no_proxy", "NO_PROXY"]).map(|(_, hosts)| hosts);
        Ok(Self {
            http: server(http)?,
            https: server(&["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"])?,
            direct: no_proxy(&hosts.unwrap_or_default()),
        })
    }

    /// Sends `user` and `password` to the proxy
    /// ([RFC 7617](https://www.rfc-editor.org/rfc/rfc7617)). They are not encrypted on the way to a
    /// proxy at an `http` URL.
    ///
    /// # Errors
    ///
    /// [`InvalidProxy`] where `user` has a colon, behind which the proxy would find the password, or where
    /// either has a control character: RFC 7617 forbids them.
    pub fn with_basic(mut self, user: &str, password: &str) -> Result<Self, InvalidProxy> {
        let authorization = basic(user, password).map_err(InvalidProxy::by_hand)?;
        for server in [&mut self.http, &mut self.https].into_iter().flatten() {
            server.authorization = Some(authorization.clone());
        }
        Ok(self)
    }

    /// Connects directly to the hosts of `hosts`, a list as in [`NO_PROXY`](Self::from_env). It replaces
    /// an earlier one.
    #[must_use]
    pub fn with_direct(mut self, hosts: &str) -> Self {
        self.direct = no_proxy(hosts);
        self
    }

    /// Returns the proxy for `endpoint`, if there is one.
    fn of(&self, endpoint: &Endpoint) -> Option<&Server> {
        let server = match endpoint.tls {
            true => self.https.as_ref(),
            false => self.http.as_ref(),
        };
        let host = endpoint.host.trim_end_matches('.').to_ascii_lowercase();
        server.filter(|_| !self.direct.matches(&host))
    }
}

// The `cfg` is on the module, too. Here it is for the documentation of an adapter, which names the feature by it.
#[cfg(feature = "proxy")]
impl<R: Runtime> Connector<R> for Proxy {
    fn connect(&self, dial: Dial<R>) -> Connecting {
        let server = self.of(dial.endpoint()).cloned();
        Box::pin(async move {
            let Some(Server {
                endpoint,
                authorization,
            }) = server
            else {
                let Endpoint { host, port, .. } = dial.endpoint();
                return dial.tcp(host, *port).await.map(Connected::direct);
            };
            let mut transport = reach(&dial, &endpoint)
                .await
                .map_err(|error| unreached(&endpoint, error))?;
            if dial.endpoint().tls {
                tunnel(&mut *transport, dial.endpoint(), authorization.as_ref()).await?;
                return Ok(Connected::direct(transport));
            }
            Ok(Connected::to_proxy(transport, authorization))
        })
    }
}

/// Connects to the proxy itself.
async fn reach<R: Runtime>(dial: &Dial<R>, proxy: &Endpoint) -> io::Result<Box<dyn Transport>> {
    let tcp = dial.tcp(&proxy.host, proxy.port).await?;
    Ok(match proxy.tls {
        true => Box::new(dial.tls(tcp, &proxy.host).await?),
        false => Box::new(tcp),
    })
}

/// Returns the error with the address of the proxy. Its credentials are not part of that.
fn unreached(proxy: &Endpoint, error: io::Error) -> io::Error {
    let Endpoint { host, port, .. } = proxy;
    let host = bracketed(host);
    Unreached::named(
        format_args!("cannot connect to the proxy at {host}:{port}"),
        error,
    )
}

/// Returns the host as it is in a URL.
fn bracketed(host: &str) -> String {
    match host.parse::<Ipv6Addr>() {
        Ok(address) => format!("[{address}]"),
        Err(_) => host.to_owned(),
    }
}

/// Asks the proxy at the other end of `transport` for a tunnel to `endpoint`.
async fn tunnel(
    transport: &mut dyn Transport,
    endpoint: &Endpoint,
    authorization: Option<&HeaderValue>,
) -> io::Result<()> {
    let Endpoint { host, port, .. } = endpoint;
    let host = bracketed(host);
    let mut request =
        format!("CONNECT {host}:{port} HTTP/1.1\r\nhost: {host}:{port}\r\n").into_bytes();
    if let Some(authorization) = authorization {
        request.extend_from_slice(b"proxy-authorization: ");
        request.extend_from_slice(authorization.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    write_all(transport, &request).await?;

    let mut reader = ResponseHeadReader::new(ResponseHeadLimits::default());
    let mut buffer = [0; 1024];
    loop {
        let n = poll_fn(|cx| transport.poll_read(cx, &mut buffer)).await?;
        if n == 0 {
            let text = "the proxy closed the connection without an answer";
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
        }
        let mut input = buffer.get(..n).unwrap_or(&buffer);
        let response = reader.read(&mut input).map_err(invalid)?;
        let Some(response) = response else { continue };
        return match response.status() {
            // The server behind a tunnel does not send first.
            status if status.is_success() && input.is_empty() => Ok(()),
            status if status.is_success() => Err(invalid("the proxy sent more than its answer")),
            status => Err(ProxyRefused { status }.into()),
        };
    }
}

async fn write_all(transport: &mut dyn Transport, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let n = poll_fn(|cx| transport.poll_write_vectored(cx, &[IoSlice::new(bytes)])).await?;
        if n == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        bytes = bytes.get(n..).unwrap_or_default();
    }
    poll_fn(|cx| transport.poll_flush(cx)).await
}

fn invalid(error: impl Into<Box<dyn Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

impl Server {
    fn parse(url: &str) -> Result<Self, Fault> {
        // Variables often have only the host.
        let with_scheme = match url.contains("://") {
            true => url.to_owned(),
            false => format!("http://{url}"),
        };
        let url = Url::parse(&with_scheme).map_err(Fault::Url)?;
        let tls = match url.scheme() {
            "http" => false,
            "https" => true,
            other => return Err(Fault::Scheme(other.to_owned())),
        };
        let decode = |text| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let authorization = match (url.username(), url.password()) {
            ("", None) => None,
            (user, password) => {
                let password = decode(password.unwrap_or_default());
                Some(basic(&decode(user), &password)?)
            }
        };
        // A URL of these schemes has a host and a port.
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let port = url.port_or_known_default().unwrap_or_default();
        Ok(Self {
            endpoint: Endpoint::new(tls, host, port),
            authorization,
        })
    }
}

/// Returns the value of `Proxy-Authorization`.
fn basic(user: &str, password: &str) -> Result<HeaderValue, Fault> {
    if user.contains(':') {
        return Err(Fault::Colon);
    }
    let credentials = format!("{user}:{password}");
    if credentials.contains(char::is_control) {
        return Err(Fault::Control);
    }
    let text = format!("Basic {}", BASE64_STANDARD.encode(credentials));
    // Base64 is always a valid value.
    let mut value = HeaderValue::try_from(text).map_err(|_| Fault::Control)?;
    value.set_sensitive(true);
    Ok(value)
}

/// Parses a list of hosts.
fn no_proxy(hosts: &str) -> NoProxy {
    let hosts = hosts.to_ascii_lowercase();
    let hosts: Vec<_> = hosts.split(',').map(direct_host).collect();
    NoProxy::from(hosts.join(","))
}

/// Returns one host of the list in the form that is matched: a domain stands for itself and its subdomains
/// without a dot, and a network has no bits beyond its prefix.
fn direct_host(host: &str) -> String {
    let host = host.trim();
    if let Ok(network) = host.parse::<IpNet>() {
        return network.trunc().to_string();
    }
    let host = host.strip_prefix("*.").unwrap_or(host);
    host.trim_matches(['.', '[', ']']).to_owned()
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

/// The error of [`Proxy::new`], [`Proxy::from_env`] and [`Proxy::with_basic`]: the URL of the proxy does not
/// parse, has no host, or has another scheme than `http` and `https`; or the credentials are invalid. Its text does
/// not contain them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidProxy {
    variable: Option<&'static str>,
    fault: Fault,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Fault {
    Url(url::ParseError),
    Scheme(String),
    /// The user has a colon.
    Colon,
    /// The user or the password has a control character.
    Control,
}

impl InvalidProxy {
    fn by_hand(fault: Fault) -> Self {
        Self {
            variable: None,
            fault,
        }
    }

    /// Returns the name of the environment variable that has the URL; `None` for what was given to
    /// [`Proxy::new`] or [`Proxy::with_basic`].
    #[must_use]
    pub fn variable(&self) -> Option<&'static str> {
        self.variable
    }
}

impl fmt::Display for InvalidProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.variable {
            Some(variable) => write!(f, "the proxy in {variable} cannot be used: ")?,
            None => f.write_str("the proxy cannot be used: ")?,
        }
        match &self.fault {
            Fault::Url(_) => f.write_str("it is not a URL such as http://proxy.example.org:3128"),
            Fault::Scheme(scheme) => write!(f, "its scheme {scheme:?} is neither http nor https"),
            Fault::Colon => f.write_str("the user of a proxy cannot contain a colon"),
            Fault::Control => {
                f.write_str("its user and its password cannot contain control characters")
            }
        }
    }
}

impl Error for InvalidProxy {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.fault {
            Fault::Url(error) => Some(error),
            Fault::Scheme(_) | Fault::Colon | Fault::Control => None,
        }
    }
}

/// Its kind is [`InvalidInput`](io::ErrorKind::InvalidInput).
impl From<InvalidProxy> for io::Error {
    fn from(error: InvalidProxy) -> Self {
        Self::new(io::ErrorKind::InvalidInput, error)
    }
}

/// The error of a proxy that does not make a tunnel: the [inner error](io::Error::get_ref) of the
/// connection's failure. For 407 and 403 that failure is of [`io::ErrorKind::PermissionDenied`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProxyRefused {
    status: StatusCode,
}

impl ProxyRefused {
    /// Returns the status of the proxy's response, such as 407 from a proxy that wants
    /// [credentials](Proxy::with_basic).
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }
}

impl fmt::Display for ProxyRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the proxy answered {} to CONNECT", self.status)
    }
}

impl Error for ProxyRefused {}

impl From<ProxyRefused> for io::Error {
    fn from(error: ProxyRefused) -> Self {
        let kind = match error.status {
            StatusCode::PROXY_AUTHENTICATION_REQUIRED | StatusCode::FORBIDDEN => {
                io::ErrorKind::PermissionDenied
            }
            _ => io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}

#[cfg(test)]
mod tests;
