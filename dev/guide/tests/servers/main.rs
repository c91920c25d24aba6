//! The same handlers in four servers, with real sockets: our own, hyper on tokio, hyper on smol,
//! and axum. No client may lose anything.
#![allow(unreachable_pub)] // a test has no interface

mod app;
mod http2;
mod run;
mod suite;

macro_rules! on {
    ($($server:ident)*) => { $(
        mod $server {
            use crate::{run, suite};

            on!(@tests $server
                a_client_that_leaves_an_idle_stream_is_cleaned_up
                a_stream_ends_and_then_clean_up_runs
                a_stream_that_fails_is_broken_off
                a_handler_that_panics_is_a_500_and_a_stream_that_does_is_broken_off
                an_idle_stream_sends_comments
                a_client_that_comes_back_resumes
                a_client_that_does_not_read_holds_the_stream_back
                refusals_and_pages_and_heads_are_what_they_are
                a_shutdown_is_seen_and_then_cuts
            );
        }
    )* };
    (@tests $server:ident $($test:ident)*) => { $(
        #[tokio::test]
        async fn $test() {
            suite::$test(run::$server).await;
        }
    )* };
}

on!(our_own hyper_on_tokio hyper_on_smol axum);
