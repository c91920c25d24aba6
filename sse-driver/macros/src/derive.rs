//! Enums whose variants are event types.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::{
    Attribute, Data, DeriveInput, Fields, Ident, LitStr, Path, Result, Token, Type,
    ext::IdentExt,
    parse::{Parse, ParseStream},
    spanned::Spanned,
};

use crate::{args::names_of, errors::Errors};

/// A variant, as an event type.
struct Variant {
    name: Ident,
    event_type: LitStr,
    content: Option<Type>,
}

/// An enum and its variants.
struct Events {
    input: DeriveInput,
    variants: Vec<Variant>,
    names: TokenStream,
}

/// The type of an event for which the server sets none.
const MESSAGE: &str = "message";

impl Events {
    /// Parses the enum. Its errors are returned beside it, so that the trait is implemented nevertheless.
    fn new(item: TokenStream, names: TokenStream) -> Result<(Self, Errors)> {
        let input: DeriveInput = syn::parse2(item)?;
        let mut errors = Errors::default();
        let root = errors.keep(crate_of(&input.attrs)).flatten();
        let names = root.map_or(names, |path| names_of(&path));
        let mut variants: Vec<Variant> = Vec::new();
        if let Data::Enum(data) = &input.data {
            for variant in &data.variants {
                let variant = errors.keep(Variant::new(variant, &variants));
                variants.extend(variant);
            }
        } else {
            let text = "this is for enums, with a variant for each event type; one event of a \
                        struct is `Json(it)`";
            errors.push(syn::Error::new(input.ident.span(), text));
        }
        let events = Self {
            input,
            variants,
            names,
        };
        Ok((events, errors))
    }
}

impl Variant {
    fn new(variant: &syn::Variant, others: &[Self]) -> Result<Self> {
        let content = match &variant.fields {
            Fields::Unit => None,
            Fields::Unnamed(fields) if fields.unnamed.len() == 1 => {
                fields.unnamed.first().map(|field| field.ty.clone())
            }
            fields => {
                let name = &variant.ident;
                let text = format!(
                    "an event has one content; make it a struct, and write {name}(ThatStruct)"
                );
                return Err(syn::Error::new(fields.span(), text));
            }
        };
        let event_type = event_type(&variant.ident, &variant.attrs)?;
        let value = event_type.value();
        if let Some(other) = others
            .iter()
            .find(|other| other.event_type.value() == value)
        {
            let text = format!(
                "{} is the event type {value:?} already; give this another with #[event(\"…\")]",
                other.name
            );
            return Err(syn::Error::new(event_type.span(), text));
        }
        Ok(Self {
            name: variant.ident.clone(),
            event_type,
            content,
        })
    }

    /// Returns the arm of a `match` that makes an event from a value.
    fn to_event(&self, names: &TokenStream) -> TokenStream {
        let Self {
            name,
            event_type,
            content,
        } = self;
        let (pattern, event) = match content {
            None => (quote!(Self::#name), quote!(#names::Event::new("null"))),
            Some(ty) => {
                let json = quote_spanned!(ty.span()=> #names::Event::json::<#ty>(&__content)?);
                (quote!(Self::#name(__content)), json)
            }
        };
        match event_type.value().as_str() {
            MESSAGE => quote!(#pattern => #event),
            _ => quote!(#pattern => #event.of_type(const {
                #names::EventType::from_static(#event_type)
            })),
        }
    }

    /// Returns the arm of a `match` on an event's type that makes a value from the event.
    fn of_event(&self, names: &TokenStream) -> TokenStream {
        let Self {
            name,
            event_type,
            content,
        } = self;
        match content {
            None => quote!(#event_type => Self::#name),
            Some(ty) => {
                let read = quote_spanned!(
                    ty.span()=> #names::serde_json::from_str::<#ty>(__event.data())?
                );
                quote!(#event_type => Self::#name(#read))
            }
        }
    }
}

/// An argument of `#[event(…)]`.
enum EventArg {
    Type(LitStr),
    Crate(Path),
}

impl Parse for EventArg {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        if input.peek(Token![crate]) {
            input.parse::<Token![crate]>()?;
            input.parse::<Token![=]>()?;
            return Ok(Self::Crate(input.call(Path::parse_mod_style)?));
        }
        let event_type = input.parse().map_err(|error: syn::Error| {
            syn::Error::new(
                error.span(),
                "write the event type in quotes: #[event(\"…\")]",
            )
        })?;
        Ok(Self::Type(event_type))
    }
}

fn event_args(attributes: &[Attribute]) -> Result<Vec<EventArg>> {
    let attributes = attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("event"));
    attributes.map(Attribute::parse_args).collect()
}

/// Returns the crate in `#[event(crate = …)]` on the enum.
fn crate_of(attributes: &[Attribute]) -> Result<Option<Path>> {
    let mut root = None;
    for arg in event_args(attributes)? {
        match arg {
            EventArg::Crate(path) => root = Some(path),
            EventArg::Type(name) => {
                let text = "the enum has no event type, its variants have; write this before one";
                return Err(syn::Error::new(name.span(), text));
            }
        }
    }
    Ok(root)
}

/// Returns the event type of a variant, after checking that it is valid.
fn event_type(name: &Ident, attributes: &[Attribute]) -> Result<LitStr> {
    let mut found = None;
    for arg in event_args(attributes)? {
        match arg {
            EventArg::Type(name) => found = Some(name),
            EventArg::Crate(path) => {
                let text = "this stands before the enum";
                return Err(syn::Error::new(path.span(), text));
            }
        }
    }
    let found =
        found.unwrap_or_else(|| LitStr::new(&snake_case(&name.unraw().to_string()), name.span()));
    let value = found.value();
    if value.is_empty() || value.contains(['\0', '\r', '\n']) {
        let text = "an event type is a text of at least one character, without line ends and NUL";
        return Err(syn::Error::new(found.span(), text));
    }
    Ok(found)
}

/// Converts a name to snake case: `UserJoined` to `user_joined`, and `HTTPError` to `http_error`.
fn snake_case(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut snake = String::new();
    for (index, letter) in letters.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|index| letters.get(index));
        let ends_word = before.is_some_and(|before| before.is_lowercase() || before.is_numeric());
        let after = letters.get(index + 1);
        let begins_word = before.is_some_and(|before| before.is_uppercase())
            && after.is_some_and(|after| after.is_lowercase());
        if letter.is_uppercase() && (ends_word || begins_word) {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

pub(crate) fn into_event(item: TokenStream, names: TokenStream) -> TokenStream {
    let (events, errors) = match Events::new(item, names) {
        Ok(events) => events,
        Err(error) => return error.into_compile_error(),
    };
    let Events {
        input,
        variants,
        names,
    } = events;
    let arms = variants.iter().map(|variant| variant.to_event(&names));
    let body = if !errors.is_empty() {
        quote!(::core::unreachable!())
    } else if variants.is_empty() {
        // An enum without variants has no values.
        quote!(match self {})
    } else {
        quote!(::core::result::Result::Ok(match self { #(#arms,)* }))
    };
    let name = &input.ident;
    let (impl_generics, type_generics, where_clause) = input.generics.split_for_impl();
    let errors = errors.into_tokens();
    quote! {
        #[automatically_derived]
        impl #impl_generics #names::IntoEvent for #name #type_generics #where_clause {
            fn into_event(self) -> ::core::result::Result<#names::Event, #names::EventError> {
                #body
            }
        }

        #[automatically_derived]
        impl #impl_generics #names::OneEvent for #name #type_generics #where_clause {}

        #errors
    }
}

pub(crate) fn from_event(item: TokenStream, names: TokenStream) -> TokenStream {
    let (events, errors) = match Events::new(item, names) {
        Ok(events) => events,
        Err(error) => return error.into_compile_error(),
    };
    let Events {
        input,
        variants,
        names,
    } = events;
    let arms = variants.iter().map(|variant| variant.of_event(&names));
    let body = if errors.is_empty() {
        quote! {
            ::core::result::Result::Ok(::core::option::Option::Some(match __event.event_type() {
                #(#arms,)*
                _ => return ::core::result::Result::Ok(::core::option::Option::None),
            }))
        }
    } else {
        quote!(::core::unreachable!())
    };
    let name = &input.ident;
    let (impl_generics, type_generics, where_clause) = input.generics.split_for_impl();
    let errors = errors.into_tokens();
    quote! {
        #[automatically_derived]
        impl #impl_generics #names::FromEvent for #name #type_generics #where_clause {
            type Error = #names::serde_json::Error;

            #[allow(unreachable_code)]
            fn from_event(
                __event: &#names::MessageEvent,
            ) -> ::core::result::Result<::core::option::Option<Self>, #names::serde_json::Error> {
                #body
            }
        }

        #errors
    }
}
