//! The source of all locks and atomics of this crate and of the driver.
//!
//! They are those of the standard library. Under `--cfg loom` they are those of the model checker `loom`,
//! which runs a test once for each order in which its threads can run: see `tests/loom`. A check of the
//! project rejects code that does not use this module.
//!
//! An `Arc` comes from here where the code relies on its count, as topics do, so that the model checker
//! tries every order of the counting. Elsewhere it is that of the standard library: code that shares a
//! value and never reads the count cannot be wrong about it, and each counting in the model multiplies
//! the orders to try.

#[cfg(not(all(loom, feature = "loom")))]
use std as library;

#[cfg(all(loom, feature = "loom"))]
use loom as library;

#[allow(unused_imports)] // Each feature, and the driver, uses some of them.
pub use library::sync::{
    Arc, Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering},
};
#[allow(unused_imports)]
pub use std::sync::PoisonError;
// A value that is set once is that of the standard library in a model, too: loom has none, and no
// modelled code races to set one.
#[allow(unused_imports)]
pub use std::sync::OnceLock;

/// Declares a static that is created at its first use: once in a process, and once in each run of a
/// model.
#[cfg(all(
    any(feature = "server", feature = "topic"),
    not(all(loom, feature = "loom"))
))]
macro_rules! lazy_static {
    (static ref $name:ident: $type:ty = $value:expr;) => {
        static $name: std::sync::LazyLock<$type> = std::sync::LazyLock::new(|| $value);
    };
}
#[cfg(all(
    any(feature = "server", feature = "topic"),
    not(all(loom, feature = "loom"))
))]
pub(crate) use lazy_static;
#[cfg(all(loom, feature = "loom"))]
pub(crate) use loom::lazy_static;

/// Locks `mutex`. No application code runs under a lock of these crates, so a poisoned lock never hides a
/// half-done change.
pub fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns a number that no other call in this process returns.
#[cfg(any(feature = "compression", feature = "server"))]
pub fn unique_number() -> u64 {
    // A static is created before any model begins, and a unique number orders nothing.
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
