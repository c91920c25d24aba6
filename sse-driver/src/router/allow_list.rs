//! The hosts and origins to which a router responds.

use std::{error::Error, fmt, io, str::FromStr};

use ::http::{HeaderMap, HeaderValue, StatusCode, header, uri::Authority};

use super::{InvalidOrigin, Next, Refusal, Reply, Request, Router, cors::parse_origin};

/// The hosts by which clients may address a router, and the origins whose pages may call it.
///
/// A page of any website can make its own name resolve to an address of the user's machine or network,
/// and then read a server there as its own (DNS rebinding). A server that listens there, such as one of
/// the Model Context Protocol, is safe from that if it checks the `Host` of each request.
/// [`Cors`](super::Cors) does not help: to the browser that page and that server have the same origin.
///
/// ```
/// use futures_util::stream;
/// use sse_driver::router::{AllowList, Router};
///
/// let allowed = AllowList::localhost().with_origins(["https://app.example.org"])?;
/// let router = Router::new()
///     .events("/mcp", |_| stream::iter(["hello"]))
///     .allow_only(allowed);
/// # Ok::<(), sse_driver::router::InvalidOrigin>(())
/// ```
///
/// | request | response |
/// |---|---|
/// | `Host`, or the authority of the target, is not in the list | 421 |
/// | an `Origin` that is neither in the list nor that of the requested host | 403 |
/// | no `Origin`, as from a program or a page of the same origin | that of the handler |
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowList {
    hosts: Vec<Authority>,
    origins: Vec<HeaderValue>,
}

impl AllowList {
    /// Allows these hosts: names, or addresses in the form of a URL. A host without a port is allowed at
    /// any port, and one with a port only at that port: `example.org`, `localhost:8080`, `[::1]`. Clients
    /// leave out a port of 80 or 443 where it is the usual one, so that a request without a port is allowed
    /// for these two.
    ///
    /// # Errors
    ///
    /// [`InvalidHost`], which names the first text that is not a host.
    pub fn hosts<T: AsRef<str>>(hosts: impl IntoIterator<Item = T>) -> Result<Self, InvalidHost> {
        let hosts = hosts.into_iter().map(|host| parse_host(host.as_ref()));
        Ok(Self {
            hosts: hosts.collect::<Result<_, _>>()?,
            origins: Vec::new(),
        })
    }

    /// Allows the names and addresses of the machine itself, at any port: `localhost`, `127.0.0.1` and
    /// `[::1]`.
    #[must_use]
    pub fn localhost() -> Self {
        let hosts = ["localhost", "127.0.0.1", "[::1]"];
        Self {
            hosts: hosts.map(Authority::from_static).into(),
            origins: Vec::new(),
        }
    }

    /// Allows pages of these origins, too, in addition to those of the hosts themselves. They are written
    /// as for [`Cors::origins`](super::Cors::origins), which decides whether such a page may read the
    /// response.
    ///
    /// # Errors
    ///
    /// [`InvalidOrigin`], which names the first text that is not an origin.
    pub fn with_origins<T: AsRef<str>>(
        mut self,
        origins: impl IntoIterator<Item = T>,
    ) -> Result<Self, InvalidOrigin> {
        for origin in origins {
            self.origins.push(parse_origin(origin.as_ref())?);
        }
        Ok(self)
    }

    fn check(&self, request: &Request) -> Result<(), Refusal> {
        let host = match request.uri().authority() {
            // Over HTTP/2 there is no `Host`.
            Some(authority) => Some(authority.clone()),
            None => only(request.headers(), &header::HOST)
                .and_then(|host| Authority::try_from(host.as_bytes()).ok()),
        };
        let Some(host) = host.filter(|host| self.has_host(host)) else {
            let text = "This server is not asked by that host. Use one of its own names.\n";
            return Err(Refusal::new(StatusCode::MISDIRECTED_REQUEST, text));
        };
        if !request.headers().contains_key(header::ORIGIN) {
            return Ok(());
        }
        let origin = only(request.headers(), &header::ORIGIN);
        if origin.is_some_and(|origin| self.origins.contains(origin) || is_of(origin, &host)) {
            return Ok(());
        }
        let text = "Pages of that origin may not ask this server.\n";
        Err(Refusal::new(StatusCode::FORBIDDEN, text))
    }

    fn has_host(&self, asked: &Authority) -> bool {
        self.hosts
            .iter()
            .any(|allowed| is_same_name(allowed, asked) && is_at_port(allowed, asked))
    }
}

/// Returns whether a request for `asked` is one at the port of `allowed`, if it has any. Clients leave out
/// the usual port of the scheme, which a server behind a proxy does not know.
fn is_at_port(allowed: &Authority, asked: &Authority) -> bool {
    match (allowed.port_u16(), asked.port_u16()) {
        (None, _) | (Some(80 | 443), None) => true,
        (allowed, asked) => allowed == asked,
    }
}

/// Returns the value of a field that occurs once.
fn only<'h>(headers: &'h HeaderMap, name: &header::HeaderName) -> Option<&'h HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

/// Returns whether a page of this origin calls the host that it came from. A server behind a proxy does
/// not know the scheme.
fn is_of(origin: &HeaderValue, host: &Authority) -> bool {
    let origin = origin.to_str().ok();
    let Some((scheme, authority)) = origin.and_then(|origin| origin.split_once("://")) else {
        return false;
    };
    let default = match scheme {
        "http" => 80,
        "https" => 443,
        _ => return false,
    };
    Authority::from_str(authority).is_ok_and(|authority| {
        is_same_name(&authority, host)
            && authority.port_u16().unwrap_or(default) == host.port_u16().unwrap_or(default)
    })
}

fn is_same_name(one: &Authority, other: &Authority) -> bool {
    // A name may end with the dot of the root.
    let name = |host: &'_ Authority| host.host().trim_end_matches('.').to_ascii_lowercase();
    name(one) == name(other)
}

fn parse_host(host: &str) -> Result<Authority, InvalidHost> {
    let error = || InvalidHost { host: host.into() };
    let authority = Authority::from_str(host).map_err(|_| error())?;
    let has_bad_port = authority.port().is_none() && authority.host() != host;
    match authority.host().is_empty() || host.contains(['@', '*']) || has_bad_port {
        true => Err(error()),
        false => Ok(authority),
    }
}

impl Router {
    /// Adds a [layer](Self::layer) before the handlers that refuses requests for other hosts, or from
    /// pages of other origins. As with any layer, responses of the router [itself](super), such as a 404,
    /// do not go through it.
    #[must_use]
    pub fn allow_only(self, allowed: AllowList) -> Self {
        let allowed = std::sync::Arc::new(allowed);
        self.layer(move |request: Request, next: Next| {
            let checked = allowed.check(&request);
            async move {
                match checked {
                    Ok(()) => next.run(request).await,
                    Err(refusal) => Reply::from(refusal),
                }
            }
        })
    }
}

/// The error of a text that is not a host in the form of a URL: a name or an IP address, with a port or
/// without, and an IPv6 address in brackets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidHost {
    host: String,
}

impl InvalidHost {
    /// Returns the text that was given for a host.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }
}

impl fmt::Display for InvalidHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is no host as in a URL; give a name or an address and perhaps a port, such as \
             example.org, localhost:8080 or [::1], and neither a scheme nor a wildcard",
            self.host
        )
    }
}

impl Error for InvalidHost {}

/// Its kind is [`InvalidInput`](io::ErrorKind::InvalidInput).
impl From<InvalidHost> for io::Error {
    fn from(error: InvalidHost) -> Self {
        Self::new(io::ErrorKind::InvalidInput, error)
    }
}
