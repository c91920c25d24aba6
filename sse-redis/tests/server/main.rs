//! The log on real servers and with their faults: the system's `redis-server` on free ports, on
//! each runtime.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod events;
mod failover;
mod faults;
mod nodes;
mod permissions;
mod roaming;
mod server;
mod streams;
mod tls;
mod virtual_address;

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::LazyLock,
    time::Duration,
};

use sse_driver::{Clock, Runtime, Timer};
use sse_suite::Adapter;

/// How long anything may take before a test gives up: so long that a machine that is busy with other work
/// gets it done.
const PATIENCE: Duration = Duration::from_secs(300);

/// Fails the test if `future` takes too long, so that it does not hang.
async fn patiently<A: Adapter, T>(future: impl Future<Output = T>) -> T {
    let runtime = A::Runtime::default();
    let mut timer = runtime.timer(runtime.now() + PATIENCE);
    let mut future = pin!(future);
    poll_fn(|cx| {
        assert!(timer.poll_elapsed(cx).is_pending(), "this takes too long");
        future.as_mut().poll(cx)
    })
    .await
}

async fn sleep<A: Adapter>(time: Duration) {
    let runtime = A::Runtime::default();
    let mut timer = runtime.timer(runtime.now() + time);
    poll_fn(|cx| timer.poll_elapsed(cx)).await;
}

/// Waits until the condition is met, which it checks from time to time.
async fn until<A: Adapter>(mut is_so: impl FnMut() -> bool) {
    patiently::<A, _>(async {
        while !is_so() {
            sleep::<A>(Duration::from_millis(20)).await;
        }
    })
    .await;
}

struct OnTokio;

/// One runtime for the whole process, so that spawned tasks outlive the test that blocked on it.
static TOKIO: LazyLock<tokio::runtime::Runtime> =
    LazyLock::new(|| tokio::runtime::Runtime::new().expect("a runtime"));

impl Adapter for OnTokio {
    type Runtime = sse_tokio::Tokio;

    fn block_on<F: Future>(future: F) -> F::Output {
        TOKIO.block_on(future)
    }
}

struct OnSmol;

impl Adapter for OnSmol {
    type Runtime = sse_smol::Smol;

    fn block_on<F: Future>(future: F) -> F::Output {
        smol::block_on(future)
    }
}

struct OnAsyncStd;

impl Adapter for OnAsyncStd {
    type Runtime = sse_async_std::AsyncStd;

    fn block_on<F: Future>(future: F) -> F::Output {
        async_std::task::block_on(future)
    }
}

/// Runs each test on each runtime.
macro_rules! tests {
    ($($module:ident: $($name:ident)*;)*) => {
        tests! { @on on_tokio OnTokio $($module: $($name)*;)* }
        tests! { @on on_smol OnSmol $($module: $($name)*;)* }
        tests! { @on on_async_std OnAsyncStd $($module: $($name)*;)* }
    };
    (@on $runtime:ident $adapter:ident $($module:ident: $($name:ident)*;)*) => {
        mod $runtime {
            use sse_suite::Adapter;

            $(mod $module {
                $(
                    #[test]
                    fn $name() {
                        use super::{Adapter, super::$adapter as On};
                        On::block_on(super::super::$module::$name::<On>());
                    }
                )*
            })*
        }
    };
}

tests! {
    events:
        clients_that_move_between_nodes_get_every_event_once
        places_are_dense_and_events_come_back_as_they_were
        trimmed_events_are_counted
        scripts_that_the_server_has_forgotten_are_sent_again;
    faults:
        a_server_that_is_not_there_is_an_error_or_waited_for
        a_server_that_comes_back_empty_is_told_and_followed
        a_server_that_comes_back_with_its_events_begins_an_epoch
        connections_that_are_cut_lose_nothing
        a_server_that_hangs_is_given_up_and_no_publish_is_done_twice
        whatever_waits_on_a_server_that_hangs_learns_that_it_is_unknown
        more_requests_than_may_wait_fail_at_once
        an_answer_that_is_too_large_is_an_error
        a_server_without_memory_takes_no_event_and_says_so
        a_server_that_becomes_a_replica_is_left
        the_connections_end_with_the_last_handle
        several_nodes_of_a_cluster_are_an_error_that_says_so;
    failover:
        a_replica_that_is_promoted_by_hand_begins_an_epoch_and_lost_events_are_told
        sentinel_is_asked_for_the_master_at_every_dial
        a_master_that_no_sentinel_names_is_an_error_that_says_so
        a_publish_that_waits_for_replicas_holds_up_nothing_else
        a_publish_that_too_few_replicas_have_is_no_success
        a_publish_that_is_repeated_on_another_connection_waits_for_replicas_too
        a_publish_that_is_repeated_after_a_failover_is_in_the_new_epoch;
    tls:
        events_go_over_tls
        a_certificate_of_another_authority_or_name_is_an_error_that_says_so
        a_server_that_asks_for_a_certificate_gets_one;
    roaming:
        clients_that_move_through_kill_restart_and_failover_miss_nothing_untold;
    streams:
        a_stream_is_started_on_one_node_resumed_on_another_and_stopped_from_a_third
        of_starts_on_several_nodes_at_once_one_counts
        a_node_that_is_gone_is_told_after_the_lease
        a_server_that_hangs_or_cuts_connections_costs_a_stream_nothing
        a_server_that_comes_back_ends_its_streams_and_their_names_are_free
        a_finished_stream_and_an_unknown_name_are_forgotten_by_the_server
        an_event_for_an_epoch_that_is_over_is_not_appended;
    permissions:
        a_wrong_password_is_a_clear_error
        the_permissions_that_the_documentation_names_are_enough
        what_fails_until_the_server_is_changed_is_rejected
        a_publish_without_permission_for_bells_says_that_it_cannot_know;
}
