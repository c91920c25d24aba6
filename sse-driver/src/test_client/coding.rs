//! The content coding of a response's body.

#[cfg(feature = "compression")]
use ::http::header;
#[cfg(feature = "compression")]
use sse_core::gzip::GzipDecoder;
use sse_core::http::{BodyError, Response};

/// What decodes a body, where that is in the content coding `gzip` and the feature `compression` is on.
#[derive(Debug, Default)]
pub(super) struct Coding {
    #[cfg(feature = "compression")]
    is_gzip: bool,
    /// There from the first byte on, since a response without a body has none to decode.
    #[cfg(feature = "compression")]
    gzip: Option<Box<GzipDecoder>>,
}

#[cfg(feature = "compression")]
impl Coding {
    /// The coding of the body behind this head.
    pub(super) fn of(head: &Response<()>) -> Self {
        let coding = head.headers().get(header::CONTENT_ENCODING);
        Self {
            is_gzip: coding.is_some_and(|coding| coding == "gzip"),
            gzip: None,
        }
    }

    /// Appends what `data` is to `bytes`.
    pub(super) fn decode(&mut self, mut data: &[u8], bytes: &mut Vec<u8>) -> Result<(), BodyError> {
        if !self.is_gzip {
            bytes.extend_from_slice(data);
            return Ok(());
        }
        // A test believes the server.
        let gzip = self
            .gzip
            .get_or_insert_with(|| Box::new(GzipDecoder::new(u32::MAX)));
        while gzip.decode(&mut data, bytes).map_err(BodyError::Coding)? {}
        Ok(())
    }

    /// The body has ended.
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
