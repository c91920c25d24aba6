//! The guide to Server-Sent Events with these crates. Its pages are in `docs/`; their code is
//! compiled with the tests.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

macro_rules! pages {
    ($($name:ident: $file:literal,)*) => { $(
        #[doc = include_str!(concat!("../../docs/", $file))]
        pub mod $name {}
    )* };
}

pages! {
    axum: "axum.md",
    chat: "chat.md",
    custom_server: "custom-server.md",
    hyper: "hyper.md",
    language_model: "language-model.md",
    nginx: "nginx.md",
    page: "page.md",
    progress: "progress.md",
    systemd: "systemd.md",
    when_not: "when-not.md",
}
