//! Checks the badges of features in rustdoc's pages, for `.ci/badges`.
//!
//! `badges PAGES CRATE=FEATURE,FEATURE…` reads the pages of each crate in `PAGES/all/CRATE`, which are built
//! with all its features, and in `PAGES/none/CRATE`, which are built without any.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    error::Error,
    fs,
    path::Path,
    process::ExitCode,
};

fn main() -> ExitCode {
    match run() {
        Ok(faults) if faults.is_empty() => ExitCode::SUCCESS,
        Ok(faults) => {
            for fault in faults {
                eprintln!("{fault}");
            }
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("badges: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<Vec<String>, Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let pages = args.next().ok_or("name the directory of the pages")?;
    let mut faults = Vec::new();
    for arg in args {
        let (name, features) = arg.split_once('=').ok_or("write CRATE=FEATURE,FEATURE…")?;
        let features: BTreeSet<&str> = features.split(',').collect();
        let all = items(&Path::new(&pages).join("all").join(name))?;
        let none = items(&Path::new(&pages).join("none").join(name))?;
        if !all.contains_key(&Place::page("index.html")) {
            return Err(format!("no pages of {name} in {pages}").into());
        }
        faults.extend(wrong(name, &features, &all));
        faults.extend(missing(name, &all, &none));
    }
    Ok(faults)
}

/// Where an item is documented.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    /// The page's path, such as `router/struct.Router.html`.
    page: String,
    /// The ID in the page, such as `method.new`; empty for the item that the page is about.
    id: String,
}

impl Place {
    fn page(page: &str) -> Self {
        let (page, id) = (page.to_owned(), String::new());
        Self { page, id }
    }

    /// Returns `crate::router::Router::new` in place of `router/struct.Router.html#method.new`.
    fn name(&self) -> String {
        let mut path: Vec<&str> = ["crate"].into_iter().chain(self.page.split('/')).collect();
        if let Some(file) = path.pop().and_then(|file| file.strip_suffix(".html")) {
            // `index.html` is the module's own page.
            path.extend(file.split_once('.').map(|(_, item)| item));
        }
        let path = path.join("::");
        match self.id.split_once('.') {
            _ if self.id.is_empty() => path,
            Some((_, member)) => format!("{path}::{member}"),
            None => format!(
                "{path}, {}",
                self.id.replace("%3C", "<").replace("%3E", ">")
            ),
        }
    }
}

/// What the pages say of an item.
#[derive(Default)]
struct Item {
    /// The features that its badges name.
    features: BTreeSet<String>,
    /// Whether its source is in one of our crates. Unknown for what leads to no source of its own, such as a field,
    /// and for items of other crates.
    is_ours: Option<bool>,
}

type Items = BTreeMap<Place, Item>;

/// Returns the items of our crates, each with the item of its page. A page may be of another crate: `tls::rustls` in
/// an adapter has the badges of rustls.
fn ours(all: &Items) -> impl Iterator<Item = (&Place, &Item, &Item)> {
    all.iter().filter_map(|(place, item)| {
        let page = all.get(&Place::page(&place.page))?;
        let is_ours = page.is_ours == Some(true) && item.is_ours != Some(false);
        is_ours.then_some((place, item, page))
    })
}

/// Returns the badges that name features which the crate does not have.
fn wrong<'a>(
    name: &'a str,
    features: &'a BTreeSet<&str>,
    all: &'a Items,
) -> impl Iterator<Item = String> + 'a {
    ours(all).flat_map(move |(place, item, _)| {
        let unknown = item
            .features
            .iter()
            .filter(|named| !features.contains(named.as_str()));
        unknown.map(move |feature| {
            format!(
                "{name}: the badge of `{}` names `{feature}`, which is not a feature of the crate: \
                 hide it with `doc(auto_cfg(hide(feature = \"{feature}\")))`, or give the feature its name",
                place.name(),
            )
        })
    })
}

/// The driver and the adapters have these of the core under a feature with another name, `event-log`. The text of
/// the modules says so.
const TOLD: [&str; 3] = [
    "topic::follower",
    "topic::resumable::member",
    "for-MemberConfig",
];

/// Returns the items that are there only with a feature, and have no badge. Of a page that is not there without
/// it, that is the page's item.
fn missing<'a>(
    name: &'a str,
    all: &'a Items,
    none: &'a Items,
) -> impl Iterator<Item = String> + 'a {
    let gated = ours(all).filter(move |(place, item, page)| {
        let has_badge = !item.features.is_empty() || !page.features.is_empty();
        let is_told = TOLD.iter().any(|told| place.name().contains(told));
        !none.contains_key(place)
            && (place.id.is_empty() || none.contains_key(&Place::page(&place.page)))
            && !has_badge
            && !is_told
    });
    gated.map(move |(place, ..)| {
        format!(
            "{name}: `{}` needs a feature, and has no badge that says which: put the `cfg` on the item \
             itself, or on its re-export in the crate",
            place.name()
        )
    })
}

/// Reads the pages of a directory and of those in it.
fn items(directory: &Path) -> Result<Items, Box<dyn Error>> {
    let mut items = Items::new();
    let mut open = vec![directory.to_owned()];
    while let Some(next) = open.pop() {
        let entries =
            fs::read_dir(&next).map_err(|error| format!("{}: {error}", next.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|end| end == "html") {
                let page = path.strip_prefix(directory)?.to_string_lossy();
                read(&page, &fs::read_to_string(&path)?, &mut items);
            }
        }
    }
    Ok(items)
}

/// What follows in a page is not written by the crate: implementations for every type, and those that the
/// compiler makes.
const NOT_OURS: [&str; 3] = [
    "synthetic-implementations",
    "synthetic-implementors",
    "blanket-implementations",
];

/// The beginnings of the IDs of items in a page.
const MEMBERS: [&str; 8] = [
    "associatedconstant.",
    "associatedtype.",
    "impl-",
    "method.",
    "reexport.",
    "structfield.",
    "tymethod.",
    "variant.",
];

/// Adds the items of a page.
fn read(page: &str, html: &str, items: &mut Items) {
    // Without it, the page only leads to another one.
    if !html.contains("id=\"main-content\"") {
        return;
    }
    let mut place = Place::page(page);
    items.entry(place.clone()).or_default();
    let mut badge = None;
    for piece in html.split('<').skip(1) {
        let (tag, text) = piece.split_once('>').unwrap_or((piece, ""));
        let id = attribute(tag, "id").unwrap_or_default();
        if NOT_OURS.contains(&id) {
            return;
        }
        if tag.starts_with("dt") {
            // A line of a module's list. Items with a page of their own have the same badge there.
            id.clone_into(&mut place.id);
        }
        // Methods of a trait's implementation belong to it. An implementation without a trait is no item, and its
        // methods have badges of their own.
        let is_item = MEMBERS.iter().any(|start| id.starts_with(start))
            && !tag.contains("trait-impl")
            && (!id.starts_with("impl-") || id.contains("-for-"));
        if is_item {
            id.clone_into(&mut place.id);
            items.entry(place.clone()).or_default();
        }
        let item = items.entry(place.clone()).or_default();
        if tag.starts_with("a class=\"src") {
            let source = attribute(tag, "href").unwrap_or_default();
            item.is_ours.get_or_insert(source.contains("src/sse_"));
        }
        match tag {
            r#"div class="stab portability""# => badge = Some(String::new()),
            "/div" => item
                .features
                .extend(badge.take().iter().flat_map(|it| features(it))),
            _ => {}
        }
        if let Some(badge) = &mut badge {
            badge.push_str(if tag.ends_with("code") { "`" } else { "" });
            badge.push_str(text);
        }
        if tag.starts_with(r#"span class="stab portability""#) {
            let title = attribute(tag, "title").unwrap_or_default();
            item.features.extend(features(title));
        }
    }
}

/// Returns the features that a badge names: `a` and `b` of "Available on Unix and (crate features `a` or `b`)
/// only". Other conditions are in code, too.
fn features(badge: &str) -> impl Iterator<Item = String> {
    let mut parts = badge.split('`');
    let mut before = parts.next().unwrap_or_default();
    let mut is_feature = false;
    std::iter::from_fn(move || Some((parts.next()?, parts.next().unwrap_or_default()))).filter_map(
        move |(word, after)| {
            let is_first =
                before.ends_with("crate feature ") || before.ends_with("crate features ");
            let is_next = [" and ", " or ", ", ", ", and ", ", or "].contains(&before);
            is_feature = is_first || is_feature && is_next;
            before = after;
            (is_feature && !word.contains('=')).then(|| word.to_owned())
        },
    )
}

/// Returns the value of an attribute in a tag.
fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let (_, value) = tag.split_once(&format!(" {name}=\""))?;
    value.split_once('"').map(|(value, _)| value)
}
