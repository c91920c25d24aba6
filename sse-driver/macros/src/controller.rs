//! `#[controller]`: an `impl` block whose annotated methods are handlers.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{
    Attribute, FnArg, GenericParam, Generics, ImplItem, ImplItemFn, ItemImpl, ReceiverKind, Result,
    ReturnType, Type, TypeParamBound, spanned::Spanned, visit_mut::VisitMut,
};

use crate::{
    args::{self, Args},
    handler::Handler,
};

pub(crate) fn expand(
    args: TokenStream,
    item: TokenStream,
    root: TokenStream,
) -> Result<TokenStream> {
    let args: Args = syn::parse2(args)?;
    if let Some(method) = &args.method {
        let text = "a method is a handler's: write it in #[sse(\"…\", method = POST)]";
        return Err(syn::Error::new(method.span(), text));
    }
    let root = args.root(root);
    let span = item.span();
    let mut block: ItemImpl = syn::parse2(item).map_err(|_| {
        let text = "#[controller] stands before an impl block; for a function write #[sse(\"…\")]";
        syn::Error::new(span, text)
    })?;
    if let Some((name, _)) = &block.trait_ {
        let text = "#[controller] stands before a type's own impl block, not before a trait's";
        return Err(syn::Error::new(name.span(), text));
    }

    let (mut routes, mut errors) = (Vec::new(), Vec::new());
    let (ty, generics) = (block.self_ty.clone(), block.generics.clone());
    for item in &mut block.items {
        let ImplItem::Fn(method) = item else {
            continue;
        };
        let mut attributes = Vec::new();
        method.attrs.retain(|attribute| {
            let is_sse = is_sse(attribute);
            if is_sse {
                attributes.push(attribute.clone());
            }
            !is_sse
        });
        for attribute in attributes {
            match route(method, &attribute, &args, &ty, &generics, &root) {
                Ok(route) => routes.push(route),
                Err(error) => errors.push(error),
            }
        }
    }
    if routes.is_empty() && errors.is_empty() {
        let text = "no method of this has a route; write #[sse(\"…\")] before one";
        errors.push(syn::Error::new(ty.span(), text));
    }
    if let Some(error) = errors.into_iter().reduce(|mut all, error| {
        all.combine(error);
        all
    }) {
        // The block itself goes on existing, so that nobody complains of missing methods as well.
        let error = error.into_compile_error();
        return Ok(quote!(#block #error));
    }

    let (impl_generics, _, where_clause) = generics.split_for_impl();
    Ok(quote! {
        #block

        #[automatically_derived]
        impl #impl_generics #root::router::Controller for #ty #where_clause {
            fn routes(self) -> #root::router::Router {
                let __controller = ::std::sync::Arc::new(self);
                let __router = #root::router::Router::new();
                #(#routes)*
                __router
            }
        }
    })
}

fn is_sse(attribute: &Attribute) -> bool {
    let last = attribute.path().segments.last();
    last.is_some_and(|segment| segment.ident == "sse")
}

/// The statement that adds the route of one method.
fn route(
    method: &mut ImplItemFn,
    attribute: &Attribute,
    controller: &Args,
    ty: &Type,
    generics: &Generics,
    root: &TokenStream,
) -> Result<TokenStream> {
    let own: Args = match &attribute.meta {
        syn::Meta::Path(_) => syn::parse2(TokenStream::new())?,
        _ => attribute.parse_args()?,
    };
    let path = args::join(
        controller.path.as_ref(),
        own.path.as_ref(),
        attribute.span(),
    )?;
    let receiver = match method.sig.inputs.first() {
        Some(FnArg::Receiver(receiver)) => receiver.clone(),
        _ => {
            let text = "a controller's handler takes &self; for one without, write a function \
                        outside of this block";
            return Err(syn::Error::new(method.sig.ident.span(), text));
        }
    };
    let handler = Handler::new(&mut method.sig, &path, root)?;
    if let Some((_, state, _)) = handler.state.first() {
        let text = "a controller's state is its fields; take it from self, without #[state]";
        return Err(syn::Error::new(state.span(), text));
    }

    let name = &method.sig.ident;
    let values = &handler.values;
    // The receiver's type is spelled out, so that a wrong one is pointed at.
    let call = match &receiver.kind {
        ReceiverKind::Typed(_, arc) => {
            let this = quote_spanned!(arc.span()=> __controller);
            quote!(<#ty>::#name(#this, #(#values),*))
        }
        ReceiverKind::Reference(_, _, None) => {
            forbid_borrowing(&mut method.sig.output, generics);
            quote!(<#ty>::#name(&*__controller, #(#values),*))
        }
        _ => {
            let text = "requests share the controller: write &self, or self: Arc<Self>";
            return Err(syn::Error::new(receiver.span(), text));
        }
    };
    let hold = quote!(let __controller = ::std::sync::Arc::clone(&__controller););
    let closure = handler.closure(&hold, &call, root);
    let closure = quote!({
        let __controller = ::std::sync::Arc::clone(&__controller);
        #closure
    });
    Ok(handler.route(&quote!(__router), &own, &path, &closure, root))
}

/// What is returned goes on after the call, when nobody holds the reference to `self` any more.
fn forbid_borrowing(output: &mut ReturnType, generics: &Generics) {
    let params = generics.params.iter().filter_map(|param| match param {
        GenericParam::Lifetime(_) => None,
        GenericParam::Type(param) => Some(&param.ident),
        GenericParam::Const(param) => Some(&param.ident),
    });
    if let ReturnType::Type(_, ty) = output {
        let params = quote!(use<#(#params),*>);
        AddBound(params).visit_type_mut(ty);
    }
}

/// Adds a bound to every `impl Trait` that says nothing of what it captures.
struct AddBound(TokenStream);

impl VisitMut for AddBound {
    fn visit_type_impl_trait_mut(&mut self, ty: &mut syn::TypeImplTrait) {
        let says = |bound: &TypeParamBound| {
            matches!(
                bound,
                TypeParamBound::PreciseCapture(_) | TypeParamBound::Lifetime(_)
            )
        };
        if !ty.bounds.iter().any(says) {
            // First, so that the type begins and ends where the user wrote it.
            // Identifiers in angle brackets are no syntax error.
            if let Ok(bound) = syn::parse2(self.0.clone()) {
                ty.bounds.insert(0, bound);
            }
        }
        // What an `impl Future` comes to may be an `impl Stream`.
        syn::visit_mut::visit_type_impl_trait_mut(self, ty);
    }
}
