//! A handler: its arguments, which are taken from a request, and its routes.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{
    FnArg, GenericParam, Generics, Ident, LitStr, Pat, PatType, Result, ReturnType, Safety,
    Signature, Type, ext::IdentExt, spanned::Spanned,
};

use crate::{
    args::{self, Args},
    attributes,
    errors::Errors,
    shape::Shape,
};

/// The parsed signature of a handler. Parts that only the macro understands are removed from it.
pub(crate) struct Handler {
    arguments: Vec<Argument>,
    /// The shape of the return value, after the `await` of an async handler.
    shape: Shape,
    is_async: bool,
    /// The span to which the compiler points if the return value is not a reply.
    returns: Span,
}

/// An argument other than `self`.
struct Argument {
    /// The `#[cfg(…)]` attributes that apply to it.
    cfg: TokenStream,
    /// The variable that has the value before the call.
    value: Ident,
    ty: Type,
    source: Source,
}

/// The source of an argument's value.
enum Source {
    /// The argument's type, which is `FromRequest`.
    Request,
    /// A named part of the request, which this function reads.
    Named(Ident, LitStr),
    /// This field of the struct that the route is added with.
    State(Ident),
    /// Unknown, after an error.
    Unknown,
}

/// An argument with `#[state]`.
pub(crate) struct State<'h> {
    pub(crate) cfg: &'h TokenStream,
    pub(crate) value: &'h Ident,
    pub(crate) field: &'h Ident,
    pub(crate) ty: &'h Type,
}

impl Handler {
    pub(crate) fn new(signature: &mut Signature, errors: &mut Errors) -> Self {
        let mut params = signature.generics.params.iter();
        if let Some(param) = params.find(|param| !matches!(param, GenericParam::Lifetime(_))) {
            let text = "a handler cannot be generic: because the router has no types to call it with; name the types";
            errors.push(syn::Error::new(param.span(), text));
        }
        if let Safety::Unsafe(token) = &signature.safety {
            let text = "a handler is called by safe code";
            errors.push(syn::Error::new(token.span(), text));
        }
        let mut arguments = Vec::new();
        for (index, argument) in signature.inputs.iter_mut().enumerate() {
            if let FnArg::Typed(argument) = argument {
                let value = format_ident!("__argument_{index}");
                arguments.push(Argument::new(argument, value, errors));
            }
        }
        Self {
            arguments,
            shape: Shape::of(signature),
            is_async: signature.asyncness.is_some(),
            returns: match &signature.output {
                ReturnType::Default => signature.ident.span(),
                ReturnType::Type(_, ty) => ty.span(),
            },
        }
    }

    /// Returns the arguments of the call, without `self`.
    pub(crate) fn values(&self) -> TokenStream {
        let values = self.arguments.iter().map(|argument| {
            let Argument { cfg, value, .. } = argument;
            quote!(#cfg #value)
        });
        quote!(#(#values),*)
    }

    pub(crate) fn states(&self) -> Vec<State<'_>> {
        let states = self.arguments.iter().filter_map(|argument| {
            let Source::State(field) = &argument.source else {
                return None;
            };
            Some(State {
                cfg: &argument.cfg,
                value: &argument.value,
                field,
                ty: &argument.ty,
            })
        });
        states.collect()
    }

    /// Returns the statements that take the arguments from `__request`; a refusal of one of them is the
    /// reply. Arguments with a name come first, because they need no waiting. The request itself comes
    /// last, because it need not be copied there.
    fn takes(&self, names: &TokenStream) -> TokenStream {
        let is_typed = |argument: &&Argument| matches!(argument.source, Source::Request);
        let named = self.arguments.iter().filter_map(|argument| {
            let Source::Named(function, name) = &argument.source else {
                return None;
            };
            let ty = &argument.ty;
            let take = quote_spanned!(ty.span()=> #names::extract::#function::<#ty, _>);
            Some(argument.take(&quote!(#take(&__request, #name)), names))
        });
        let (mut requests, mut typed): (Vec<_>, Vec<_>) = self
            .arguments
            .iter()
            .filter(is_typed)
            .partition(|argument| is_named_request(&argument.ty));
        typed.append(&mut requests);
        let last = typed.pop();
        let typed = typed
            .into_iter()
            .map(|argument| argument.wait_for("from_request", &quote!(&__request), names));
        let last = match last {
            Some(last) => last.wait_for("from_whole_request", &quote!(__request), names),
            // The request is no longer needed, and the handler may take long.
            None => quote!(::core::mem::drop(__request);),
        };
        quote!(#(#named)* #(#typed)* #last)
    }

    /// Returns the closure for the router: its future takes the values from the request and makes the
    /// call. `hold` comes first in it, and clones what the call needs for this request. If the return
    /// value `may_borrow` from that, both are held together.
    pub(crate) fn closure(
        &self,
        hold: &TokenStream,
        call: &TokenStream,
        may_borrow: bool,
        names: &TokenStream,
    ) -> TokenStream {
        let (takes, value) = (self.takes(names), self.shape.value());
        let answer = self.shape.answer(may_borrow, names);
        let wait = self.is_async.then(|| quote!(.await));
        // The block drops the returned value before the next `await`.
        let answer = quote!({ let #value = #call #wait; #answer });
        let reply = if may_borrow {
            quote! {
                #names::held(move |__outlet| async move {
                    let __answer = #answer;
                    __outlet.give(__answer).await
                })
                .await
            }
        } else {
            quote! {
                let __answer = #answer;
                #names::given(__answer).await
            }
        };
        quote! {
            move |__request: #names::Request| {
                #hold
                async move {
                    #takes
                    #reply
                }
            }
        }
    }

    /// Returns `router` with a route to this handler at `path`, which is the whole path. `generics` are
    /// those of the `impl` block.
    pub(crate) fn route(
        &self,
        args: &Args,
        path: &LitStr,
        closure: &TokenStream,
        generics: &Generics,
        names: &TokenStream,
    ) -> TokenStream {
        match args.method.as_ref().filter(|method| *method != "GET") {
            None => {
                let events = Ident::new("events", self.returns);
                let checks = self.checks_of_get(generics, names);
                quote!({ #checks __router.#events(#path, #closure) })
            }
            Some(method) => {
                let route = Ident::new("route", self.returns);
                quote!(__router.#route(#names::Method::#method, #path, #closure))
            }
        }
    }

    /// Returns the statements that do not compile where a handler of `GET` takes a body.
    fn checks_of_get(&self, generics: &Generics, names: &TokenStream) -> TokenStream {
        let checks = self.arguments.iter().filter_map(|argument| {
            let Argument { cfg, ty, .. } = argument;
            if !matches!(argument.source, Source::Request) {
                return None;
            }
            let needs_body = quote_spanned!(ty.span()=> <#ty as #names::FromRequest>::NEEDS_BODY);
            // A constant of a generic type is known only when the code is generated for a concrete one.
            let check = if args::mentions(ty.to_token_stream(), generics) {
                let text = "a handler of GET takes what is taken from the request's body, and a \
                            request of GET has none: write method = POST";
                quote_spanned!(ty.span()=> const { ::core::assert!(!#needs_body, #text) })
            } else {
                quote_spanned!(ty.span()=> #names::extract::fits_get::<#ty, { #needs_body }>())
            };
            Some(quote!(#cfg { #check; }))
        });
        checks.collect()
    }

    /// Checks that `path` has every parameter that the arguments take from it.
    pub(crate) fn check(&self, path: &LitStr) -> Result<()> {
        let params = args::params(&path.value()).unwrap_or_default();
        for argument in &self.arguments {
            let Source::Named(function, name) = &argument.source else {
                continue;
            };
            if function == "path" && !params.contains(&name.value()) {
                let text = format!(
                    "the path {:?} has no part {{{}}}; write it there, or take a #[query]",
                    path.value(),
                    name.value()
                );
                return Err(syn::Error::new(name.span(), text));
            }
        }
        Ok(())
    }
}

impl Argument {
    fn new(argument: &mut PatType, value: Ident, errors: &mut Errors) -> Self {
        let source = Source::of(argument, errors);
        Self {
            cfg: attributes::cfg(&argument.attrs),
            value,
            ty: (*argument.ty).clone(),
            source,
        }
    }

    /// Returns the statement that waits until `function` of `FromRequest` has taken the argument from
    /// `request`.
    fn wait_for(&self, function: &str, request: &TokenStream, names: &TokenStream) -> TokenStream {
        let (ty, span) = (&self.ty, self.ty.span());
        let function = Ident::new(function, span);
        let taken = quote_spanned!(span=> <#ty as #names::FromRequest>::#function(#request).await);
        self.take(&taken, names)
    }

    /// Returns the statement that takes the argument out of the `Result` in `taken`. It has the span of
    /// the type, so that the compiler points there and not at the whole handler. The names of variables
    /// are hygienic.
    fn take(&self, taken: &TokenStream, names: &TokenStream) -> TokenStream {
        let (cfg, span) = (&self.cfg, self.ty.span());
        let mut value = self.value.clone();
        value.set_span(value.span().located_at(span));
        quote_spanned! {span=>
            #cfg
            let #value = match #taken {
                ::core::result::Result::Ok(__taken) => __taken,
                ::core::result::Result::Err(__refusal) => return #names::Reply::from(__refusal),
            };
        }
    }
}

impl Source {
    fn of(argument: &mut PatType, errors: &mut Errors) -> Self {
        let marker = attributes::take_marker(&mut argument.attrs, errors);
        if let Some(error) = problem_with(&argument.ty) {
            errors.push(error);
            return Self::Unknown;
        }
        let Some((marker, name)) = marker else {
            return Self::Request;
        };
        if marker == "state" {
            let Pat::Ident(pattern) = &*argument.pat else {
                let text = "this is a field of the struct that the route is added with; name it";
                errors.push(syn::Error::new(argument.pat.span(), text));
                return Self::Unknown;
            };
            return Self::State(pattern.ident.clone());
        }
        let name = match name {
            Some(name) => Some(name),
            None => errors.keep(name_of(&argument.pat, &marker)),
        };
        let function = Ident::new(&marker.to_string(), argument.ty.span());
        name.map_or(Self::Unknown, |name| Self::Named(function, name))
    }
}

/// Returns the error of a type that no argument can have.
fn problem_with(ty: &Type) -> Option<syn::Error> {
    let text = match ty {
        Type::Reference(reference) if !is_static(reference) => {
            "a handler owns its arguments: nothing would hold what this borrows. Take `String` for \
             a text, `Request` for the request"
        }
        Type::ImplTrait(_) => "the macro has to know what to take from the request; name the type",
        _ => return None,
    };
    Some(syn::Error::new(ty.span(), text))
}

fn is_static(reference: &syn::TypeReference) -> bool {
    let lifetime = reference.lifetime.as_ref();
    lifetime.is_some_and(|lifetime| lifetime.ident == "static")
}

/// Returns whether this looks like the request itself. It is taken by its type; the name only decides
/// that it is taken last.
fn is_named_request(ty: &Type) -> bool {
    let Type::Path(path) = ty else {
        return false;
    };
    let last = path.path.segments.last();
    last.is_some_and(|segment| segment.ident == "Request")
}

/// Returns the name that an argument has in the request, if its marker gives none.
fn name_of(pattern: &Pat, marker: &Ident) -> Result<LitStr> {
    let Pat::Ident(pattern) = pattern else {
        let text = format!("this argument has no name; write #[{marker}(\"name\")]");
        return Err(syn::Error::new(pattern.span(), text));
    };
    let mut name = pattern.ident.unraw().to_string();
    if marker == "header" {
        name = name.replace('_', "-");
    }
    Ok(LitStr::new(&name, pattern.ident.span()))
}
