//! The content coding of a response's body.

#[cfg(feature = "compression")]
use ::http::header;
#[cfg(feature = "compression")]
use sse_core::gzip::GzipDecoder;
use sse_core::http::{BodyError, Response};

/// Decodes a body in the content coding `gzip`, if the feature `compression` is on.
#[derive(Debug, Default)]
pub(super) struct Coding {
    #[cfg(feature = "compression")]
    is_gzip: bool,
    /// Made at the first byte, because a response without a body has none to decode.
    #[cfg(feature = "compression")]
    gzip: Option<Box<GzipDecoder>>,
}

#[cfg(feature = "compression")]
impl Coding {
    /// Returns the coding of the body behind this head.
    pub(super) fn of(head: &Response<()>) -> Self {
        let coding = head.headers().get(header::CONTENT_ENCODING);
        Self {
            is_gzip: coding.is_some_and(|coding| coding == "gzip"),
            gzip: None,
        }
    }

    /// Decodes `data`, and appends the result to `bytes`.
    pub(super) fn decode(&mut self, mut data: &[u8], bytes: &mut Vec<u8>) -> Result<(), BodyError> {
        if !self.is_gzip {
            bytes.extend_from_slice(data);
            return Ok(());
        }
        // A test trusts the server, so the expansion has no bound.
        let gzip = self
            .gzip
            .get_or_insert_with(|| Box::new(GzipDecoder::new(u32::MAX)));
        while gzip.decode(&mut data, bytes).map_err(BodyError::Coding)? {}
        Ok(())
    }

    /// Reports the end of the body, and returns whether it was complete.
    pub(super) fn end(&self) -> Result<(), BodyError> {
        match &self.gzip {
            Some(gzip) => gzip.end().map_err(BodyError::Coding),
            None => Ok(()),
        }
    }
}

#[cfg(not(feature = "compression"))]
impl Coding {
    pub(super) fn of(_: &Response<()>) -> Self {
        Self::default()
    }

    pub(super) fn decode(&mut self, data: &[u8], bytes: &mut Vec<u8>) -> Result<(), BodyError> {
        bytes.extend_from_slice(data);
        Ok(())
    }

    pub(super) fn end(&self) -> Result<(), BodyError> {
        Ok(())
    }
}
