//! The kinds of values that a handler may take and return. They distinguish implementations for the
//! compiler, which infers the kind: they have no values.

use std::marker::PhantomData;

/// A stream of events.
#[derive(Debug)]
pub enum IsStream {}

/// A whole response.
#[derive(Debug)]
pub enum IsResponse {}

/// One event, after which the stream ends.
#[derive(Debug)]
pub enum IsEvent {}

/// No event: the stream ends at once.
#[derive(Debug)]
pub enum IsNothing {}

/// A `Result` of this kind.
#[derive(Debug)]
pub struct IsResult<K>(PhantomData<K>);

/// An `Option` of this kind.
#[derive(Debug)]
pub struct IsOption<K>(PhantomData<K>);

/// A future of this kind.
#[derive(Debug)]
pub struct IsFuture<K>(PhantomData<K>);

/// Exactly one value of a parameter: the first, if there are several.
#[derive(Debug)]
pub enum IsOne {}

/// At most one value of a parameter: the first, if there are several.
#[derive(Debug)]
pub enum IsOptional {}

/// Any number of values of a parameter.
#[derive(Debug)]
pub enum IsMany {}

/// The supertraits that seal traits. The module is not re-exported, and cannot be named outside this
/// crate.
mod sealed {
    #[derive(Debug)]
    pub struct Sealed;
}

pub(crate) use sealed::Sealed;
