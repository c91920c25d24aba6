//! One handler: its arguments, taken from a request, and the route that leads to it.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::{
    Attribute, FnArg, Ident, LitStr, Pat, PatType, Result, ReturnType, Safety, Signature, Type,
    ext::IdentExt, spanned::Spanned,
};

use crate::args::{self, Args};

/// The markers of arguments.
const MARKERS: [&str; 5] = ["path", "query", "header", "cookie", "state"];

/// A handler's signature, taken apart. What only the macro understands is removed from it.
pub(crate) struct Handler {
    /// The values to call it with, `self` left out, in order.
    pub(crate) values: Vec<Ident>,
    /// The statements that take these values from `request`.
    takes: Vec<TokenStream>,
    /// The arguments with `#[state]`: the value, its name and its type.
    pub(crate) state: Vec<(Ident, Ident, Type)>,
    is_async: bool,
    /// Where the compiler is to point when what it returns is no reply.
    returns: Span,
}

impl Handler {
    /// `path` is the route's, in full.
    pub(crate) fn new(
        signature: &mut Signature,
        path: &LitStr,
        root: &TokenStream,
    ) -> Result<Self> {
        if let Some(param) = signature.generics.params.first() {
            let text =
                "a handler cannot be generic: whose types would it be called with? Name them";
            return Err(syn::Error::new(param.span(), text));
        }
        if let Safety::Unsafe(token) = &signature.safety {
            return Err(syn::Error::new(
                token.span(),
                "a handler is called by safe code",
            ));
        }
        let mut handler = Self {
            values: Vec::new(),
            takes: Vec::new(),
            state: Vec::new(),
            is_async: signature.asyncness.is_some(),
            returns: match &signature.output {
                ReturnType::Default => signature.ident.span(),
                ReturnType::Type(_, ty) => ty.span(),
            },
        };
        let (mut request, mut errors) = (None, Vec::new());
        for (index, argument) in signature.inputs.iter_mut().enumerate() {
            let FnArg::Typed(argument) = argument else {
                continue;
            };
            let value = format_ident!("__argument_{index}");
            match handler.argument(argument, &value, path, root) {
                Ok(()) => {}
                Err(error) => errors.push(error),
            }
            if is_request(&argument.ty) {
                if request.is_some() {
                    let text = "there is one request; take it once";
                    errors.push(syn::Error::new(argument.ty.span(), text));
                }
                request = Some(value.clone());
            }
            handler.values.push(value);
        }
        if let Some(value) = request {
            // Last: everything else is taken from it while it is still here.
            handler.takes.push(quote!(let #value = __request;));
        }
        match errors.into_iter().reduce(|mut all, error| {
            all.combine(error);
            all
        }) {
            Some(error) => Err(error),
            None => Ok(handler),
        }
    }

    fn argument(
        &mut self,
        argument: &mut PatType,
        value: &Ident,
        path: &LitStr,
        root: &TokenStream,
    ) -> Result<()> {
        let marker = take_marker(&mut argument.attrs)?;
        let ty = &*argument.ty;
        match ty {
            Type::Reference(reference) if !is_static(reference) => {
                let text = "a handler owns its arguments: nothing would hold what this borrows. \
                            Take `String` for a text, `Request` for the request";
                return Err(syn::Error::new(ty.span(), text));
            }
            Type::ImplTrait(_) => {
                let text = "the macro has to know what to take from the request; name the type";
                return Err(syn::Error::new(ty.span(), text));
            }
            _ => {}
        }
        let Some((marker, name)) = marker else {
            if !is_request(ty) {
                let from_request =
                    quote_spanned!(ty.span()=> <#ty as #root::router::FromRequest>::from_request);
                self.takes
                    .push(quote!(let #value = #from_request(&__request)?;));
            }
            return Ok(());
        };
        if marker == "state" {
            let Pat::Ident(pattern) = &*argument.pat else {
                let text = "this is a field of the struct that the route is added with; name it";
                return Err(syn::Error::new(argument.pat.span(), text));
            };
            let field = pattern.ident.clone();
            self.state.push((value.clone(), field, ty.clone()));
            return Ok(());
        }
        let name = match name {
            Some(name) => name,
            None => name_of(&argument.pat, &marker)?,
        };
        if marker == "path" {
            let params = args::params(&path.value()).unwrap_or_default();
            if !params.contains(&name.value()) {
                let text = format!(
                    "the path {:?} has no part {{{}}}; write it there, or take a #[query]",
                    path.value(),
                    name.value()
                );
                return Err(syn::Error::new(name.span(), text));
            }
        }
        let function = Ident::new(&marker.to_string(), ty.span());
        let take = quote_spanned!(ty.span()=> #root::router::extract::#function::<#ty, _>);
        self.takes
            .push(quote!(let #value = #take(&__request, #name)?;));
        Ok(())
    }

    /// The closure for the router: it takes the values from the request and makes the call. `hold`
    /// comes first in it, and clones what the call needs for this request.
    pub(crate) fn closure(
        &self,
        hold: &TokenStream,
        call: &TokenStream,
        root: &TokenStream,
    ) -> TokenStream {
        let takes = &self.takes;
        let (refusal, request) = (
            quote!(#root::router::Refusal),
            quote!(#root::router::Request),
        );
        let ok = quote!(::core::result::Result::Ok::<_, #refusal>);
        if self.is_async {
            quote!(move |__request: #request| {
                #hold
                async move {
                    #(#takes)*
                    #ok(#call.await)
                }
            })
        } else {
            quote!(move |__request: #request| {
                #hold
                #(#takes)*
                #ok(#call)
            })
        }
    }

    /// `router` with this route.
    pub(crate) fn route(
        &self,
        router: &TokenStream,
        args: &Args,
        path: &LitStr,
        closure: &TokenStream,
        root: &TokenStream,
    ) -> TokenStream {
        match args.method.as_ref().filter(|method| *method != "GET") {
            None => {
                let events = Ident::new("events", self.returns);
                quote!(let #router = #router.#events(#path, #closure);)
            }
            Some(method) => {
                let route = Ident::new("route", self.returns);
                quote!(let #router = #router.#route(#root::http::Method::#method, #path, #closure);)
            }
        }
    }
}

fn is_static(reference: &syn::TypeReference) -> bool {
    let lifetime = reference.lifetime.as_ref();
    lifetime.is_some_and(|lifetime| lifetime.ident == "static")
}

/// Whether this is the request, by its name: a macro sees no more of a type.
fn is_request(ty: &Type) -> bool {
    let Type::Path(path) = ty else {
        return false;
    };
    let last = path.path.segments.last();
    last.is_some_and(|segment| segment.ident == "Request" && segment.arguments.is_none())
}

/// The marker of an argument, and the name that it gives, if any.
fn take_marker(attributes: &mut Vec<Attribute>) -> Result<Option<(Ident, Option<LitStr>)>> {
    let mut found = None;
    let mut kept = Vec::new();
    for attribute in attributes.drain(..) {
        let marker = attribute
            .path()
            .get_ident()
            .filter(|ident| MARKERS.iter().any(|marker| ident == marker));
        let Some(marker) = marker.cloned() else {
            kept.push(attribute);
            continue;
        };
        if found.is_some() {
            let text = "an argument comes from one place; leave one marker";
            return Err(syn::Error::new(attribute.span(), text));
        }
        let name = match &attribute.meta {
            syn::Meta::Path(_) => None,
            _ => Some(attribute.parse_args::<LitStr>().map_err(|error| {
                let text = format!("write #[{marker}], or #[{marker}(\"name\")]");
                syn::Error::new(error.span(), text)
            })?),
        };
        found = Some((marker, name));
    }
    *attributes = kept;
    Ok(found)
}

/// The name that an argument has in the request, where its marker gives none.
fn name_of(pattern: &Pat, marker: &Ident) -> Result<LitStr> {
    let Pat::Ident(pattern) = pattern else {
        let text = format!("this has no name; say what to look for: #[{marker}(\"name\")]");
        return Err(syn::Error::new(pattern.span(), text));
    };
    let mut name = pattern.ident.unraw().to_string();
    if marker == "header" {
        name = name.replace('_', "-");
    }
    Ok(LitStr::new(&name, pattern.ident.span()))
}
