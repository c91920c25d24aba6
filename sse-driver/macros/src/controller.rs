//! `#[controller]`: an `impl` block whose annotated methods are handlers.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{
    FnArg, ImplItem, ImplItemFn, ItemImpl, Receiver, ReceiverKind, Type, WherePredicate,
    parse_quote_spanned, spanned::Spanned,
};

use crate::{
    args::{self, Args},
    attributes::{self, Route},
    borrowing,
    errors::Errors,
    handler::Handler,
};

pub(crate) fn expand(args: TokenStream, item: TokenStream, names: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let args: Args = errors.keep(syn::parse2(args)).unwrap_or_default();
    if let Some(method) = &args.method {
        let text = "a method is a handler's: write it in #[sse(\"…\", method = POST)]";
        errors.push(syn::Error::new(method.span(), text));
    }
    let names = args.names(names);
    let Ok(mut block) = syn::parse2::<ItemImpl>(item.clone()) else {
        let text = "#[controller] stands before an impl block; for a function write #[sse(\"…\")]";
        let error = syn::Error::new_spanned(&item, text).into_compile_error();
        return quote!(#item #error);
    };
    if let Some((name, _)) = &block.trait_ {
        let text = "#[controller] stands before a type's own impl block, not before a trait's";
        errors.push(syn::Error::new(name.span(), text));
    }

    let controller = Controller {
        args,
        ty: (*block.self_ty).clone(),
        generics: block.generics.clone(),
        names,
    };
    let (mut routes, mut annotated) = (Vec::new(), 0);
    for item in &mut block.items {
        let ImplItem::Fn(method) = item else {
            continue;
        };
        let attributes = attributes::take_routes(&mut method.attrs);
        if !attributes.is_empty() {
            annotated += 1;
            routes.extend(controller.routes(method, &attributes, &mut errors));
        }
    }
    if annotated == 0 && errors.is_empty() {
        let text = "no method of this has a route; write #[sse(\"…\")] before one";
        errors.push(syn::Error::new(controller.ty.span(), text));
    }
    // After an error the items are generated nevertheless, so that the compiler does not also complain
    // that they are missing.
    if !errors.is_empty() {
        routes.clear();
    }
    let (errors, implementation) = (errors.into_tokens(), controller.implementation(&routes));
    quote!(#block #implementation #errors)
}

struct Controller {
    args: Args,
    ty: Type,
    generics: syn::Generics,
    names: TokenStream,
}

impl Controller {
    fn implementation(&self, routes: &[TokenStream]) -> TokenStream {
        let Self {
            ty,
            generics,
            names,
            ..
        } = self;
        let mut generics = generics.clone();
        if generics.params.is_empty() {
            // If the bound does not hold, the compiler reports it here, and not again below.
            let bounds: WherePredicate = parse_quote_spanned! { ty.span()=>
                #ty: ::core::marker::Send + ::core::marker::Sync
            };
            generics.make_where_clause().predicates.push(bounds);
        }
        let (impl_generics, _, where_clause) = generics.split_for_impl();
        quote! {
            #[automatically_derived]
            impl #impl_generics #names::Controller for #ty #where_clause {
                fn routes(self) -> #names::Router {
                    let __controller = ::std::sync::Arc::new(self);
                    let __router = #names::Router::new();
                    #(#routes)*
                    __router
                }
            }
        }
    }

    /// Returns the statements that add the routes of one method.
    fn routes(
        &self,
        method: &mut ImplItemFn,
        routes: &[Route],
        errors: &mut Errors,
    ) -> Vec<TokenStream> {
        let handler = Handler::new(&mut method.sig, errors);
        if let Some(state) = handler.states().first() {
            let text = "a controller's state is its fields; take it from self, without #[state]";
            errors.push(syn::Error::new(state.field.span(), text));
        }
        let Some(closure) = self.closure(method, &handler, errors) else {
            return Vec::new();
        };
        let mut statements = Vec::new();
        for route in routes {
            let Some((args, path)) = errors.keep(self.path(route, &handler)) else {
                continue;
            };
            let cfg = &route.cfg;
            let route = handler.route(&args, &path, &closure, &self.generics, &self.names);
            statements.push(quote!(#cfg let __router = #route;));
        }
        statements
    }

    fn path(&self, route: &Route, handler: &Handler) -> syn::Result<(Args, syn::LitStr)> {
        let own = Args::of(&route.meta)?;
        let path = args::join(
            self.args.path.as_ref(),
            own.path.as_ref(),
            route.meta.span(),
        )?;
        handler.check(&path)?;
        Ok((own, path))
    }

    /// Returns the closure that calls a method.
    fn closure(
        &self,
        method: &mut ImplItemFn,
        handler: &Handler,
        errors: &mut Errors,
    ) -> Option<TokenStream> {
        let Some(FnArg::Receiver(receiver)) = method.sig.inputs.first() else {
            let text = "a controller's handler takes &self; for one without, write a function \
                        outside of this block";
            errors.push(syn::Error::new(method.sig.ident.span(), text));
            return None;
        };
        let Some(shared) = Shared::of(receiver) else {
            let text = "requests share the controller: write &self, or self: Arc<Self>";
            errors.push(syn::Error::new(receiver.span(), text));
            return None;
        };
        let (ty, name, values) = (&self.ty, &method.sig.ident, handler.values());
        let (this, may_borrow) = match shared {
            // The receiver's type is written out, so that the compiler points at a wrong one.
            Shared::Arc(span) => (quote_spanned!(span=> __controller), false),
            Shared::Reference => {
                let output = &mut method.sig.output;
                let may_borrow = borrowing::may_borrow(output, &method.block, &self.generics);
                (quote!(&*__controller), may_borrow)
            }
        };
        let call = quote!(<#ty>::#name(#this, #values));
        let hold = quote!(let __controller = ::std::sync::Arc::clone(&__controller););
        let closure = handler.closure(&hold, &call, may_borrow, &self.names);
        Some(quote!({
            let __controller = ::std::sync::Arc::clone(&__controller);
            #closure
        }))
    }
}

/// How a method takes the controller.
enum Shared {
    Reference,
    Arc(proc_macro2::Span),
}

impl Shared {
    fn of(receiver: &Receiver) -> Option<Self> {
        match &receiver.kind {
            ReceiverKind::Reference(_, _, None) => Some(Self::Reference),
            ReceiverKind::Typed(_, ty) => match &**ty {
                Type::Reference(reference) if reference.mutability.is_none() => {
                    Some(Self::Reference)
                }
                Type::Reference(_) => None,
                ty => Some(Self::Arc(ty.span())),
            },
            _ => None,
        }
    }
}
