//! Gives the macros any tokens: no panic, and where the item is one that the macro is for, what comes of it
//! is items, the compiler's error among them if there is one.
//!
//! The first byte chooses the macro; a NUL stands between the attribute's arguments and the item.
#![no_main]

#[path = "../../sse-driver/macros/src/args.rs"]
mod args;
#[path = "../../sse-driver/macros/src/attributes.rs"]
mod attributes;
#[path = "../../sse-driver/macros/src/borrowing.rs"]
mod borrowing;
#[path = "../../sse-driver/macros/src/controller.rs"]
mod controller;
#[path = "../../sse-driver/macros/src/derive.rs"]
mod derive;
#[path = "../../sse-driver/macros/src/errors.rs"]
mod errors;
#[path = "../../sse-driver/macros/src/function.rs"]
mod function;
#[path = "../../sse-driver/macros/src/handler.rs"]
mod handler;
#[path = "../../sse-driver/macros/src/shape.rs"]
mod shape;

use libfuzzer_sys::fuzz_target;
use proc_macro2::TokenStream;

/// The deepest nesting of brackets: the parser, as the compiler, uses the stack for it.
const DEPTH: usize = 32;

/// Parses a text as tokens, unless it is nested too deeply.
fn tokens(text: &str) -> Option<TokenStream> {
    let mut depth = 0_usize;
    for byte in text.bytes() {
        match byte {
            b'(' | b'[' | b'{' | b'<' => depth += 1,
            b')' | b']' | b'}' | b'>' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > DEPTH {
            return None;
        }
    }
    text.parse().ok()
}

fuzz_target!(|input: &[u8]| {
    let Some((which, text)) = input.split_first() else {
        return;
    };
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    let (args, item) = text.split_once('\0').unwrap_or(("", text));
    let (Some(args), Some(item)) = (tokens(args), tokens(item)) else {
        return;
    };
    let names = args::names_of(&syn::parse_quote!(::sse_tokio));
    let (is_expected, output) = match which % 4 {
        0 => (
            syn::parse2::<syn::ItemImpl>(item.clone()).is_ok(),
            controller::expand(args, item, names),
        ),
        1 => (
            syn::parse2::<syn::ItemFn>(item.clone()).is_ok(),
            function::expand(args, item, names),
        ),
        2 => (
            syn::parse2::<syn::DeriveInput>(item.clone()).is_ok(),
            derive::into_event(item, names),
        ),
        _ => (
            syn::parse2::<syn::DeriveInput>(item.clone()).is_ok(),
            derive::from_event(item, names),
        ),
    };
    if is_expected && let Err(error) = syn::parse2::<syn::File>(output.clone()) {
        panic!("{error}: {output}");
    }
});
