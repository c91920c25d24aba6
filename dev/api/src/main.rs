//! Lists the public API of crates, and the types of other crates in it, for `.ci/api`.
//!
//! `sse-api DIRECTORY NAME=JSON…` reads rustdoc's JSON of each crate and writes `DIRECTORY/NAME.txt`
//! and `DIRECTORY/foreign-found.txt`.

use std::{collections::BTreeSet, env, error::Error, fs, path::Path, process::ExitCode};

use public_api::Builder;

/// Crates whose items are not foreign types: the standard library's, and this project's.
const OWN: [&str; 11] = [
    "alloc",
    "core",
    "std",
    "sse_async_std",
    "sse_core",
    "sse_driver",
    "sse_macros",
    "sse_redis",
    "sse_smol",
    "sse_tokio",
    "proc_macro",
];

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sse-api: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let directory = args.next().ok_or("name the directory to write to")?;
    let mut foreign = BTreeSet::new();
    for arg in args {
        let (name, json) = arg.split_once('=').ok_or("write NAME=JSON")?;
        let items = items(Path::new(json)).map_err(|error| format!("{json}: {error}"))?;
        foreign.extend(
            items
                .iter()
                .flat_map(|item| foreign_paths(item))
                .map(str::to_owned),
        );
        write(&directory, name, items.iter().map(String::as_str))?;
    }
    write(
        &directory,
        "foreign-found",
        foreign.iter().map(String::as_str),
    )
}

fn write<'a>(
    directory: &str,
    name: &str,
    lines: impl Iterator<Item = &'a str>,
) -> Result<(), Box<dyn Error>> {
    let text: String = lines.flat_map(|line| [line, "\n"]).collect();
    fs::write(Path::new(directory).join(name).with_extension("txt"), text)?;
    Ok(())
}

/// Returns the public items of a crate, one per line. It leaves out the methods of the standard library's
/// traits, and the traits that the compiler implements by itself, except for `Send` and `Sync`, on which
/// users rely.
fn items(json: &Path) -> Result<Vec<String>, public_api::Error> {
    let api = Builder::from_rustdoc_json(json)
        .omit_blanket_impls(true)
        .build()?;
    let mut items = Vec::new();
    let mut in_impl_of_std = false;
    for item in api.items().map(ToString::to_string) {
        let is_function = item.contains("pub fn ") || item.contains("pub const fn ");
        if in_impl_of_std && is_function {
            continue;
        }
        in_impl_of_std = item.starts_with("impl") && implements_std(&item);
        if !(in_impl_of_std && IGNORED.iter().any(|ignored| item.contains(ignored))) {
            items.push(item);
        }
    }
    Ok(items)
}

/// Traits that most types have and no user relies on.
const IGNORED: [&str; 4] = [
    "core::marker::Freeze",
    "Unpin for",
    "core::panic::unwind_safe::",
    "core::marker::StructuralPartialEq",
];

/// Whether `item`, an `impl`, is of a trait of the standard library.
fn implements_std(item: &str) -> bool {
    let of_trait = item.split(" for ").next().unwrap_or_default();
    ["core::", "alloc::", "std::"].iter().any(|root| {
        of_trait.contains(&format!("> {root}")) || of_trait.contains(&format!("impl {root}"))
    })
}

/// Returns the types and traits of other crates in an item.
fn foreign_paths(item: &str) -> impl Iterator<Item = &str> {
    let is_of_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let paths = item.split(move |c| !is_of_path(c));
    paths.filter_map(|path| {
        let (root, _) = path.split_once("::")?;
        let is_foreign = root.starts_with(|c: char| c.is_lowercase()) && !OWN.contains(&root);
        is_foreign.then(|| up_to_type(path))?
    })
}

/// Returns `a::b::Type` of `a::b::Type::method`, and `None` where there is no type.
fn up_to_type(path: &str) -> Option<&str> {
    let mut end = 0;
    for segment in path.split("::") {
        end += segment.len();
        if segment.starts_with(|c: char| c.is_uppercase()) {
            return path.get(..end);
        }
        end += "::".len();
    }
    None
}
