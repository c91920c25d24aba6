//! Where all locks and atomics of this crate and of the driver come from.
//!
//! They are the standard library's. A model checker puts its own in their place here and nowhere
//! else; a check of the project finds what passes this module by. An `Arc` comes from here where the
//! code relies on its count, as topics do, and is the standard library's elsewhere.

#[allow(unused_imports)] // each feature, and the driver, has a use for some of them
pub use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering},
};

/// Locks `mutex`. No code of the application's runs under a lock of these crates, so that a poisoned
/// one hides nothing half-done.
pub fn lock<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A number that no other call in this process gives.
#[cfg(feature = "server")]
pub fn unique_number() -> u64 {
    // A static is made before any model begins, and a number that only differs orders nothing.
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
