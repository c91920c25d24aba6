//! `#[sse]` on a function that stands by itself.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Ident, ItemFn, Result, spanned::Spanned};

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

    let name = function.sig.ident.clone();
    let (docs, attributes): (Vec<_>, Vec<_>) = function
        .attrs
        .drain(..)
        .partition(|attribute| attribute.path().is_ident("doc"));
    let visibility = function.vis.clone();
    function.sig.ident = Ident::new("call", name.span());

    let (names, types): (Vec<_>, Vec<_>) = handler.state.iter().cloned().unzip();
    let fields = match types.is_empty() {
        true => quote!(;),
        false => quote!((#(pub #types),*);),
    };
    let pattern = match names.is_empty() {
        true => quote!(let Self = self;),
        false => quote!(let Self(#(#names),*) = self;),
    };
    let values = &handler.values;
    let hold = quote!(#(let #names = ::core::clone::Clone::clone(&#names);)*);
    let closure = handler.closure(&hold, &quote!(Self::call(#(#values),*)), &root);
    let route = handler.route(&quote!(__router), &path, &closure);
    Ok(quote! {
        #(#docs)*
        #[allow(non_camel_case_types, missing_debug_implementations, missing_docs)]
        #[derive(Clone)]
        #visibility struct #name #fields

        impl #name {
            /// The handler itself.
            #(#attributes)*
            #function
        }

        #[automatically_derived]
        impl #root::router::Controller for #name {
            fn routes(self) -> #root::router::Router {
                #pattern
                let __router = #root::router::Router::new();
                #route
                __router
            }
        }
    })
}
