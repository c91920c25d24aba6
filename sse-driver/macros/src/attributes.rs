//! The attributes of handlers and of their arguments.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, quote};
use syn::{
    Attribute, LitStr, Meta, Result, Token, parse_quote, punctuated::Punctuated, spanned::Spanned,
};

use crate::errors::Errors;

/// The markers of arguments.
const MARKERS: [&str; 5] = ["path", "query", "header", "cookie", "state"];

/// A route of a handler: an `#[sse(…)]` attribute of it.
pub(crate) struct Route {
    /// The `#[cfg(…)]` attributes that apply to it.
    pub(crate) cfg: TokenStream,
    /// `sse(…)`, taken out of the attribute.
    pub(crate) meta: Meta,
}

/// Removes the routes from a handler's attributes. `#[cfg_attr(…, sse(…))]` is a route, too.
pub(crate) fn take_routes(attributes: &mut Vec<Attribute>) -> Vec<Route> {
    let cfg = cfg(attributes);
    let (mut routes, mut kept) = (Vec::new(), Vec::new());
    for attribute in attributes.drain(..) {
        if is_sse(&attribute.meta) {
            let (cfg, meta) = (cfg.clone(), attribute.meta);
            routes.push(Route { cfg, meta });
            continue;
        }
        let Some((predicate, metas)) = conditional(&attribute) else {
            kept.push(attribute);
            continue;
        };
        let (sse, others): (Vec<_>, Vec<_>) = metas.into_iter().partition(is_sse);
        kept.extend(
            others
                .iter()
                .map(|meta| -> Attribute { parse_quote!(#[cfg_attr(#predicate, #meta)]) }),
        );
        routes.extend(sse.into_iter().map(|meta| Route {
            cfg: quote!(#cfg #[cfg(#predicate)]),
            meta,
        }));
    }
    *attributes = kept;
    routes
}

fn is_sse(meta: &Meta) -> bool {
    let last = meta.path().segments.last();
    last.is_some_and(|segment| segment.ident == "sse")
}

/// Returns the parts of a `#[cfg_attr(predicate, …)]`.
fn conditional(attribute: &Attribute) -> Option<(Meta, Vec<Meta>)> {
    if !attribute.path().is_ident("cfg_attr") {
        return None;
    }
    let metas = attribute.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated);
    let mut metas = metas.ok()?.into_iter();
    Some((metas.next()?, metas.collect()))
}

/// Returns the `#[cfg(…)]` attributes among these. The generated code needs the same ones.
pub(crate) fn cfg(attributes: &[Attribute]) -> TokenStream {
    let cfg = attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("cfg"));
    cfg.map(ToTokens::to_token_stream).collect()
}

/// Removes the marker from an argument's attributes. Returns it with the name that it gives, if any.
pub(crate) fn take_marker(
    attributes: &mut Vec<Attribute>,
    errors: &mut Errors,
) -> Option<(Ident, Option<LitStr>)> {
    let mut found = None;
    let mut kept = Vec::new();
    for attribute in attributes.drain(..) {
        let Some(marker) = marker(&attribute.meta) else {
            if let Some(error) = conditional_marker(&attribute) {
                errors.push(error);
            } else {
                kept.push(attribute);
            }
            continue;
        };
        if found.is_some() {
            let text = "an argument comes from one place; leave one marker";
            errors.push(syn::Error::new(attribute.span(), text));
            continue;
        }
        let name = errors.keep(name_in(&marker, &attribute)).flatten();
        found = Some((marker, name));
    }
    *attributes = kept;
    found
}

fn marker(meta: &Meta) -> Option<Ident> {
    let ident = meta.path().get_ident()?;
    let is_marker = MARKERS.iter().any(|marker| ident == marker);
    is_marker.then(|| ident.clone())
}

fn name_in(marker: &Ident, attribute: &Attribute) -> Result<Option<LitStr>> {
    if matches!(attribute.meta, Meta::Path(_)) {
        return Ok(None);
    }
    attribute.parse_args().map(Some).map_err(|error| {
        let text = format!("write #[{marker}], or #[{marker}(\"name\")]");
        syn::Error::new(error.span(), text)
    })
}

/// Returns the error for a `#[cfg_attr(…, query)]`, if this is one.
fn conditional_marker(attribute: &Attribute) -> Option<syn::Error> {
    let (_, metas) = conditional(attribute)?;
    let marker = metas.iter().find_map(marker)?;
    let text = format!(
        "a marker has no condition; write the argument twice: with #[cfg(…)] and #[{marker}], and \
         with #[cfg(not(…))]"
    );
    Some(syn::Error::new(attribute.span(), text))
}
