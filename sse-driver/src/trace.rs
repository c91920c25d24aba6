//! The spans and events of [`tracing`]: only this module uses it. Without the feature `tracing` its
//! functions do nothing.
//!
//! Every connection of a server has a span, `connection`, with the address of the peer if there is one,
//! and with that of the client, which may be behind proxies, if it is another one; the handler and its
//! stream run in it, so that their log lines have the addresses, too. Levels: `error` for a handler that
//! panics and for an event source that failed; `warn` for what an operator should look at; `info` for the
//! server as a whole; `debug` for each connection.

#![cfg_attr(not(feature = "tracing"), allow(unused_variables))]

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use super::Report;
use sse_core::{
    DecodeError, client::ClientEvent, http::RequestHead, lifecycle::CloseReason,
    topic::resumable::StreamEnd,
};

/// Emits an event if the feature `tracing` is on.
macro_rules! tell {
    ($level:ident, $($what:tt)*) => {
        #[cfg(feature = "tracing")]
        tracing::$level!(target: "sse", $($what)*);
    };
}

/// The span of one connection, in which all its events are emitted.
#[derive(Debug)]
pub(super) struct ConnectionSpan {
    #[cfg(feature = "tracing")]
    span: tracing::Span,
}

impl ConnectionSpan {
    pub(super) fn new(peer: Option<SocketAddr>) -> Self {
        Self {
            #[cfg(feature = "tracing")]
            span: tracing::debug_span!(target: "sse", "connection", peer = peer.map(tracing::field::display), client = tracing::field::Empty),
        }
    }

    /// Enters the span until the returned value is dropped.
    pub(super) fn enter(&self) -> Entered {
        Entered {
            #[cfg(feature = "tracing")]
            _span: self.span.clone().entered(),
        }
    }
}

pub(super) struct Entered {
    #[cfg(feature = "tracing")]
    _span: tracing::span::EnteredSpan,
}

pub(super) fn request(head: &RequestHead, peer: Option<SocketAddr>, client: Option<IpAddr>) {
    #[cfg(feature = "tracing")]
    if let Some(client) = client
        && peer.is_none_or(|peer| peer.ip() != client)
    {
        // This is recorded in the connection's span, if there is one.
        tracing::Span::current().record("client", tracing::field::display(client));
    }
    tell!(debug, method = %head.request().method(), path = head.request().uri().path(), "request");
}

pub(super) fn closed(reason: &CloseReason) {
    let name = reason.name();
    match reason {
        CloseReason::HandlerPanicked => {
            tell!(error, reason = name, "connection closed: {reason}");
        }
        CloseReason::StreamError(_) | CloseReason::SlowConsumer => {
            tell!(warn, reason = name, "connection closed: {reason}");
        }
        _ => {
            tell!(debug, reason = name, "connection closed: {reason}");
        }
    }
}

#[cfg(feature = "event-log")]
pub(super) fn log_failed(topic: &str, call: &str, error: &crate::event_log::LogError) {
    tell!(warn, topic, "the event log could not be {call}: {error}");
}

#[cfg(feature = "event-log")]
pub(super) fn event_passed_over(topic: &str, error: &sse_core::topic::PublishError) {
    tell!(
        warn,
        topic,
        "an event of the log was skipped, and clients are told that one is lost: {error}"
    );
}

pub(super) fn stream_ended(name: &str, end: &StreamEnd) {
    let outcome = end.name();
    match end {
        StreamEnd::Panicked => {
            tell!(
                error,
                stream = name,
                outcome,
                "resumable stream ended: {end}"
            );
        }
        StreamEnd::Failed(_) | StreamEnd::TooLarge(_) => {
            tell!(
                warn,
                stream = name,
                outcome,
                "resumable stream ended: {end}"
            );
        }
        _ => {
            tell!(
                debug,
                stream = name,
                outcome,
                "resumable stream ended: {end}"
            );
        }
    }
}

pub(super) fn turned_away(peer: Option<SocketAddr>) {
    // These are not warnings: a client that makes many connections would fill the log.
    tell!(
        debug,
        peer = peer.map(tracing::field::display),
        "connection rejected: the server is at its limit"
    );
}

pub(super) fn accept_failed(error: &io::Error) {
    tell!(warn, "a connection could not be accepted: {error}");
}

pub(super) fn shutting_down(open: usize) {
    tell!(info, open, "shutting down");
}

pub(super) fn shut_down(report: &Report) {
    tell!(info, "shut down: {report}");
}

pub(super) fn event_source(whole_url: &str, event: &ClientEvent) {
    let url = without_query(whole_url);
    match event {
        ClientEvent::Connect(_) => {
            tell!(debug, url, "connecting");
        }
        ClientEvent::Open(_) => {
            tell!(debug, url, "event stream open");
        }
        ClientEvent::Lost { loss, wait } => {
            tell!(
                warn,
                url,
                ?wait,
                "connection lost: {}",
                without_query_of(whole_url, loss)
            );
        }
        ClientEvent::Discarded(error) => discarded(url, error),
        ClientEvent::IdTooLong(error) => {
            tell!(warn, url, "event ID not kept: {error}");
        }
        ClientEvent::Closed(Err(failure)) => {
            tell!(
                error,
                url,
                "event source failed: {}",
                without_query_of(whole_url, failure)
            );
        }
        ClientEvent::Closed(Ok(end)) => {
            tell!(debug, url, "event source closed: {end}");
        }
        _ => {}
    }
}

pub(super) fn discarded(url: &str, error: &DecodeError) {
    let url = without_query(url);
    tell!(warn, url, "event discarded: {error}");
}

/// Returns the URL without its query, which may have a token in it. It has no user and no password: event
/// sources reject such URLs.
fn without_query(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or(url)
}

/// Returns the text of an error without the query of this URL: errors of HTTP clients may have the whole URL.
#[cfg(feature = "tracing")]
fn without_query_of(url: &str, error: &impl std::fmt::Display) -> String {
    let text = error.to_string();
    let url = url.split('#').next().unwrap_or(url);
    match url.split_once('?') {
        Some((_, query)) if !query.is_empty() => text.replace(&format!("?{query}"), "?…"),
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::without_query;

    #[test]
    fn the_query_of_a_url_is_not_told() {
        for (url, told) in [
            ("http://a/b?token=secret", "http://a/b"),
            ("http://a/b#c?d", "http://a/b"),
            ("http://a/", "http://a/"),
        ] {
            assert_eq!(without_query(url), told);
        }
    }
}
