//! Models of the project's state machines, checked exhaustively by `stateright`: every order of what may
//! happen, within bounds.
//!
//! ```sh
//! cargo test --release --manifest-path dev/models/Cargo.toml
//! ```

pub mod follower;
