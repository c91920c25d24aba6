//! SECURITY.md names all bounds of the connections to Redis, with the defaults that the code has.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;

use sse_redis::{RedisConfig, SentinelConfig};

/// The settings that are not bounds.
const NO_BOUNDS: [&str; 10] = [
    "host",
    "port",
    "addresses",
    "master",
    "user",
    "has_password",
    "sentinel",
    "has_tls",
    "replicas",
    "prefix",
];

/// Returns `64 KiB`, `5 s` or `10,000` in the form of `Debug`.
fn as_code(documented: &str) -> String {
    let (number, unit) = documented.split_once(' ').unwrap_or((documented, ""));
    let number: u64 = number.replace(',', "").parse().unwrap();
    match unit {
        "" => number.to_string(),
        "KiB" => (number << 10).to_string(),
        "MiB" => (number << 20).to_string(),
        "ms" | "s" => format!("{number}{unit}"),
        _ => panic!("{documented}"),
    }
}

#[test]
fn the_table_of_bounds_is_the_codes() {
    let rows = include_str!("../../SECURITY.md").lines();
    let documented: BTreeMap<_, _> = rows
        .filter_map(|line| {
            let (name, rest) = line.strip_prefix("| `")?.split_once("` | ")?;
            let owners = ["RedisConfig::", "SentinelConfig::"];
            owners.iter().find(|owner| name.starts_with(**owner))?;
            let (default, _) = rest.split_once(" | ")?;
            Some((name.to_owned(), as_code(default)))
        })
        .collect();
    let texts = [
        format!("{:#?}", RedisConfig::default()),
        format!("{:#?}", SentinelConfig::default()),
    ];
    let mut defaults = BTreeMap::new();
    for text in &texts {
        let owner = text.split(' ').next().unwrap();
        for (name, value) in text.lines().filter_map(|line| line.trim().split_once(": ")) {
            if !NO_BOUNDS.contains(&name) {
                let value = value.trim_end_matches(',').to_owned();
                defaults.insert(format!("{owner}::{name}"), value);
            }
        }
    }
    // An empty list would pass, so that one entry is checked here.
    assert_eq!(defaults["RedisConfig::answer_timeout"], "5s");
    assert_eq!(documented, defaults);
}
