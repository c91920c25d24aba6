//! `#[sse]` on a function that stands by itself.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{ItemFn, Result, spanned::Spanned};

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
    let root = args.root(root);
    let span = item.span();
    let mut function: ItemFn = syn::parse2(item).map_err(|_| {
        let text = "#[sse] stands before a function, or before a method in an impl block that has \
                    a #[controller]";
        syn::Error::new(span, text)
    })?;
    if let Some(receiver) = function.sig.receiver() {
        let text =
            "a method's route is its controller's: write #[controller] before the impl block";
        return Err(syn::Error::new(receiver.span(), text));
    }
    let path = args::join(None, args.path.as_ref(), function.sig.ident.span())?;
    let handler = Handler::new(&mut function.sig, &path, &root)?;

    let name = &function.sig.ident;
    let visibility = &function.vis;
    let docs = function
        .attrs
        .iter()
        .filter(|attribute| attribute.path().is_ident("doc"));
    let fields: Vec<_> = handler.state.iter().map(|(_, field, _)| field).collect();
    let types = handler.state.iter().map(|(_, _, ty)| ty);
    let states = handler.state.iter().map(|(value, ..)| value);
    let values = &handler.values;
    let hold = quote!(#(let #states = ::core::clone::Clone::clone(&__state.#fields);)*);
    let closure = handler.closure(&hold, &quote!(#name(#(#values),*)), &root);
    let closure = quote!({ let __state = self; #closure });
    let route = handler.route(&quote!(__router), &args, &path, &closure, &root);
    Ok(quote! {
        #function

        #(#docs)*
        #[allow(non_camel_case_types, missing_debug_implementations, missing_docs)]
        #[derive(Clone)]
        #visibility struct #name {
            #(#[allow(missing_docs)] pub #fields: #types,)*
        }

        #[automatically_derived]
        impl #root::router::Controller for #name {
            fn routes(self) -> #root::router::Router {
                let __router = #root::router::Router::new();
                #route
                __router
            }
        }
    })
}
