//! Refusals in handlers of axum.

use axum_core::{
    body::Body,
    response::{IntoResponse, Response},
};

use super::Refusal;

/// A handler of axum may return a refusal, and `?` converts this crate's errors to it.
// The `cfg` is on the module, too. Here it is for the documentation of an adapter, which names the feature by it.
#[cfg(feature = "axum")]
impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        Refusal::into_response(self).map(Body::from)
    }
}
