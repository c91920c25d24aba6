//! The arguments of the attributes.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::quote;
use syn::{
    GenericParam, Generics, LitStr, Meta, Path, Result, Token,
    parse::{Parse, ParseStream},
};

/// The arguments `"path", method = POST, crate = some::path`, each of them optional.
#[derive(Default)]
pub(crate) struct Args {
    pub(crate) path: Option<LitStr>,
    /// The method; `GET` by default.
    pub(crate) method: Option<Ident>,
    root: Option<Path>,
}

impl Parse for Args {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut args = Self {
            path: None,
            method: None,
            root: None,
        };
        while !input.is_empty() {
            if args.path.is_none() && input.peek(LitStr) {
                args.path = Some(input.parse()?);
            } else if args.method.is_none() && input.peek(method) {
                input.parse::<method>()?;
                input.parse::<Token![=]>()?;
                args.method = Some(parse_method(input)?);
            } else if args.root.is_none() && input.peek(Token![crate]) {
                input.parse::<Token![crate]>()?;
                input.parse::<Token![=]>()?;
                args.root = Some(input.call(Path::parse_mod_style)?);
            } else {
                return Err(input.error("write a path in quotes, such as \"events\""));
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(args)
    }
}

syn::custom_keyword!(method);

/// Parses the name of a constant of `http::Method` that a route may have.
fn parse_method(input: ParseStream<'_>) -> Result<Ident> {
    const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];
    let text = "write a method, such as method = POST";
    let method: Ident = input
        .parse()
        .map_err(|error| syn::Error::new(error.span(), text))?;
    if !METHODS.iter().any(|name| method == name) {
        let text = format!("a route has one of the methods {}", METHODS.join(", "));
        return Err(syn::Error::new(method.span(), text));
    }
    Ok(method)
}

impl Args {
    /// Returns the arguments of an attribute.
    pub(crate) fn of(attribute: &Meta) -> Result<Self> {
        match attribute {
            Meta::Path(_) => Ok(Self::default()),
            Meta::List(list) => list.parse_args(),
            Meta::NameValue(pair) => {
                let text = "write the path in parentheses: #[sse(\"…\")]";
                Err(syn::Error::new_spanned(pair, text))
            }
        }
    }

    /// Returns the module in which the generated code finds its names.
    pub(crate) fn names(&self, default: TokenStream) -> TokenStream {
        self.root.as_ref().map_or(default, names_of)
    }
}

/// Returns the module of a crate whose names the generated code uses.
pub(crate) fn names_of(root: &Path) -> TokenStream {
    quote!(#root::for_macros)
}

/// Returns whether a type mentions one of these parameters, or `Self`.
pub(crate) fn mentions(ty: TokenStream, generics: &Generics) -> bool {
    let is_param = |ident: &Ident| {
        ident == "Self"
            || generics.params.iter().any(|param| match param {
                GenericParam::Lifetime(_) => false,
                GenericParam::Type(param) => param.ident == *ident,
                GenericParam::Const(param) => param.ident == *ident,
            })
    };
    ty.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => is_param(&ident),
        TokenTree::Group(group) => mentions(group.stream(), generics),
        _ => false,
    })
}

/// Returns the path of a route: that of its controller, followed by its own.
pub(crate) fn join(
    controller: Option<&LitStr>,
    own: Option<&LitStr>,
    span: Span,
) -> Result<LitStr> {
    let mut joined = String::new();
    for part in [controller, own].into_iter().flatten() {
        let value = part.value();
        // The slash between them is added here; one at the end makes a different path, and stays.
        let value = value.strip_prefix('/').unwrap_or(&value);
        if value.starts_with('/') {
            let text = "a path with two slashes in a row is never asked for; write one slash";
            return Err(syn::Error::new(part.span(), text));
        }
        if params(value).is_none() {
            let text = "braces do not match; write {name} for a part of the path, {*name} for all \
                        that is left";
            return Err(syn::Error::new(part.span(), text));
        }
        if !value.is_empty() {
            joined.truncate(joined.trim_end_matches('/').len());
            joined.push('/');
            joined.push_str(value);
        }
    }
    if joined.is_empty() {
        joined.push('/');
    }
    let span = own.or(controller).map_or(span, LitStr::span);
    Ok(LitStr::new(&joined, span))
}

/// Returns the names of the parameters in a path, or `None` where braces do not match.
pub(crate) fn params(path: &str) -> Option<Vec<String>> {
    // Doubled braces are literal braces.
    let path = path.replace("{{", "").replace("}}", "");
    let mut pieces = path.split('{');
    if pieces.next()?.contains('}') {
        return None;
    }
    pieces
        .map(|piece| {
            let (name, rest) = piece.split_once('}')?;
            (!rest.contains('}')).then(|| name.trim_start_matches('*').to_owned())
        })
        .collect()
}
