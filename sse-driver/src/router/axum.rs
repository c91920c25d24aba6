//! Refusals in handlers of axum's.

use axum_core::{
    body::Body,
    response::{IntoResponse, Response},
};

use super::Refusal;

/// A handler of axum's may return it, and `?` makes it of this crate's errors.
impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        Refusal::into_response(self).map(Body::from)
    }
}
