//! Where all locks and atomics of this crate and of the driver come from.
//!
//! They are the standard library's. Under `--cfg loom` they are those of the model checker `loom`,
//! which runs a test once for each order in which its threads can run: see `tests/loom`. A check of
//! the project finds code that passes this module by.
//!
//! An `Arc` comes from here where the code relies on its count, as topics do, so that the model
//! checker tries every order of the counting. Elsewhere it is the standard library's: an owner that
//! shares a value and never asks how many others do cannot be wrong about it, and each counting that
//! is modelled multiplies the orders to try.

#[cfg(not(all(loom, feature = "loom")))]
use std as library;

#[cfg(all(loom, feature = "loom"))]
use loom as library;

#[allow(unused_imports)] // each feature, and the driver, has a use for some of them
pub use library::sync::{
    Arc, Mutex, MutexGuard,
    atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering},
};
#[allow(unused_imports)]
pub use std::sync::PoisonError;
// A value that is set once is the standard library's in a model as well: loom has none, and nothing
// that is modelled races to set one.
#[allow(unused_imports)]
pub use std::sync::OnceLock;

/// Declares a static that is made at its first use: once in a process, and once in each run of a model.
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

/// Locks `mutex`. No code of the application's runs under a lock of these crates, so that a poisoned
/// one hides nothing half-done.
pub fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns a number that no other call in this process gives.
#[cfg(any(feature = "compression", feature = "server"))]
pub fn unique_number() -> u64 {
    // A static is made before any model begins, and a number that only differs orders nothing.
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
