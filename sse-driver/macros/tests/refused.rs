//! Errors of the macros point at the user's code, and say what to write.
//!
//! `TRYBUILD=overwrite cargo test -p sse-macros --test refused` writes the expected texts again.

use std::process::Command;

/// These texts are those of the macros.
#[test]
fn errors_of_the_macros_say_what_to_write() {
    trybuild::TestCases::new().compile_fail("tests/refused/*.rs");
}

/// These texts are ours in messages of the compiler, which differ between its versions.
#[test]
fn errors_of_the_compiler_point_at_the_users_code() {
    const WRITTEN_WITH: &str = "rustc 1.95.";
    let rustc = Command::new("rustc").arg("--version").output().unwrap();
    let version = String::from_utf8(rustc.stdout).unwrap();
    if version.starts_with(WRITTEN_WITH) {
        trybuild::TestCases::new().compile_fail("tests/unfit/*.rs");
    } else {
        eprintln!("not compared: the texts were written with {WRITTEN_WITH}, this is {version}");
    }
}
