//! `#[sse]` on a free function.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{Ident, ItemFn, Meta, parse_quote, spanned::Spanned};

use crate::{
    args::{self, Args},
    attributes::{self, Route},
    errors::Errors,
    handler::{Handler, State},
};

pub(crate) fn expand(args: TokenStream, item: TokenStream, names: TokenStream) -> TokenStream {
    let Ok(mut function) = syn::parse2::<ItemFn>(item.clone()) else {
        let text = "#[sse] stands before a function, or before a method in an impl block that has \
                    a #[controller]";
        let error = syn::Error::new_spanned(&item, text).into_compile_error();
        return quote!(#item #error);
    };
    let mut errors = Errors::default();
    let first: Meta = parse_quote!(sse(#args));
    let mut routes = vec![Route {
        cfg: TokenStream::new(),
        meta: first,
    }];
    routes.extend(attributes::take_routes(&mut function.attrs));
    let handler = Handler::new(&mut function.sig, &mut errors);
    if let Some(receiver) = function.sig.receiver() {
        // Of all possible errors about a method, only this one helps.
        let text =
            "a method's route is its controller's: write #[controller] before the impl block";
        let error = syn::Error::new(receiver.span(), text).into_compile_error();
        return quote!(#function #error);
    }

    let states = handler.states();
    let (mut statements, names) = statements(
        &function.sig.ident,
        &handler,
        &states,
        &routes,
        names,
        &mut errors,
    );
    // After an error the items are generated nevertheless, so that the compiler does not also complain
    // that they are missing.
    if !errors.is_empty() {
        statements.clear();
    }

    let registered = registered(&function, &states, &statements, &names);
    let errors = errors.into_tokens();
    quote!(#function #registered #errors)
}

/// Returns the statements that add the function's routes to a router, with the names of the crate.
fn statements(
    name: &Ident,
    handler: &Handler,
    states: &[State<'_>],
    routes: &[Route],
    mut names: TokenStream,
    errors: &mut Errors,
) -> (Vec<TokenStream>, TokenStream) {
    let holds = states.iter().map(|state| {
        let State {
            cfg, value, field, ..
        } = state;
        quote!(#cfg let #value = ::core::clone::Clone::clone(&__state.#field);)
    });
    let (hold, values) = (quote!(#(#holds)*), handler.values());
    let mut statements = Vec::new();
    for Route { cfg, meta } in routes {
        let route = Args::of(meta).and_then(|args| {
            let path = args::join(None, args.path.as_ref(), name.span())?;
            handler.check(&path)?;
            Ok((args, path))
        });
        let Some((args, path)) = errors.keep(route) else {
            continue;
        };
        names = args.names(names);
        let closure = handler.closure(&hold, &quote!(#name(#values)), false, &names);
        let closure = quote!({ let __state = ::core::clone::Clone::clone(&self); #closure });
        let route = handler.route(&args, &path, &closure, &syn::Generics::default(), &names);
        statements.push(quote!(#cfg let __router = #route;));
    }
    (statements, names)
}

/// Returns the struct beside the function, which is its `Controller`.
fn registered(
    function: &ItemFn,
    states: &[State<'_>],
    statements: &[TokenStream],
    names: &TokenStream,
) -> TokenStream {
    let (visibility, name) = (&function.vis, &function.sig.ident);
    let docs = function
        .attrs
        .iter()
        .filter(|attribute| attribute.path().is_ident("doc"));
    // A generic function is rejected, but its arguments may have types that are not declared here.
    let states: Vec<_> = states
        .iter()
        .filter(|_| function.sig.generics.params.is_empty())
        .collect();
    let fields = states.iter().map(|state| {
        let State { cfg, field, ty, .. } = state;
        quote!(#cfg #[allow(missing_docs)] pub #field: #ty)
    });
    let clones = states.iter().map(
        |State { cfg, field, .. }| quote!(#cfg #field: ::core::clone::Clone::clone(&self.#field)),
    );
    let bounds = bounds(&states);
    quote! {
        #(#docs)*
        #[allow(non_camel_case_types, missing_debug_implementations, missing_docs)]
        #visibility struct #name {
            #(#fields,)*
        }

        #[automatically_derived]
        impl ::core::clone::Clone for #name where #bounds {
            fn clone(&self) -> Self {
                Self { #(#clones,)* }
            }
        }

        #[automatically_derived]
        impl #names::Controller for #name where #bounds {
            fn routes(self) -> #names::Router {
                let __router = #names::Router::new();
                #(#statements)*
                __router
            }
        }
    }
}

/// Returns the bounds on the types of these fields. If one does not hold, the compiler reports it here,
/// and not again elsewhere. A bound cannot have a `cfg` condition.
fn bounds(states: &[&State<'_>]) -> TokenStream {
    let states = states.iter().filter(|state| state.cfg.is_empty());
    let bounds = states.map(|State { ty, .. }| {
        quote_spanned! { ty.span()=>
            #ty: ::core::clone::Clone + ::core::marker::Send + ::core::marker::Sync
        }
    });
    quote!(#(#bounds,)*)
}
