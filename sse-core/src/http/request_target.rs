//! Which host and which resource a request is for.

use std::net::Ipv6Addr;

use ::http::{HeaderMap, Method, Uri, Version, header};

use super::{
    head,
    request_head::RequestHeadError::{self, Malformed},
};

/// The forms of a target
/// ([RFC 9112 section 3.2](https://www.rfc-editor.org/rfc/rfc9112#section-3.2)).
pub(super) fn parse_target(target: &str, method: &Method) -> Result<Uri, RequestHeadError> {
    const WRONG: RequestHeadError = Malformed("its target is not a valid one");
    // `Uri` would drop a fragment without a word.
    if target.contains('#') {
        return Err(Malformed("its target has a fragment"));
    }
    let uri: Uri = target.parse().map_err(|_| WRONG)?;
    let authority = uri
        .authority()
        .and_then(|authority| host_and_port(authority.as_str()));
    let is_proper = if *method == Method::CONNECT {
        uri.scheme().is_none() && matches!(authority, Some((_, Some(_))))
    } else if target == "*" {
        *method == Method::OPTIONS
    } else if target.starts_with('/') {
        true
    } else {
        matches!(uri.scheme_str(), Some("http" | "https")) && authority.is_some()
    };
    if is_proper { Ok(uri) } else { Err(WRONG) }
}

/// An HTTP/1.1 request has exactly one valid `Host`, an HTTP/1.0 one at most one
/// ([RFC 9112 section 3.2](https://www.rfc-editor.org/rfc/rfc9112#section-3.2)). Where the target
/// names a host as well, it is the same one: a client has to say so, and of two hosts a proxy and a
/// handler could look at different ones.
pub(super) fn check_host(
    headers: &HeaderMap,
    version: Version,
    target: &Uri,
) -> Result<(), RequestHeadError> {
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) if version == Version::HTTP_10 => Ok(()),
        (None, _) => Err(Malformed("it has no Host field")),
        (Some(_), Some(_)) => Err(Malformed("it has more than one Host field")),
        (Some(host), None) => match host.to_str().ok().and_then(host_and_port) {
            Some(host) if is_for(host, target) => Ok(()),
            Some(_) => Err(Malformed("its Host field is not the host of its target")),
            None => Err(Malformed("its Host field is not a host and a port")),
        },
    }
}

/// Whether `target` is for this host and port, or does not say whom it is for.
fn is_for((host, port): (&str, Option<u16>), target: &Uri) -> bool {
    // Without a scheme there is no authority, or it is that of CONNECT, which nothing here serves.
    let (Some(scheme), Some(authority)) = (target.scheme_str(), target.authority()) else {
        return true;
    };
    let usual = if scheme == "https" { 443 } else { 80 };
    host_and_port(authority.as_str()).is_some_and(|(target_host, target_port)| {
        target_host.eq_ignore_ascii_case(host)
            && target_port.unwrap_or(usual) == port.unwrap_or(usual)
    })
}

/// A host, and a port if any.
///
/// [RFC 3986 section 3.2](https://www.rfc-editor.org/rfc/rfc3986#section-3.2) allows more: a user,
/// a colon without a port, and in a name commas, parentheses and percent signs. No host is called
/// so, and what is read from such a name differs: `a,b` may well be two fields that became one.
fn host_and_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match authority.rsplit_once(':') {
        // A colon within the brackets is the address's own.
        Some((host, port)) if !port.ends_with(']') => (host, Some(parse_port(port)?)),
        _ => (authority, None),
    };
    let is_host = match host.strip_prefix('[') {
        Some(address) => address
            .strip_suffix(']')
            .is_some_and(|address| address.parse::<Ipv6Addr>().is_ok()),
        None => !host.is_empty() && host.bytes().all(is_name_byte),
    };
    is_host.then_some((host, port))
}

/// Of a registered name or of an IPv4 address.
fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

fn parse_port(text: &str) -> Option<u16> {
    head::parse_number(text.as_bytes())?.try_into().ok()
}
