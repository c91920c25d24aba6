//! Catches panics of application code.

use std::{
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// The error of application code that panicked. The panic hook has reported the panic.
#[derive(Debug)]
pub struct Panicked;

/// Calls code of the application, and catches its panic.
pub fn catch<T>(call: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|payload| {
        // Dropping the payload of the panic may run application code, which may panic again.
        if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            mem::forget(again);
        }
        Panicked
    })
}
