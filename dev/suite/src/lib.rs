//! The tests of every adapter, as functions that take the adapter.
//!
//! An adapter's tests define how its runtime blocks on a future, and name the suite:
//!
//! ```ignore
//! struct OnSmol;
//!
//! impl sse_suite::Adapter for OnSmol {
//!     type Runtime = sse_smol::Smol;
//!
//!     fn block_on<F: Future>(future: F) -> F::Output {
//!         ::smol::block_on(future)
//!     }
//! }
//!
//! sse_suite::suite!(smol, OnSmol);
//! ```
//!
//! Each test then runs over real sockets, under a name such as
//! `smol::server::a_stream_that_ends_closes_the_connection_and_cleans_up`. The other end of a
//! connection is a plain blocking socket on a thread of its own.
//!
//! No test sleeps to let something happen: each waits for what it tests, and fails after a while. Nothing
//! is asserted about time.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // tests fail by panicking
#![allow(clippy::missing_panics_doc)]

#[allow(missing_docs)] // the name of a test says it all
#[cfg(target_os = "linux")] // which is where a process can look at itself
pub mod alone;
#[allow(missing_docs)]
pub mod attacks;
#[allow(missing_docs)]
pub mod bodies;
#[allow(missing_docs)]
pub mod client;
#[allow(missing_docs)]
pub mod connecting;
mod handlers;
#[allow(missing_docs)]
pub mod hostile;
mod peer;
#[allow(missing_docs)]
pub mod port;
#[allow(missing_docs)]
pub mod reference;
#[allow(missing_docs)]
pub mod resumable;
mod running;
#[allow(missing_docs)]
pub mod server;
pub mod size;
#[allow(missing_docs)]
pub mod smuggling;
#[allow(missing_docs)]
pub mod tls;

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
    time::Duration,
};

use sse_driver::{Clock, Runtime, Timer};

/// An adapter, as its tests use it.
pub trait Adapter: 'static {
    /// The adapter's runtime.
    type Runtime: Runtime + Default;

    /// Runs `future` on the runtime until it is done. The tasks that it spawned may continue, or be
    /// dropped.
    fn block_on<F: Future>(future: F) -> F::Output;
}

/// The adapter's server.
pub type Server<A> = sse_driver::Server<<A as Adapter>::Runtime>;

/// The adapter's event source.
pub type EventSource<A> = sse_driver::EventSource<<A as Adapter>::Runtime>;

/// How long anything may take before a test gives up: so long that a machine that is busy with other work
/// gets it done.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);

/// Fails the test if `future` takes too long, so that it does not hang.
pub(crate) async fn patiently<A: Adapter, T>(future: impl Future<Output = T>) -> T {
    let runtime = A::Runtime::default();
    let mut timer = runtime.timer(runtime.now() + PATIENCE);
    let mut future = pin!(future);
    poll_fn(|cx| {
        assert!(timer.poll_elapsed(cx).is_pending(), "this takes too long");
        future.as_mut().poll(cx)
    })
    .await
}

/// Lets other tasks run.
pub(crate) async fn yield_now() {
    let mut had_their_turn = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut had_their_turn, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Every test, for an [`Adapter`], in a module that is called like its runtime.
#[macro_export]
macro_rules! suite {
    ($runtime:ident, $adapter:ident) => {
        mod $runtime {
            $crate::tests! { server $adapter
                any_value_that_a_handler_yields_is_sent_as_an_event
                a_stream_that_ends_closes_the_connection_and_cleans_up
                a_client_that_goes_away_is_noticed_while_the_stream_is_idle
                a_stream_that_fails_breaks_off_and_says_why
                a_handler_that_panics_is_a_500_and_the_server_goes_on
                a_handler_may_refuse_set_fields_and_wait
                bad_input_gets_a_clear_answer_and_others_are_served
                a_request_may_drip_in_and_a_second_one_is_not_served
                deadlines_are_kept_on_real_sockets
                at_the_limit_a_new_client_is_refused_and_no_client_evicted
                a_graceful_shutdown_lets_streams_end_and_is_followed_by_a_cut
                a_shutdown_cuts_at_its_deadline_what_has_not_ended
                a_shutdown_spreads_the_ends_of_resumable_streams
                an_open_stream_is_listed_and_ended_from_another_thread
                dropping_the_server_cuts_its_connections
                pages_of_allowed_origins_may_read
                as_many_wait_to_be_accepted_as_the_system_allows
                an_address_may_have_a_name_and_has_a_port
                a_taken_port_is_an_error_that_names_the_address
            }
            $crate::tests! { bodies $adapter
                a_body_reaches_its_handler_however_it_is_sent
                a_client_that_waits_to_send_its_body_is_told_to_go_on
                a_body_that_is_too_large_or_too_slow_is_refused
                a_client_that_leaves_in_mid_body_leaves_nothing_behind
                an_event_source_posts_and_is_answered_with_a_stream
            }
            $crate::tests! { client $adapter
                a_stream_that_ends_at_once_is_not_asked_for_all_the_time
                a_retry_of_0_is_held_at_the_floor
                a_reset_in_mid_event_loses_that_event_alone
                an_endless_line_is_discarded_again_and_again_in_bounded_memory
                events_get_through_a_flood_of_comments
                a_flood_of_header_fields_is_a_loss
                a_flood_of_interim_responses_is_a_loss
                interim_responses_come_before_the_response
                a_slow_drip_is_put_together
                a_head_that_drips_too_slowly_is_a_loss
                a_silent_stream_is_a_loss_where_one_says_so
                a_redirect_loop_has_an_end
                a_redirect_elsewhere_takes_no_credentials_along
                a_wrong_content_type_is_final_and_asking_again_harmless
                after_204_the_client_does_not_reconnect
                a_status_can_be_one_to_try_again_after
                a_401_leads_to_a_fresh_token
                the_head_of_the_stream_is_waited_for_or_what_came_in_its_place
                a_handle_reconnects_pauses_and_resumes_from_another_thread
                dropping_it_closes_the_socket
                it_resumes_after_the_server_was_restarted
            }
            $crate::tests! { attacks $adapter
                heads_that_drip_in_for_ever_are_not_waited_for
                a_half_close_ends_what_is_not_yet_answered
                resets_in_mid_stream_are_noticed_each_once
                a_crowd_at_the_limit_is_refused_and_no_client_evicted
                a_body_that_is_too_large_is_refused_while_it_arrives
                a_client_that_talks_on_does_not_keep_events_from_itself
                a_shutdown_under_load_ends_everything_once
            }
            $crate::tests! { smuggling $adapter
                ambiguous_requests_are_refused_and_nothing_is_smuggled
                a_body_ends_where_its_framing_says_and_so_does_the_connection
                a_second_request_is_never_answered
                a_request_cannot_forge_a_response
            }
            $crate::tests! { hostile $adapter
                endless_parts_of_an_answer_are_losses
                answers_that_cannot_be_trusted_are_losses
                an_endless_refusal_is_cut_off
                redirects_stay_on_http_and_end
                a_server_that_reads_nothing_is_a_loss
                an_answer_that_comes_before_the_request_is_read_counts
                a_servers_id_cannot_forge_a_request
            }
            $crate::tests! { reference $adapter
                an_annotated_handler_sends_its_two_events
                the_connection_closes_when_the_stream_ends
                data_is_text_or_json
                clean_up_runs_when_the_server_ends_the_stream
                clean_up_runs_when_the_client_leaves
                an_endless_stream_ends_with_its_client
                a_failing_source_is_told_cut_short_or_asked_again
                a_client_hears_both_events_and_the_end
                a_client_stops_by_break
                a_client_stops_by_cancelling
            }
            $crate::tests! { connecting $adapter
                events_get_through_a_proxy
                events_get_through_a_unix_socket
                a_server_listens_on_a_unix_socket
            }
            $crate::tests! { resumable $adapter
                a_client_that_leaves_comes_back_and_misses_nothing
                a_stop_ends_the_stream_of_every_client
                a_producer_without_clients_is_cancelled
                a_finished_stream_is_forgotten
                clients_are_told_of_a_shutdown
                an_event_source_reads_a_stream_to_its_end_and_stops
            }
            $crate::tests! { tls $adapter
                events_get_through_tls_and_so_does_going_away
                a_stream_that_ends_properly_ends_properly_over_tls
                the_issuer_and_the_name_of_a_certificate_are_checked
                a_server_may_ask_for_a_certificate
                a_client_that_does_not_speak_tls_is_cut
                a_server_that_speaks_http_2_only_is_a_failure_that_says_so
            }
        }
    };
}

/// The tests that need a process of their own, for an [`Adapter`]. They go into another test binary than
/// those of [`suite!`].
#[macro_export]
macro_rules! alone {
    ($runtime:ident, $adapter:ident) => {
        mod $runtime {
            $crate::tests! { alone $adapter
                two_thousand_connections_leave_nothing_behind
                a_thousand_event_sources_leave_nothing_behind
                clients_that_never_read_cost_a_bounded_amount_of_memory
                hostile_servers_cost_a_bounded_amount_of_memory
                running_out_of_file_descriptors_is_survived
            }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! tests {
    ($module:ident $adapter:ident $($name:ident)*) => {
        mod $module {
            $(
                #[test]
                fn $name() {
                    $crate::$module::$name::<super::super::$adapter>();
                }
            )*
        }
    };
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_test_is_left_out() {
        let list = include_str!("lib.rs");
        for (module, source) in [
            ("alone", include_str!("alone.rs")),
            ("attacks", include_str!("attacks.rs")),
            ("hostile", include_str!("hostile.rs")),
            ("server", include_str!("server.rs")),
            ("bodies", include_str!("bodies.rs")),
            ("smuggling", include_str!("smuggling.rs")),
            ("client", include_str!("client.rs")),
            ("reference", include_str!("reference/mod.rs")),
            ("resumable", include_str!("resumable.rs")),
            ("tls", include_str!("tls.rs")),
        ] {
            let names = source
                .lines()
                .filter_map(|line| line.strip_prefix("pub fn ")?.split('<').next());
            for name in names {
                let is_listed = list.lines().any(|line| line.trim() == name);
                assert!(is_listed, "{module}::{name} is not in the suite");
            }
        }
    }

    #[test]
    fn the_page_on_the_reference_has_what_is_tested() {
        let page = include_str!("../../../docs/reference.md");
        let handlers = include_str!("reference/handlers.rs");
        let list = include_str!("lib.rs");
        let handlers = handlers.replace("pub(crate) ", "");
        let code: Vec<_> = page.split("```rust,ignore\n").skip(1).collect();
        assert!(!code.is_empty());
        for block in code {
            let block = block.split("```").next().unwrap();
            assert!(handlers.contains(block), "this is not tested: {block}");
        }
        // The tests that the table names.
        let names = page.lines().filter_map(|row| {
            let name = row.strip_suffix("` |")?.rsplit_once('`')?.1;
            name.contains('_').then_some(name)
        });
        assert!(names.clone().count() > 5);
        for name in names {
            let is_test = list.lines().any(|line| line.trim() == name);
            assert!(is_test, "no test is called {name}");
        }
    }
}
