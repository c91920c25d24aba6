//! Passwords, users and permissions.

use std::time::Duration;

use sse_driver::{
    core::Event,
    event_log::{AppendError, EventLog},
};
use sse_redis::{RedisConfig, RedisLog};
use sse_suite::Adapter;

use crate::{
    PATIENCE,
    faults::{failure, rejection},
    nodes::{listen, node, publish, take_many},
    server::Server,
};

/// The rules that the documentation names.
const RULES: &str = include_str!("../../src/acl.txt");

pub(crate) async fn a_wrong_password_is_a_clear_error<A: Adapter>() {
    let server = Server::start(&["--requirepass", "secret"]);
    let log = |password: Option<&str>| {
        let mut config = server.config();
        config.password = password.map(str::to_owned);
        config.publish_timeout = Duration::from_millis(200);
        RedisLog::on(A::Runtime::default(), config)
    };
    log(Some("secret")).ready(PATIENCE).await.unwrap();
    for wrong in [Some("wrong"), None] {
        let log = log(wrong);
        let error = log.ready(Duration::ZERO).await.unwrap_err();
        assert_eq!(error.name(), "refused", "{error}");
        assert!(error.to_string().contains("check the password"), "{error}");
        let result = log.append(&"news".into(), Event::new("1")).await;
        assert_eq!(failure(result), ("refused", false));
    }
}

/// Starts a server with a user of these rules.
fn with_user(rules: &str) -> (Server, RedisConfig) {
    let server = Server::start(&[]);
    let mut words = vec!["ACL", "SETUSER", "events", "on", ">secret"];
    words.extend(rules.split_whitespace());
    server.command(&words);
    let mut config = server.config();
    config.user = "events".into();
    config.password = Some("secret".into());
    config.publish_timeout = Duration::from_millis(500);
    (server, config)
}

pub(crate) async fn the_permissions_that_the_documentation_names_are_enough<A: Adapter>() {
    let (_server, config) = with_user(RULES);
    let node = node::<A>(RedisLog::on(A::Runtime::default(), config)).await;
    let mut stream = listen(&node);
    publish(&node, 1).await;
    publish(&node, 2).await;
    assert_eq!(take_many::<A>(&mut stream, 2).await, (vec![1, 2], vec![]));
}

pub(crate) async fn what_fails_until_the_server_is_changed_is_rejected<A: Adapter>() {
    let (server, config) = with_user("~* &* +@all -xadd");
    let log = RedisLog::on(A::Runtime::default(), config);
    let result = log.append(&"news".into(), Event::new("1")).await;
    assert_eq!(rejection(result), "refused");
    let result = log.append_in(&"news".into(), 1, Event::new("1")).await;
    assert!(matches!(result, Err(AppendError::OtherEpoch)), "{result:?}");
    // The log works once the user has the permission.
    server.command(&["ACL", "SETUSER", "events", "+xadd"]);
    log.append(&"news".into(), Event::new("1")).await.unwrap();

    // Another program has the key.
    let key = format!("{}:{{other}}:log", log.config().prefix);
    server.command(&["SET", &key, "text"]);
    let result = log.append(&"other".into(), Event::new("1")).await;
    assert_eq!(rejection(result), "answer");
}

pub(crate) async fn a_publish_without_permission_for_bells_says_that_it_cannot_know<A: Adapter>() {
    let rules = RULES.replace("&sse:*", "resetchannels");
    let (_server, config) = with_user(&rules);
    let node = node::<A>(RedisLog::on(A::Runtime::default(), config)).await;
    let mut stream = listen(&node);
    let topic = node.topic("news").unwrap();
    let error = topic.publish(1).await.unwrap_err();
    assert!(error.may_be_published(), "{error}");
    assert!(
        error.to_string().contains("publish to the channel"),
        "{error}"
    );
    // The event is in the log, once, and arrives without its bell.
    assert_eq!(take_many::<A>(&mut stream, 1).await, (vec![1], vec![]));
}
