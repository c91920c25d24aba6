//! Whether the return value of a method with `&self` may borrow from `self`.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{
    GenericArgument, GenericParam, Generics, Lifetime, PathArguments, ReturnType, Type,
    TypeImplTrait, TypeParamBound,
    visit_mut::{self, VisitMut},
};

use crate::shape::{Bounds, Wrapper};

/// Returns whether the return value may borrow. Adds to each `impl Trait` that may not a bound that says
/// so: those that promise it, those of methods that do not mention `self`, and those in a place that the
/// generated code does not examine.
pub(crate) fn may_borrow(
    output: &mut ReturnType,
    body: &impl ToTokens,
    generics: &Generics,
) -> bool {
    let ReturnType::Type(_, ty) = output else {
        return false;
    };
    let params = generics.params.iter().filter_map(|param| match param {
        GenericParam::Lifetime(_) => None,
        GenericParam::Type(param) => Some(&param.ident),
        GenericParam::Const(param) => Some(&param.ident),
    });
    let mut captures = Captures {
        nothing: quote!(use<#(#params),*>),
        names_self: names_self(body.to_token_stream()),
        found: false,
    };
    captures.look_at(ty);
    captures.found
}

/// Returns whether the tokens mention `self`; a type that does not cannot borrow from it.
fn names_self(tokens: TokenStream) -> bool {
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == "self",
        TokenTree::Group(group) => names_self(group.stream()),
        _ => false,
    })
}

/// Looks for types that may borrow.
struct Captures {
    nothing: TokenStream,
    names_self: bool,
    found: bool,
}

impl Captures {
    /// Visits a type that the generated code takes apart, as `Shape` does.
    fn look_at(&mut self, ty: &mut Type) {
        match ty {
            Type::Paren(paren) => self.look_at(&mut paren.elem),
            Type::Group(group) => self.look_at(&mut group.elem),
            Type::ImplTrait(bounds) => match Bounds::of(&bounds.bounds) {
                Bounds::Stream => self.open(bounds),
                Bounds::Future(_) => {
                    self.open(bounds);
                    if let Some(output) = output_of(bounds) {
                        self.look_at(output);
                    }
                }
                Bounds::Other => self.close(bounds),
            },
            Type::Path(path) => {
                let last = path.path.segments.last_mut();
                match last.filter(|last| Wrapper::of(last).is_some()) {
                    Some(last) => self.look_into(&mut last.arguments),
                    None => visit_mut::visit_type_path_mut(self, path),
                }
            }
            ty => self.visit_type_mut(ty),
        }
    }

    /// Visits the arguments of a `Result` or an `Option`.
    fn look_into(&mut self, arguments: &mut PathArguments) {
        let PathArguments::AngleBracketed(arguments) = arguments else {
            return;
        };
        let mut first = true;
        for argument in &mut arguments.args {
            match argument {
                GenericArgument::Type(ty) if std::mem::take(&mut first) => self.look_at(ty),
                argument => self.visit_generic_argument_mut(argument),
            }
        }
    }

    /// Lets an `impl Trait` borrow, unless there is nothing to borrow, or it promises not to.
    fn open(&mut self, ty: &mut TypeImplTrait) {
        let (mut lifetimes, mut captures) = (Vec::new(), false);
        for bound in &ty.bounds {
            match bound {
                TypeParamBound::Lifetime(lifetime) => lifetimes.push(lifetime),
                TypeParamBound::PreciseCapture(_) => captures = true,
                _ => {}
            }
        }
        let is_static = lifetimes.iter().any(|lifetime| is_static(lifetime));
        if !captures && !is_static && (self.names_self || !lifetimes.is_empty()) {
            self.found = true;
        } else {
            self.close(ty);
        }
    }

    /// Adds to an `impl Trait` that it borrows nothing, unless it has a bound about that.
    fn close(&mut self, ty: &mut TypeImplTrait) {
        let mut bounds = ty.bounds.iter();
        if !bounds.any(|bound| matches!(bound, TypeParamBound::PreciseCapture(_))) {
            // The bound comes first, so that the type begins and ends where the user wrote it.
            // Identifiers in angle brackets are valid syntax.
            if let Ok(bound) = syn::parse2(self.nothing.clone()) {
                ty.bounds.insert(0, bound);
            }
        }
        visit_mut::visit_type_impl_trait_mut(self, ty);
    }
}

/// Visits a type that the generated code does not take apart: its lifetimes count, but not those of its
/// `impl Trait`s.
impl VisitMut for Captures {
    fn visit_type_impl_trait_mut(&mut self, ty: &mut TypeImplTrait) {
        self.close(ty);
    }

    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        self.found |= !is_static(lifetime);
    }

    fn visit_type_reference_mut(&mut self, reference: &mut syn::TypeReference) {
        self.found |= reference.lifetime.is_none();
        visit_mut::visit_type_reference_mut(self, reference);
    }

    /// The lifetimes of a function pointer are its own.
    fn visit_type_fn_ptr_mut(&mut self, _: &mut syn::TypeFnPtr) {}
}

fn is_static(lifetime: &Lifetime) -> bool {
    lifetime.ident == "static"
}

/// Returns the output type of an `impl Future`.
fn output_of(future: &mut TypeImplTrait) -> Option<&mut Type> {
    future.bounds.iter_mut().find_map(|bound| {
        let TypeParamBound::Trait(bound) = bound else {
            return None;
        };
        let PathArguments::AngleBracketed(arguments) =
            &mut bound.path.segments.last_mut()?.arguments
        else {
            return None;
        };
        arguments
            .args
            .iter_mut()
            .find_map(|argument| match argument {
                GenericArgument::AssocType(output) if output.ident == "Output" => {
                    Some(&mut output.ty)
                }
                _ => None,
            })
    })
}
