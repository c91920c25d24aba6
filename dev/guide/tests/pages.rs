//! The pages say what is.

use std::{fs, path::Path};

#[test]
fn the_page_on_language_models_has_the_program_that_is_tested() {
    let page = include_str!("../../../docs/language-model.md");
    let program = include_str!("../src/bin/language_model.rs");
    let (_, code) = program.split_once("\n\n").unwrap();
    assert!(page.contains(&format!("```rust,no_run\n{code}```\n")));
}

/// Every Markdown file of the top folder and of the guide.
fn pages() -> Vec<std::path::PathBuf> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let files = [top.join("docs"), top]
        .into_iter()
        .flat_map(|folder| fs::read_dir(folder).unwrap());
    files
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect()
}

#[test]
fn links_lead_to_files() {
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for link in text.split("](").skip(1) {
            let link = link.split([')', '#']).next().unwrap();
            if link.is_empty() || link.contains(':') || link.contains(char::is_whitespace) {
                continue;
            }
            let file = page.parent().unwrap().join(link);
            assert!(file.exists(), "{}: {link}", page.display());
        }
    }
}
