//! The address of the client, behind proxies.

use std::{
    error::Error,
    fmt, io, iter,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    str::FromStr,
};

use ::http::{HeaderMap, HeaderName, header};
use ipnet::{AddrParseError, IpNet, Ipv4Net};

/// The proxies that are trusted to name a client's address, and the header field that they use.
///
/// A proxy adds the address of the peer that connected to it at the end of a list in a header field. A
/// client can send such a field itself, so only addresses that a known proxy added can be trusted. The
/// list is therefore read from its end: beginning with the peer of the connection, each address of a
/// trusted proxy is replaced by the one that this proxy added, and the first that is not a trusted proxy
/// is the client. If that entry is not an address (`unknown`, an obfuscated name, a fault), the client
/// beyond the proxy is unknown, and the proxy's own address is used.
///
/// ```
/// use sse_driver::{ServerConfig, TrustedProxies};
///
/// let mut config = ServerConfig::default();
/// // A load balancer in this network, and a proxy on this machine behind it.
/// let proxies = TrustedProxies::with_x_forwarded_for(["10.0.0.0/8", "127.0.0.1", "::1"])?;
/// config.trusted_proxies = Some(proxies);
/// # Ok::<(), sse_driver::InvalidNetwork>(())
/// ```
///
/// Handlers and layers take a [`ClientAddress`](crate::router::extract::ClientAddress).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedProxies {
    networks: Vec<IpNet>,
    field: Field,
    trusts_nameless: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    Forwarded,
    XForwardedFor,
}

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

impl TrustedProxies {
    /// Trusts proxies in these networks, which add to `X-Forwarded-For`, as most do. A network is an
    /// address, or one with the length of its prefix, such as `10.0.0.0/8` or `fd00::/8`.
    ///
    /// The proxies must not pass that field on unchanged: they have to add to it, or replace it.
    ///
    /// # Errors
    ///
    /// [`InvalidNetwork`], which names the first text that is not a network.
    pub fn with_x_forwarded_for<T: AsRef<str>>(
        networks: impl IntoIterator<Item = T>,
    ) -> Result<Self, InvalidNetwork> {
        Self::new(networks, Field::XForwardedFor)
    }

    /// Trusts proxies in these networks, which add to `Forwarded` ([RFC
    /// 7239](https://www.rfc-editor.org/rfc/rfc7239)).
    ///
    /// # Errors
    ///
    /// The errors of [`with_x_forwarded_for`](Self::with_x_forwarded_for).
    pub fn with_forwarded<T: AsRef<str>>(
        networks: impl IntoIterator<Item = T>,
    ) -> Result<Self, InvalidNetwork> {
        Self::new(networks, Field::Forwarded)
    }

    fn new<T: AsRef<str>>(
        networks: impl IntoIterator<Item = T>,
        field: Field,
    ) -> Result<Self, InvalidNetwork> {
        let networks = networks.into_iter().map(|text| parse(text.as_ref()));
        Ok(Self {
            networks: networks.collect::<Result<_, _>>()?,
            field,
            trusts_nameless: false,
        })
    }

    /// Trusts peers without an address as well: a proxy that connects to a Unix socket of the server.
    #[must_use]
    pub fn and_unix_sockets(mut self) -> Self {
        self.trusts_nameless = true;
        self
    }

    /// Returns the address of the client whose request came from `peer` with these fields. Returns `None`
    /// where it is not known: `peer` is `None`, and no trusted proxy names one.
    #[must_use]
    pub fn client(&self, peer: Option<SocketAddr>, headers: &HeaderMap) -> Option<IpAddr> {
        let mut client = peer.map(|peer| peer.ip().to_canonical());
        let name = match self.field {
            Field::Forwarded => header::FORWARDED,
            Field::XForwardedFor => X_FORWARDED_FOR,
        };
        // Several fields are one list, whose last element is in the last field.
        for value in headers.get_all(name).iter().rev() {
            for element in from_the_end(value.as_bytes(), b',') {
                if !self.trusts(client) {
                    return client;
                }
                match self.field.address(element) {
                    Some(address) => client = Some(address),
                    None => return client,
                }
            }
        }
        client
    }

    fn trusts(&self, address: Option<IpAddr>) -> bool {
        match address {
            Some(address) => self.networks.iter().any(|net| net.contains(&address)),
            None => self.trusts_nameless,
        }
    }
}

/// Returns the parts of a text between its separators, the last one first. A separator in a quoted text
/// separates nothing. The text is read from its end, where a trusted proxy wrote: what is before that, even
/// an unmatched quote, changes nothing.
fn from_the_end(text: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(text);
    iter::from_fn(move || {
        let (before, last) = split_last(rest?, separator);
        rest = before;
        Some(last)
    })
}

fn split_last(text: &[u8], separator: u8) -> (Option<&[u8]>, &[u8]) {
    let mut is_quoted = false;
    for (at, byte) in text.iter().enumerate().rev() {
        let before = text.get(..at).unwrap_or_default();
        if *byte == b'"' {
            let escapes = before.iter().rev().take_while(|byte| **byte == b'\\');
            is_quoted ^= !is_quoted || escapes.count() % 2 == 0;
        } else if *byte == separator && !is_quoted {
            return (Some(before), text.get(at + 1..).unwrap_or_default());
        }
    }
    (None, text)
}

impl Field {
    /// Returns the address in one element of the list.
    fn address(self, element: &[u8]) -> Option<IpAddr> {
        let text = |bytes| Some(str::from_utf8(bytes).ok()?.trim());
        match self {
            Self::XForwardedFor => node(text(element)?),
            Self::Forwarded => {
                // Another part may hold what the client chose, such as its `Host`.
                let mut names = from_the_end(element, b';').filter_map(|pair| {
                    let (name, value) = text(pair)?.split_once('=')?;
                    name.trim().eq_ignore_ascii_case("for").then_some(value)
                });
                let (Some(value), None) = (names.next(), names.next()) else {
                    return None;
                };
                let value = value.trim();
                // No address has characters that would be escaped.
                let quoted = value.strip_prefix('"').and_then(|v| v.strip_suffix('"'));
                node(quoted.unwrap_or(value))
            }
        }
    }
}

/// Parses an address with an optional port, in the forms that proxies write: `192.0.2.1`, `192.0.2.1:80`,
/// `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:80`.
fn node(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address.to_canonical());
    }
    let address = match text.strip_prefix('[') {
        Some(rest) => {
            let (address, port) = rest.split_once(']')?;
            if !port.is_empty() && !is_port(port.strip_prefix(':')?) {
                return None;
            }
            IpAddr::V6(address.parse::<Ipv6Addr>().ok()?)
        }
        None => {
            let (address, port) = text.split_once(':')?;
            if !is_port(port) {
                return None;
            }
            IpAddr::V4(address.parse().ok()?)
        }
    };
    Some(address.to_canonical())
}

/// Returns whether this is a port, or an obfuscated one.
fn is_port(text: &str) -> bool {
    let is_hidden = text.starts_with('_') && text.len() > 1;
    is_hidden || (text.bytes().all(|b| b.is_ascii_digit()) && text.parse::<u16>().is_ok())
}

fn parse(text: &str) -> Result<IpNet, InvalidNetwork> {
    let network = match text.parse::<IpAddr>() {
        Ok(address) => Ok(IpNet::from(address.to_canonical())),
        Err(_) => IpNet::from_str(text).map(in_canonical_form),
    };
    network.map_err(|cause| InvalidNetwork {
        text: text.to_owned(),
        cause,
    })
}

/// Returns a network of IPv4-mapped addresses as one of IPv4, as their addresses are compared.
fn in_canonical_form(network: IpNet) -> IpNet {
    const MAPPED: u8 = 96;
    let prefix_len = network.prefix_len().checked_sub(MAPPED);
    match (network.addr().to_canonical(), prefix_len) {
        (IpAddr::V4(address), Some(len)) if network.addr().is_ipv6() => {
            Ipv4Net::new(address, len).map_or(network, IpNet::V4)
        }
        _ => network,
    }
}

/// The error of a text that is neither an IP address nor a network such as `10.0.0.0/8`. A host name is
/// neither: write its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidNetwork {
    text: String,
    cause: AddrParseError,
}

impl fmt::Display for InvalidNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { text, cause } = self;
        write!(
            f,
            "{text:?} is neither a network, such as 10.0.0.0/8, nor an address: {cause}"
        )
    }
}

impl Error for InvalidNetwork {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.cause)
    }
}

/// Its kind is [`InvalidInput`](io::ErrorKind::InvalidInput).
impl From<InvalidNetwork> for io::Error {
    fn from(error: InvalidNetwork) -> Self {
        Self::new(io::ErrorKind::InvalidInput, error)
    }
}

#[cfg(test)]
mod tests {
    use ::http::HeaderValue;

    use super::*;

    fn client(proxies: &TrustedProxies, peer: &str, values: &[&str]) -> String {
        let name = match proxies.field {
            Field::Forwarded => "forwarded",
            Field::XForwardedFor => "x-forwarded-for",
        };
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name, HeaderValue::from_str(value).unwrap());
        }
        let peer = (!peer.is_empty()).then(|| SocketAddr::new(peer.parse().unwrap(), 5000));
        match proxies.client(peer, &headers) {
            Some(address) => address.to_string(),
            None => "unknown".into(),
        }
    }

    #[test]
    fn the_client_is_the_first_from_the_end_that_is_not_a_trusted_proxy() {
        let proxies = TrustedProxies::with_x_forwarded_for(["10.0.0.0/8", "::1"]).unwrap();
        for (peer, values, expected) in [
            // A field from a peer that is not trusted is ignored.
            ("192.0.2.9", &["203.0.113.1"][..], "192.0.2.9"),
            ("", &["203.0.113.1"], "unknown"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["203.0.113.1"], "203.0.113.1"),
            ("::ffff:10.0.0.1", &["203.0.113.1"], "203.0.113.1"),
            // The part that the client itself claimed comes first.
            ("10.0.0.1", &["127.0.0.1, 203.0.113.1"], "203.0.113.1"),
            ("10.0.0.1", &["evil", "203.0.113.1"], "203.0.113.1"),
            ("10.0.0.1", &["\"evil, 203.0.113.1"], "203.0.113.1"),
            // Proxies behind proxies.
            ("::1", &["203.0.113.1, 10.1.2.3", "10.9.9.9"], "203.0.113.1"),
            ("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            // Ports and brackets.
            ("10.0.0.1", &["203.0.113.1:443"], "203.0.113.1"),
            ("10.0.0.1", &["[2001:db8::7]:443"], "2001:db8::7"),
            ("10.0.0.1", &["[2001:db8::7]"], "2001:db8::7"),
            ("10.0.0.1", &["2001:db8::7"], "2001:db8::7"),
            // An entry that is not an address hides the client, and the proxy's address is used.
            ("10.0.0.1", &["203.0.113.1, unknown"], "10.0.0.1"),
            ("10.0.0.1", &["203.0.113.1, 10.0.0.2, "], "10.0.0.1"),
            ("10.0.0.1", &["203.0.113.1, x, 10.0.0.2"], "10.0.0.2"),
            ("10.0.0.1", &["203.0.113.1:99999"], "10.0.0.1"),
            ("10.0.0.1", &["203.0.113.1:"], "10.0.0.1"),
            ("10.0.0.1", &["[203.0.113.1]"], "10.0.0.1"),
            ("10.0.0.1", &["[::7]x"], "10.0.0.1"),
            ("10.0.0.1", &[""], "10.0.0.1"),
        ] {
            assert_eq!(client(&proxies, peer, values), expected, "{values:?}");
        }
        let local = proxies.and_unix_sockets();
        assert_eq!(client(&local, "", &["203.0.113.1"]), "203.0.113.1");
        assert_eq!(client(&local, "", &[]), "unknown");
    }

    #[test]
    fn forwarded_is_read_with_its_quotes_and_hidden_names() {
        let proxies = TrustedProxies::with_forwarded(["10.0.0.0/8"]).unwrap();
        for (value, expected) in [
            ("for=203.0.113.1", "203.0.113.1"),
            ("For=\"[2001:db8:cafe::17]:4711\"", "2001:db8:cafe::17"),
            ("proto=https; for=203.0.113.1 ;by=10.0.0.1", "203.0.113.1"),
            ("for=192.0.2.43, for=\"203.0.113.1:_port\"", "203.0.113.1"),
            (
                "for=192.0.2.43,for=203.0.113.1;by=\"a,b\\\",c\"",
                "203.0.113.1",
            ),
            ("for=203.0.113.1;host=\"\\\\\"", "203.0.113.1"),
            // What the client chose, in a part before the proxy's own.
            ("host=\"a;for=6.6.6.6;b\";for=203.0.113.1", "203.0.113.1"),
            ("host=\"a\\\";for=6.6.6.6\";for=203.0.113.1", "203.0.113.1"),
            (
                "for=\"203.0.113.1\";host=\"a;for=6.6.6.6;b\"",
                "203.0.113.1",
            ),
            ("host=\"a;for=6.6.6.6;b\"", "10.0.0.1"),
            ("host=a;for=6.6.6.6;for=203.0.113.1", "10.0.0.1"),
            ("for=\"evil, for=203.0.113.1", "203.0.113.1"),
            ("for=203.0.113.1, for=unknown", "10.0.0.1"),
            ("for=203.0.113.1, for=_hidden", "10.0.0.1"),
            ("for=203.0.113.1, proto=https", "10.0.0.1"),
            ("203.0.113.1", "10.0.0.1"),
        ] {
            assert_eq!(client(&proxies, "10.0.0.1", &[value]), expected, "{value}");
        }
    }

    /// As a socket for both families tells them.
    #[test]
    fn addresses_of_ipv4_may_be_written_as_those_of_ipv6() {
        for network in ["::ffff:10.0.0.1", "::ffff:10.0.0.0/104", "::/0"] {
            let proxies = TrustedProxies::with_x_forwarded_for([network]).unwrap();
            let client = client(&proxies, "::ffff:10.0.0.1", &["203.0.113.1"]);
            let expected = match network {
                "::/0" => "10.0.0.1",
                _ => "203.0.113.1",
            };
            assert_eq!(client, expected, "{network}");
        }
    }

    #[test]
    fn an_invalid_network_is_named() {
        for text in ["", "10.0.0.0/33", "localhost", "10.0.0.0/8/8", "fd00::/129"] {
            let error = TrustedProxies::with_forwarded(["::1", text]).unwrap_err();
            let begins = format!("{text:?} is neither a network");
            assert!(error.to_string().starts_with(&begins), "{error}");
            assert!(error.source().is_some());
        }
    }
}
