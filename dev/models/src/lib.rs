//! Models of the project's state machines. `stateright` checks every order of the possible steps, within
//! bounds.
//!
//! ```sh
//! cargo test --release --manifest-path dev/models/Cargo.toml
//! ```

pub mod follower;
pub mod member;
