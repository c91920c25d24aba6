//! The pages are true: their programs, settings, links and names are those of the code.

use std::{
    fs,
    io::{Read, Write},
    path::Path,
};

/// Asserts that the page has the code of this program, without the program's own first lines.
fn assert_has_program(page: &str, language: &str, program: &str) {
    let (_, code) = program.split_once("\n\n").unwrap();
    assert!(page.contains(&format!("```{language}\n{code}```\n")));
}

#[test]
fn the_page_on_language_models_has_the_program_and_the_page_that_are_tested() {
    let page = include_str!("../../../docs/language-model.md");
    // The program includes the page as a file, which an example of documentation cannot.
    let program = include_str!("../src/bin/language_model.rs");
    assert_has_program(page, "rust,ignore", program);
    let html = include_str!("../src/bin/language_model.html");
    assert!(page.contains(&format!("```html\n{html}```\n")));
}

#[test]
fn the_page_on_progress_has_the_program_that_is_tested() {
    let page = include_str!("../../../docs/progress.md");
    assert_has_program(page, "rust,no_run", include_str!("../src/bin/progress.rs"));
}

#[test]
fn the_pages_on_following_and_on_restarts_have_the_programs_that_are_tested() {
    let page = include_str!("../../../docs/following.md");
    assert_has_program(page, "rust,no_run", include_str!("../src/bin/follow.rs"));
    let page = include_str!("../../../docs/restart.md");
    assert_has_program(page, "rust,no_run", include_str!("../src/bin/restart.rs"));
}

#[test]
fn the_page_on_the_model_context_protocol_has_the_programs_that_are_tested() {
    let page = include_str!("../../../docs/mcp.md");
    for program in [
        include_str!("../src/bin/mcp_server.rs"),
        include_str!("../src/bin/mcp_client.rs"),
    ] {
        assert_has_program(page, "rust,no_run", program);
    }
}

/// Returns the settings that a page lists in a table, with their defaults: `| \`Type::field\` |
/// default | …`.
fn bounds(page: &str) -> impl Iterator<Item = (&str, &str)> {
    page.lines().filter_map(|line| {
        let (setting, rest) = line.strip_prefix("| `")?.split_once("` | ")?;
        Some((setting, rest.split_once(" | ")?.0))
    })
}

/// `sse-driver/tests/security.rs` compares those of SECURITY.md with the code.
#[test]
fn the_readmes_bounds_are_those_of_security_md() {
    let security: Vec<_> = bounds(include_str!("../../../SECURITY.md")).collect();
    let readme = include_str!("../../../README.md");
    let (_, limits) = readme.split_once("\n## Limits\n").unwrap();
    let mut checked = 0;
    for bound in bounds(limits.split_once("\n## ").unwrap().0) {
        assert!(security.contains(&bound), "{bound:?} is not in SECURITY.md");
        checked += 1;
    }
    assert!(checked > 8, "{checked}");
}

#[test]
fn the_page_on_http_clients_has_the_programs_that_are_tested() {
    let page = include_str!("../../../docs/http-client.md");
    for program in [
        include_str!("../src/bin/client_over_reqwest.rs"),
        include_str!("../src/bin/client_over_hyper.rs"),
        include_str!("../src/bin/client_over_hyper_on_smol.rs"),
    ] {
        assert_has_program(page, "rust,no_run", program);
    }
}

/// Returns every Markdown file of the top folder and of the guide.
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

/// Returns the parts of a text that are between backticks.
fn code_spans(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Returns whether one of the sources has this name: `name()` is a function, `Type::name` a
/// function of a type, and `Type::Variant` a variant.
fn is_in(name: &str, sources: &[String]) -> bool {
    let (of, name) = match name.rsplit_once("::") {
        Some((of, name)) => (Some(of), name),
        None => (None, name.trim_end_matches("()")),
    };
    let has_word = |source: &str, word: &str| {
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        source.split(|c| !is_part(c)).any(|part| part == word)
    };
    let declares = |source: &&String| match name.starts_with(char::is_uppercase) {
        true => has_word(source, name),
        false => ["(", "<"]
            .iter()
            .any(|open| source.contains(&format!("fn {name}{open}"))),
    };
    let is_there = sources.iter().filter(declares);
    match of {
        Some(of) => is_there.into_iter().any(|source| has_word(source, of)),
        None => is_there.count() > 0,
    }
}

/// The items of the recorded API whose line begins so, each by the last part of its name.
fn recorded(beginning: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/api");
    let mut names = Vec::new();
    for file in fs::read_dir(folder).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        let items = text.lines().filter_map(|line| line.strip_prefix(beginning));
        names.extend(items.map(|item| {
            let path = item.split(['<', '(', ' ']).next().unwrap();
            let name = path.trim_end_matches(':').rsplit("::").next();
            name.unwrap().to_owned()
        }));
    }
    names
}

/// The last parts of the names that this section of the page on versions has between backticks.
fn named_in_versions(section: &str) -> Vec<&'static str> {
    let page = include_str!("../../../docs/versions.md");
    let (_, text) = page.split_once(&format!("\n## {section}\n")).unwrap();
    let text = text.split("\n## ").next().unwrap();
    let names = code_spans(text).map(|span| span.rsplit("::").next().unwrap());
    names.collect()
}

#[test]
fn the_page_on_versions_has_every_type_that_can_be_matched_without_a_wildcard() {
    let listed = named_in_versions("What can be matched without a wildcard");
    let mut checked = 0;
    for name in recorded("pub enum ") {
        assert!(listed.contains(&name.as_str()), "{name} is not listed");
        checked += 1;
    }
    assert!(checked >= 8, "{checked}");
}

#[test]
fn the_page_on_versions_has_every_trait() {
    let listed = named_in_versions("Traits");
    let mut checked = 0;
    for name in recorded("pub trait ") {
        assert!(listed.contains(&name.as_str()), "{name} is not listed");
        checked += 1;
    }
    assert!(checked >= 18, "{checked}");
}

#[test]
fn the_walk_names_what_exists() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let walk = fs::read_to_string(top.join("docs/one-request.md")).unwrap();
    let mut checked = 0;
    for section in walk.split("\n## ").skip(1) {
        let files = code_spans(section).filter(|span| span.ends_with(".rs"));
        let sources: Vec<_> = files
            .map(|file| fs::read_to_string(top.join(file)).unwrap())
            .collect();
        let names = code_spans(section).filter(|span| span.contains("::") || span.ends_with("()"));
        for name in names {
            let title = section.lines().next().unwrap();
            assert!(
                is_in(name, &sources),
                "{title}: {name} is in none of the files"
            );
            checked += 1;
        }
    }
    assert!(checked > 60, "{checked}");
}

#[test]
fn the_crates_say_in_which_order_to_read_files_that_exist() {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for (name, least) in [
        ("sse-core", 20),
        ("sse-driver", 15),
        ("sse-tokio", 3),
        ("sse-async-std", 3),
        ("sse-smol", 3),
    ] {
        let folder = top.join(name);
        let text = fs::read_to_string(folder.join("src/lib.rs")).unwrap();
        let (_, order) = text.split_once("//! # How to read this crate\n").unwrap();
        let lines = order.lines().map_while(|line| line.strip_prefix("//!"));
        let lines = lines.take_while(|line| !line.starts_with(" # "));
        let order: String = lines.collect();
        let files = code_spans(&order)
            .filter(|span| span.ends_with(".rs") || span.ends_with(".md"))
            .inspect(|file| {
                let places = [folder.join("src"), folder.clone(), top.clone()];
                let exists = places.iter().any(|place| place.join(file).is_file());
                assert!(exists, "{name}: {file} does not exist");
            });
        let files = files.count();
        assert!(files >= least, "{name}: {files} files are named");
        assert!(order.contains("docs/one-request.md"), "{name}");
    }
}

#[tokio::test]
async fn the_walk_has_the_bytes_that_are_sent() {
    let greet = |_| futures_util::stream::iter(["Hello, world!", "Goodbye, world!"]);
    let router = sse_tokio::Router::new().events("/greet", greet);
    let server = sse_tokio::Server::bind("127.0.0.1:0").await.unwrap();
    let address = server.local_addr().unwrap();
    tokio::spawn(server.serve(router));

    let walk = include_str!("../../../docs/one-request.md");
    let mut blocks = walk.split("```text\n").skip(1);
    let mut block = || blocks.next().unwrap().split("```").next().unwrap();
    let (request, expected) = (block().replace('\n', "\r\n"), block());
    let response = tokio::task::spawn_blocking(move || {
        let mut socket = std::net::TcpStream::connect(address).unwrap();
        socket.write_all(request.as_bytes()).unwrap();
        let mut response = String::new();
        socket.read_to_string(&mut response).unwrap();
        response.replace("\r\n", "\n")
    });
    let response = response.await.unwrap();
    let lines = response
        .lines()
        .map(|line| match line.starts_with("date: ") {
            true => "date: …",
            false => line,
        });
    assert!(lines.eq(expected.lines()), "{response}");
}
