//! Keeping what panics from taking others along.

use std::{
    mem,
    panic::{AssertUnwindSafe, catch_unwind},
};

/// The error of application code that panicked. The panic hook has reported the panic.
#[derive(Debug)]
pub struct Panicked;

/// Calls code of the application, and keeps its panic from going further.
pub fn catch<T>(call: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(call)).map_err(|payload| {
        // To drop what it panicked with is to call its code once more.
        if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            mem::forget(again);
        }
        Panicked
    })
}
