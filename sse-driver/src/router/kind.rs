//! The kinds of what a handler may take and return. They tell implementations apart for the
//! compiler, which finds out the kind by itself: they have no values.

use std::marker::PhantomData;

/// A stream of events.
#[derive(Debug)]
pub enum IsStream {}

/// A response that is there.
#[derive(Debug)]
pub enum IsResponse {}

/// One event, and the end.
#[derive(Debug)]
pub enum IsEvent {}

/// No event, and the end.
#[derive(Debug)]
pub enum IsNothing {}

/// A `Result` of something.
#[derive(Debug)]
pub struct IsResult<K>(PhantomData<K>);

/// An `Option` of something.
#[derive(Debug)]
pub struct IsOption<K>(PhantomData<K>);

/// A future of something.
#[derive(Debug)]
pub struct IsFuture<K>(PhantomData<K>);

/// Exactly one value of a parameter. Of several, the first.
#[derive(Debug)]
pub enum IsOne {}

/// At most one value of a parameter. Of several, the first.
#[derive(Debug)]
pub enum IsOptional {}

/// Any number of values of a parameter.
#[derive(Debug)]
pub enum IsMany {}

/// What a sealed trait asks its implementations for. It is not re-exported, and cannot be named outside
/// this crate.
mod sealed {
    #[derive(Debug)]
    pub struct Sealed;
}

pub(crate) use sealed::Sealed;
