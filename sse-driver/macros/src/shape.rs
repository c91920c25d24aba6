//! The shape of a handler's return value, as far as its signature tells.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::{
    GenericArgument, PathArguments, PathSegment, ReturnType, Signature, Type, TypeParamBound,
    TypePath, spanned::Spanned,
};

/// The shape of a handler's return value. The generated code takes the value apart piece by piece, so
/// that the compiler points at the wrong piece and not at the whole type.
pub(crate) enum Shape {
    /// `impl Stream`.
    Stream(Span),
    /// `Result<_, E>`; the span is that of `E`.
    Result(Box<Shape>, Span),
    Option(Box<Shape>),
    /// `impl Future`.
    Future(Box<Shape>),
    Other(Span),
}

impl Shape {
    pub(crate) fn of(signature: &Signature) -> Self {
        match &signature.output {
            ReturnType::Default => Self::Other(signature.ident.span()),
            ReturnType::Type(_, ty) => Self::of_type(ty),
        }
    }

    fn of_type(ty: &Type) -> Self {
        let bounds = match ty {
            Type::Paren(paren) => return Self::of_type(&paren.elem),
            Type::Group(group) => return Self::of_type(&group.elem),
            Type::Path(path) => return Self::of_path(path),
            Type::ImplTrait(bounds) => Bounds::of(&bounds.bounds),
            _ => Bounds::Other,
        };
        match bounds {
            Bounds::Stream => Self::Stream(ty.span()),
            Bounds::Future(output) => Self::Future(Box::new(Self::of_type(output))),
            Bounds::Other => Self::Other(ty.span()),
        }
    }

    fn of_path(path: &TypePath) -> Self {
        let inner = |ty| Box::new(Self::of_type(ty));
        match path.path.segments.last().and_then(Wrapper::of) {
            Some(Wrapper::Result(value, error)) => {
                Self::Result(inner(value), error.map_or(path.span(), Type::span))
            }
            Some(Wrapper::Option(value)) => Self::Option(inner(value)),
            None if is_boxed_stream(path) => Self::Stream(path.span()),
            None => Self::Other(path.span()),
        }
    }

    /// Returns the variable from which `answer` takes the returned value. It has the span of the type, so
    /// that the compiler points there.
    pub(crate) fn value(&self) -> Ident {
        let span = match self {
            Self::Stream(span) | Self::Other(span) | Self::Result(_, span) => *span,
            Self::Option(inner) | Self::Future(inner) => inner.value().span(),
        };
        Ident::new("__value", span)
    }

    /// Returns the expression of an `Answer`, which `may_borrow`. A future may be awaited in it.
    pub(crate) fn answer(&self, may_borrow: bool, names: &TokenStream) -> TokenStream {
        let value = self.value();
        match self {
            Self::Stream(span) if may_borrow => {
                quote_spanned!(*span=> #names::borrowing_stream(#value))
            }
            Self::Stream(span) => quote_spanned!(*span=> #names::stream(#value)),
            Self::Other(span) => quote_spanned!(*span=> #names::reply(#value)),
            Self::Future(inner) => {
                let (answer, output) = (inner.answer(may_borrow, names), inner.value());
                quote!({ let #output = #value.await; #answer })
            }
            Self::Option(inner) => {
                let (answer, some) = (inner.answer(may_borrow, names), inner.value());
                quote! {
                    match #value {
                        ::core::option::Option::Some(#some) => #answer,
                        ::core::option::Option::None => #names::not_found(),
                    }
                }
            }
            Self::Result(inner, span) => {
                let (answer, ok) = (inner.answer(may_borrow, names), inner.value());
                let refusal = quote_spanned!(*span=> #names::refusal(#value));
                quote! {
                    match #value {
                        ::core::result::Result::Ok(#ok) => #answer,
                        ::core::result::Result::Err(#value) => #refusal,
                    }
                }
            }
        }
    }
}

/// The kind of an `impl Trait`.
pub(crate) enum Bounds<'t> {
    Stream,
    /// A future of this output.
    Future(&'t Type),
    Other,
}

impl<'t> Bounds<'t> {
    pub(crate) fn of(bounds: impl IntoIterator<Item = &'t TypeParamBound>) -> Self {
        for bound in bounds {
            let TypeParamBound::Trait(bound) = bound else {
                continue;
            };
            let Some(last) = bound.path.segments.last() else {
                continue;
            };
            if last.ident == "Stream" {
                return Self::Stream;
            }
            if last.ident == "Future"
                && let Some(output) = output_in(&last.arguments)
            {
                return Self::Future(output);
            }
        }
        Self::Other
    }
}

fn output_in(arguments: &PathArguments) -> Option<&Type> {
    let PathArguments::AngleBracketed(arguments) = arguments else {
        return None;
    };
    arguments.args.iter().find_map(|argument| match argument {
        GenericArgument::AssocType(output) if output.ident == "Output" => Some(&output.ty),
        _ => None,
    })
}

/// A type that wraps a reply, by its name.
pub(crate) enum Wrapper<'t> {
    /// The value, and the error if the type names one.
    Result(&'t Type, Option<&'t Type>),
    Option(&'t Type),
}

impl<'t> Wrapper<'t> {
    pub(crate) fn of(segment: &'t PathSegment) -> Option<Self> {
        match &types_in(&segment.arguments)[..] {
            [value] if segment.ident == "Result" => Some(Self::Result(value, None)),
            [value, error] if segment.ident == "Result" => Some(Self::Result(value, Some(error))),
            [value] if segment.ident == "Option" => Some(Self::Option(value)),
            _ => None,
        }
    }
}

/// Returns whether this is `BoxStream<_>`, `Pin<Box<dyn Stream>>` or `Box<dyn Stream>`.
fn is_boxed_stream(path: &TypePath) -> bool {
    let Some(last) = path.path.segments.last() else {
        return false;
    };
    if last.ident == "BoxStream" {
        return true;
    }
    match &types_in(&last.arguments)[..] {
        [Type::TraitObject(object)] if last.ident == "Box" => {
            matches!(Bounds::of(&object.bounds), Bounds::Stream)
        }
        [Type::Path(inner)] if last.ident == "Pin" => is_boxed_stream(inner),
        _ => false,
    }
}

fn types_in(arguments: &PathArguments) -> Vec<&Type> {
    let PathArguments::AngleBracketed(arguments) = arguments else {
        return Vec::new();
    };
    let types = arguments.args.iter().filter_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    });
    types.collect()
}
