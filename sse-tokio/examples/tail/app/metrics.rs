//! The counters of a server and its topic, as a page for Prometheus.
//!
//! The format: <https://prometheus.io/docs/instrumenting/exposition_formats/>

use std::fmt::{self, Write};

use crate::on::adapter::{HeaderValue, Response, ServerStats, http::header, topic::TopicStats};

pub(crate) fn page(server: &ServerStats, topic: &TopicStats) -> Response<String> {
    let mut text = String::new();
    // Writing to a text does not fail.
    let _ = write_all(&mut text, server, topic);
    let mut response = Response::new(text);
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"),
    );
    response
}

fn write_all(text: &mut String, server: &ServerStats, topic: &TopicStats) -> fmt::Result {
    let mut counter = |name: &str, help: &str, value| one(text, name, "counter", help, value);
    counter(
        "sse_accepted_total",
        "Connections accepted.",
        server.accepted,
    )?;
    counter(
        "sse_turned_away_total",
        "Connections turned away at the limit.",
        server.turned_away,
    )?;
    counter(
        "sse_accept_errors_total",
        "Connections that could not be accepted.",
        server.accept_errors,
    )?;
    counter("sse_requests_total", "Requests.", server.requests)?;
    counter(
        "sse_events_total",
        "Events given to connections.",
        server.events,
    )?;
    counter(
        "sse_written_bytes_total",
        "Bytes written.",
        server.written_bytes,
    )?;
    counter(
        "sse_topic_published_events_total",
        "Events published.",
        topic.published_events,
    )?;
    counter(
        "sse_topic_published_bytes_total",
        "Bytes published.",
        topic.published_bytes,
    )?;
    counter(
        "sse_topic_delivered_events_total",
        "Events taken by subscribers.",
        topic.delivered_events,
    )?;
    counter(
        "sse_topic_delivered_bytes_total",
        "Bytes taken by subscribers.",
        topic.delivered_bytes,
    )?;
    counter(
        "sse_topic_cut_total",
        "Subscribers cut for being too slow.",
        topic.cut,
    )?;
    counter(
        "sse_topic_lost_events_total",
        "Events that slow subscribers lost.",
        topic.lost_events,
    )?;

    let mut gauge = |name: &str, help: &str, value| one(text, name, "gauge", help, value);
    gauge("sse_open_connections", "Connections open.", server.open)?;
    gauge(
        "sse_queued_bytes",
        "Bytes that wait to be written.",
        server.queued_bytes,
    )?;
    gauge("sse_topic_subscribers", "Subscribers.", topic.subscribers)?;
    gauge(
        "sse_topic_retained_events",
        "Events kept for replay.",
        topic.retained_events,
    )?;
    gauge(
        "sse_topic_retained_bytes",
        "Bytes of memory they take.",
        topic.retained_bytes,
    )?;

    let joined = [
        ("fresh", topic.fresh),
        ("resumed", topic.resumed),
        ("gap", topic.gaps),
        ("unknown", topic.unknown),
    ];
    many(
        text,
        "sse_topic_joined_total",
        "Subscriptions, by outcome.",
        "outcome",
        joined,
    )?;
    let closed = server.closed.iter();
    many(
        text,
        "sse_closed_total",
        "Connections closed, by reason.",
        "reason",
        closed,
    )
}

fn one(text: &mut String, name: &str, kind: &str, help: &str, value: u64) -> fmt::Result {
    writeln!(
        text,
        "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}"
    )
}

/// Writes one counter for each value of a label.
fn many(
    text: &mut String,
    name: &str,
    help: &str,
    label: &str,
    values: impl IntoIterator<Item = (&'static str, u64)>,
) -> fmt::Result {
    writeln!(text, "# HELP {name} {help}\n# TYPE {name} counter")?;
    for (value, count) in values {
        writeln!(text, "{name}{{{label}=\"{value}\"}} {count}")?;
    }
    Ok(())
}
