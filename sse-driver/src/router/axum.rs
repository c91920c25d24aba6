//! Refusals in handlers of axum.

use axum_core::{
    body::Body,
    response::{IntoResponse, Response},
};

use super::Refusal;

/// A handler of axum may return a refusal, and `?` converts this crate's errors to it.
impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        Refusal::into_response(self).map(Body::from)
    }
}
