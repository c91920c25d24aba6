//! Values of the application that may panic when they are dropped.

use std::{
    mem,
    ops::{Deref, DerefMut},
};

use sse_core::internal::catch;

/// A value whose panic while it is dropped goes no further. The panic hook has reported it.
///
/// The value is replaced by its default before it is dropped, so that what panicked is gone. Two values
/// of the application beside each other need two of these: a panic in the second one while the first one's
/// is unwinding ends the process otherwise.
#[derive(Default)]
pub(crate) struct Contained<T: Default>(T);

impl<T: Default> Contained<T> {
    /// Drops the value, and puts another one in its place.
    pub(crate) fn set(&mut self, value: T) {
        let before = mem::replace(&mut self.0, value);
        let _ = catch(|| drop(before));
    }

    /// Drops the value.
    pub(crate) fn clear(&mut self) {
        self.set(T::default());
    }
}

impl<T: Default> Drop for Contained<T> {
    fn drop(&mut self) {
        self.clear();
    }
}

impl<T: Default> Deref for Contained<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Default> DerefMut for Contained<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}
