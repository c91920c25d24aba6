//! The host and the target of a request.

use std::net::Ipv6Addr;

use ::http::{HeaderMap, Method, Uri, Version, header};

use super::{
    head,
    request_head::RequestHeadError::{self, Malformed},
};

/// Parses a target in one of its forms ([RFC 9112 section
/// 3.2](https://www.rfc-editor.org/rfc/rfc9112#section-3.2)).
pub(super) fn parse_target(target: &str, method: &Method) -> Result<Uri, RequestHeadError> {
    const WRONG: RequestHeadError = Malformed("its target is not valid");
    // `Uri` would drop a fragment silently.
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

/// Checks `Host`: an HTTP/1.1 request has exactly one valid field, an HTTP/1.0 one at most one ([RFC 9112
/// section 3.2](https://www.rfc-editor.org/rfc/rfc9112#section-3.2)). If the target names a host, too,
/// both must be the same, as clients have to send them; otherwise a proxy and a handler could use
/// different ones.
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

/// Returns whether `target` names this host and port, or no host.
fn is_for((host, port): (&str, Option<u16>), target: &Uri) -> bool {
    // A target without a scheme has no authority, or is that of CONNECT, which is not supported.
    let (Some(scheme), Some(authority)) = (target.scheme_str(), target.authority()) else {
        return true;
    };
    let usual = if scheme == "https" { 443 } else { 80 };
    host_and_port(authority.as_str()).is_some_and(|(target_host, target_port)| {
        target_host.eq_ignore_ascii_case(host)
            && target_port.unwrap_or(usual) == port.unwrap_or(usual)
    })
}

/// Parses a host with an optional port.
///
/// [RFC 3986 section 3.2](https://www.rfc-editor.org/rfc/rfc3986#section-3.2) allows more: a user, a
/// colon without a port, and in a name commas, parentheses and percent signs. No real host has such a
/// name, and readers differ about it: `a,b`, for example, may be two fields that were joined.
fn host_and_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match authority.rsplit_once(':') {
        // A colon within the brackets belongs to the address.
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

/// Returns whether the byte may be in a registered name or an IPv4 address.
fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

fn parse_port(text: &str) -> Option<u16> {
    head::parse_number(text.as_bytes())?.try_into().ok()
}
