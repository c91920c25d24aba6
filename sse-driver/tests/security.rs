//! SECURITY.md names every bound of the code, with its default.
#![cfg(all(feature = "compression", feature = "event-log", feature = "http-body"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;

use sse_core::{
    client::EventSourceConfig,
    topic::{TopicMapConfig, resumable::ResumableConfig},
};
use sse_driver::{
    BindOptions, ServerConfig,
    embedding::EmbeddingConfig,
    event_log::{FollowedTopicsConfig, SharedStreamsConfig},
    router::StreamLimitConfig,
};

/// Settings that are not bounds.
const NO_BOUNDS: [&str; 24] = [
    "EventSourceConfig::accept_gzip",
    "TopicConfig::compress",
    "ServerConfig::open_streams",
    "EmbeddingConfig::open_streams",
    "ServerConfig::trusted_proxies",
    "EmbeddingConfig::trusted_proxies",
    "BudgetUse::bodies",
    "BudgetUse::queued",
    "BudgetUse::history",
    "EventSourceConfig::method",
    "EventSourceConfig::headers",
    "EventSourceConfig::body",
    "EventSourceConfig::last_event_id",
    "EventSourceConfig::resume_by_get",
    "EventSourceConfig::reconnection",
    "EventSourceConfig::retry_statuses",
    "Reconnection::first_failure_is_final",
    "ResumableConfig::end_event_type",
    "TopicConfig::when_full",
    "TopicConfig::when_too_slow",
    "TopicConfig::announce",
    "TopicConfig::announce_in_header",
    "TopicConfig::notice_event_type",
    "TopicConfig::last_event_id_param",
];

/// Returns every setting and its default, from their `Debug` forms: `Struct { field: value, … }`.
fn defaults() -> BTreeMap<String, String> {
    let text = [
        format!("{:#?}", BindOptions::default()),
        format!("{:#?}", ServerConfig::default()),
        format!("{:#?}", EmbeddingConfig::default()),
        format!("{:#?}", StreamLimitConfig::default()),
        // In front of what has the same settings with other defaults.
        format!("{:#?}", SharedStreamsConfig::default()),
        format!("{:#?}", ResumableConfig::default()),
        format!("{:#?}", FollowedTopicsConfig::default()),
        // This comes after types that have a topic's settings with other defaults.
        format!("{:#?}", TopicMapConfig::default()),
        format!("{:#?}", EventSourceConfig::default()),
    ]
    .join("\n");
    let mut settings = BTreeMap::new();
    // These are the names of the open structs, or an empty one for another bracket.
    let mut open = Vec::new();
    let mut optional = None;
    for line in text.lines().map(str::trim) {
        let (field, value) = match line.split_once(": ") {
            Some((field, value)) => (Some(field), value),
            None => (None, line),
        };
        let owner: &str = open.last().copied().unwrap_or_default();
        let name = field.map(|field| format!("{owner}::{field}"));
        match value.trim_end_matches(',') {
            "}" | ")" | "]" => {
                open.pop();
            }
            value if value.ends_with('{') => open.push(value.trim_end_matches(" {")),
            // The content is on the next line.
            value if value.ends_with('(') => {
                optional = name;
                open.push(owner);
            }
            value => {
                if let Some(name) = name.or(optional.take()) {
                    settings.insert(name, value.to_owned());
                }
            }
        }
    }
    let stream = ResumableConfig::default().topic;
    let max_bytes = "ResumableConfig::topic.max_bytes".to_owned();
    settings.insert(max_bytes, stream.max_bytes.to_string());
    let shared = SharedStreamsConfig::default().streams.topic;
    let max_events = "SharedStreamsConfig::streams.topic.max_events".to_owned();
    settings.insert(max_events, shared.max_events.to_string());
    settings.retain(|name, _| !NO_BOUNDS.contains(&name.as_str()));
    settings
}

/// Returns `64 KiB`, `5 min` or `10,000` in its `Debug` form.
fn as_code(documented: &str) -> String {
    if documented == "none" {
        return "None".into();
    }
    if documented == "what the system allows" {
        return u32::MAX.to_string();
    }
    let (number, unit) = documented.split_once(' ').unwrap_or((documented, ""));
    let number: u64 = number.replace(',', "").parse().unwrap();
    match unit {
        "" => number.to_string(),
        "KiB" => (number << 10).to_string(),
        "MiB" => (number << 20).to_string(),
        "GiB" => (number << 30).to_string(),
        "ms" => format!("{number}ms"),
        "s" => format!("{number}s"),
        "min" => format!("{}s", number * 60),
        _ => panic!("{documented}"),
    }
}

#[test]
fn the_table_of_bounds_is_the_codes() {
    let documented: BTreeMap<_, _> = include_str!("../../SECURITY.md")
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| `")?.split(" | ");
            let name = cells.next()?.strip_suffix('`')?;
            // `sse-redis` tests its own.
            if name.starts_with("RedisConfig::") || name.starts_with("SentinelConfig::") {
                return None;
            }
            Some((name.to_owned(), as_code(cells.next()?)))
        })
        .collect();
    let defaults = defaults();
    // This makes sure that the list is not empty.
    assert_eq!(defaults["HeadLimits::head"], "16384");
    assert_eq!(defaults["Reconnection::ceiling"], "300s");
    assert_eq!(defaults["ResponseConfig::keep_alive"], "15s");
    assert_eq!(documented, defaults);
}

#[test]
fn the_tests_that_it_names_are_there() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let text = include_str!("../../SECURITY.md");
    let named = text.split('`').skip(1).step_by(2);
    let files = named.filter(|name| name.ends_with(".rs") || name.ends_with('/'));
    let folders = [
        "sse-core/tests",
        "sse-driver/tests",
        "dev/suite/src",
        "sse-tokio/tests",
        "",
    ];
    let mut count = 0;
    for file in files {
        let is_there = folders
            .iter()
            .any(|folder| std::path::Path::new(root).join(folder).join(file).exists());
        assert!(is_there, "{file}");
        count += 1;
    }
    assert!(count > 20, "{count}");
}
