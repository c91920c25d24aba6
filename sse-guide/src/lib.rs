//! The guide to Server-Sent Events with these crates. Its pages are in `docs/`; their code is
//! compiled with the tests.
#![forbid(unsafe_code)]
#![deny(missing_docs)]
