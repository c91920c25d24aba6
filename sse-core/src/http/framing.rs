//! How the body of a response is delimited.

#[cfg(feature = "client")]
use ::http::{HeaderMap, Method, Response, StatusCode, Version, header};

#[cfg(feature = "client")]
use super::{
    ResponseHeadError,
    head::{self, Fault},
};

/// How the response's body is delimited
/// ([RFC 9112 section 6.3](https://www.rfc-editor.org/rfc/rfc9112#section-6.3)).
///
/// ```
/// use sse_core::http::{Framing, Method, Response};
///
/// let response = Response::builder().header("transfer-encoding", "chunked").body(())?;
/// assert_eq!(Framing::of(&response, &Method::GET)?, Framing::Chunked);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is no body, and no `Content-Length` either, as in a 204.
    NoBody,
    /// This many bytes follow; in the response to a HEAD, none do.
    ContentLength(u64),
    /// The body is in chunks.
    Chunked,
    /// The body ends with the connection, mostly in HTTP/1.0.
    CloseDelimited,
}

#[cfg(feature = "client")]
impl Framing {
    /// Returns how the body of a received response is delimited. If it has both `Transfer-Encoding` and
    /// `Content-Length` the former counts. A connection has one response, so a second one cannot be
    /// smuggled in with it.
    ///
    /// As in browsers and curl, `identity` (of RFC 2616) is no transfer coding, and `chunked` that is named
    /// more than once in a row counts once: some servers send the one, and others add the field to the one that
    /// their library writes.
    ///
    /// # Errors
    ///
    /// [`ResponseHeadError::Malformed`] where the fields contradict each other or are not valid, and
    /// [`ResponseHeadError::UnknownTransferCoding`] for another transfer coding than `chunked`.
    pub fn of(response: &Response<()>, method: &Method) -> Result<Self, ResponseHeadError> {
        let (status, headers) = (response.status(), response.headers());
        if *method == Method::HEAD
            || status.is_informational()
            || [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&status)
        {
            return Ok(Self::NoBody);
        }
        let framing = is_chunked(response).and_then(|chunked| match chunked {
            true => Ok(Self::Chunked),
            false => content_length(headers).map(|length| match length {
                Some(length) => Self::ContentLength(length),
                None => Self::CloseDelimited,
            }),
        });
        framing.map_err(ResponseHeadError::from_fault)
    }
}

/// Returns whether the body is in chunks, which is the only transfer coding that is decoded.
#[cfg(feature = "client")]
fn is_chunked(response: &Response<()>) -> Result<bool, Fault> {
    let mut codings = head::transfer_codings(response.headers())?;
    codings.retain(|coding| !coding.eq_ignore_ascii_case("identity"));
    codings.dedup_by(|coding, before| coding.eq_ignore_ascii_case(before));
    if codings.is_empty() {
        return Ok(false);
    }
    match response.version() {
        Version::HTTP_10 => Err(Fault::Malformed("HTTP/1.0 has no Transfer-Encoding")),
        _ => head::check_codings(&codings).map(|()| true),
    }
}

/// Returns the length that all `Content-Length` fields agree on. Some senders repeat the field, or a
/// proxy has joined two of them ([RFC 9112 section
/// 6.3](https://www.rfc-editor.org/rfc/rfc9112#section-6.3)).
#[cfg(feature = "client")]
fn content_length(headers: &HeaderMap) -> Result<Option<u64>, Fault> {
    let mut agreed = None;
    for value in headers.get_all(header::CONTENT_LENGTH) {
        for length in value.as_bytes().split(|&byte| byte == b',') {
            let length = head::parse_number(length.trim_ascii())
                .ok_or(Fault::Malformed("its Content-Length is not a number"))?;
            if agreed.is_some_and(|agreed| agreed != length) {
                return Err(Fault::Malformed("it has Content-Lengths that differ"));
            }
            agreed = Some(length);
        }
    }
    Ok(agreed)
}
