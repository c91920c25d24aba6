//! What a route's path may look like, and what its parameters stand for.

use percent_encoding::percent_decode_str;

/// What a parameter stands for, decoded. `None` where a percent sign is not followed by two
/// hexadecimal digits, or the result is not UTF-8.
pub(super) fn decode(part: &str) -> Option<String> {
    let is_whole = |after_percent: &str| {
        matches!(after_percent.as_bytes(), [high, low, ..]
            if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
    };
    if !part.split('%').skip(1).all(is_whole) {
        return None;
    }
    let decoded = percent_decode_str(part).decode_utf8().ok()?;
    Some(decoded.into_owned())
}

/// A name that two parameters of a well-formed path share: a handler could see the first alone.
pub(super) fn repeated_param(path: &str) -> Option<String> {
    // Doubled braces stand for themselves.
    let path = path.replace("{{", "").replace("}}", "");
    let mut seen = Vec::new();
    for (param, _) in path.split('{').skip(1).filter_map(|p| p.split_once('}')) {
        let name = param.trim_start_matches('*');
        if seen.contains(&name) {
            return Some(name.to_owned());
        }
        seen.push(name);
    }
    None
}
