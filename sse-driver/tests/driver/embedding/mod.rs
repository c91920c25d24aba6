//! Responses for a foreign server, which is the test: it polls bodies, or drops them.

mod answers;
mod bodies;
mod budget;
mod cuts;
pub mod harness;
mod receiving;
mod requests;
