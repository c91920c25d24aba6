//! The topic of many demos, by Redis.

use std::{convert::Infallible, pin::pin, process, time::Duration};

use futures_util::{
    StreamExt,
    future::{self, Either},
};

use super::{
    feed::{Feed, Update},
    numbers::{Number, TICK},
};
use crate::on::{
    adapter::{
        Request,
        event_log::{FollowedTopic, LogStream},
        topic::ResumeRequest,
    },
    sleep,
};

/// Does the same as the function for a topic of this process. A page resumes on any node.
pub(super) fn listen(topic: &FollowedTopic, request: &Request) -> LogStream {
    match ResumeRequest::last_event_id(request, "lastEventId") {
        Some(_) => topic.resume(request),
        None => topic.subscribe_from_oldest(),
    }
}

/// Publishes the numbers that all nodes show. The node with the shortest wait does; when it is gone, the
/// next one continues.
pub(super) async fn publish_in_turn(topic: &FollowedTopic) -> Infallible {
    let patience = TICK + Duration::from_millis(u64::from(process::id() % 50));
    let numbers = || {
        topic
            .resume_from(None)
            .only_event_types(|name| name == "number")
    };
    let feed = Feed::Shared(topic.clone());
    let mut others = numbers();
    loop {
        match future::select(others.next(), pin!(sleep(patience))).await {
            Either::Left((Some(Ok(_)), _)) => {}
            // Redis was out of reach for long.
            Either::Left(_) => {
                sleep(patience).await;
                others = numbers();
            }
            Either::Right(_) => feed.publish(Update::Number(Number::now())),
        }
    }
}
