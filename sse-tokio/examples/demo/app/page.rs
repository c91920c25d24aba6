//! The page, with the code beside its panels.

/// The sources that the page shows parts of: the code beside a panel is the code that runs.
const SOURCES: [(&str, &str); 4] = [
    ("feed.rs", include_str!("feed.rs")),
    ("handlers.rs", include_str!("handlers.rs")),
    ("mod.rs", include_str!("mod.rs")),
    ("numbers.rs", include_str!("numbers.rs")),
];

const PAGE: &str = include_str!("page.html");

/// Returns the page of the server at this address, on this adapter. Each `{{FILE: BEGINNING}}` is replaced
/// by the item of the file whose first line has this beginning.
///
/// # Errors
///
/// The page names an item that does not exist.
pub(super) fn render(address: &str, adapter: &str) -> Result<String, String> {
    let page = PAGE
        .replace("{{address}}", address)
        .replace("{{adapter}}", adapter);
    let mut rendered = String::with_capacity(2 * page.len());
    let mut rest = &*page;
    while let Some((before, name, after)) = placeholder(rest) {
        rendered.push_str(before);
        let code = code(name).ok_or_else(|| format!("page.html names no code: {name:?}"))?;
        rendered.push_str(&code);
        rest = after;
    }
    Ok(rendered + rest)
}

/// Splits the page at its next placeholder.
fn placeholder(page: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = page.split_once("{{")?;
    let (name, after) = rest.split_once("}}")?;
    Some((before, name, after))
}

/// Returns an item of a source, as HTML, without what makes it visible to other modules.
fn code(name: &str) -> Option<String> {
    let (file, beginning) = name.split_once(": ")?;
    let (_, source) = SOURCES.iter().find(|(name, _)| *name == file)?;
    let code = item(&source.replace("pub(super) ", ""), beginning)?;
    Some(
        code.replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;"),
    )
}

/// Returns the item with this beginning, from its documentation to the brace that closes it, without its
/// indentation. That of `rustfmt` tells which brace that is.
fn item(source: &str, beginning: &str) -> Option<String> {
    let lines: Vec<&str> = source.lines().collect();
    let head = lines
        .iter()
        .position(|line| line.trim_start().starts_with(beginning))?;
    let belongs = |line: &&str| {
        ["///", "#["]
            .iter()
            .any(|mark| line.trim_start().starts_with(mark))
    };
    let above = lines
        .iter()
        .take(head)
        .rev()
        .take_while(|line| belongs(line))
        .count();
    let indentation = lines.get(head)?.len() - lines.get(head)?.trim_start().len();
    let is_last = |line: &&str| line.len() == indentation + 1 && line.ends_with('}');
    let below = lines.iter().skip(head).position(is_last)?;
    let lines = lines.iter().skip(head - above).take(above + below + 1);
    let lines: Vec<&str> = lines
        .map(|line| line.get(indentation..).unwrap_or(""))
        .collect();
    Some(lines.join("\n"))
}
