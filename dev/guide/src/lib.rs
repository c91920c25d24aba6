//! The guide to Server-Sent Events with these crates. Its pages are in `docs/`; their code is
//! compiled with the tests.
//!
//! And the core in servers and clients that are not ours, each a program that is read in a minute:
//!
//! | program | what it shows |
//! |---|---|
//! | `poll` | many server connections on one thread, over `mio` |
//! | `own_parser` | a server that parses requests itself and answers POST and GET |
//! | `own_response` | event streams inside the responses of another HTTP server |
//! | `over_reqwest` | the decoder over the body of a response of `reqwest` |
//! | `over_hyper` | the same over a body of `hyper` |
//! | `client_over_reqwest` | the event source over `reqwest` |
//! | `client_over_hyper`, `client_over_hyper_on_smol` | the event source over `hyper` |
//! | `over_file` | the decoder over a file |
//! | `over_child` | the decoder over what another program prints |
//! | `language_model` | a language model's answer, which outlives its page |
//! | `progress` | long jobs, which go on whether a page looks or not |
//! | `restart` | a server whose clients notice nothing of its restarts |
//! | `follow` | a client that follows a stream through everything, and goes on after its own restart |
//! | `mcp_server`, `mcp_client` | the Model Context Protocol by its streamable HTTP |
//! | `unix_socket` | the event source over a transport of your own |
//!
//! The servers listen on a free port and print their address. The clients take an address, or what
//! else they need, as their one argument, as in `cargo run -p sse-guide --bin over_file -- FILE`. A
//! test starts each of them and reads from it.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

macro_rules! pages {
    ($($name:ident: $file:literal,)*) => { $(
        #[doc = include_str!(concat!("../../../docs/", $file))]
        pub mod $name {}
    )* };
}

pages! {
    axum: "axum.md",
    chat: "chat.md",
    compression: "compression.md",
    custom_server: "custom-server.md",
    following: "following.md",
    http_client: "http-client.md",
    hyper: "hyper.md",
    many_nodes: "many-nodes.md",
    language_model: "language-model.md",
    mcp: "mcp.md",
    moving: "moving.md",
    page: "page.md",
    progress: "progress.md",
    proxies: "proxies.md",
    reference: "reference.md",
    restart: "restart.md",
    systemd: "systemd.md",
    testing: "testing.md",
    topics: "topics.md",
    when_not: "when-not.md",
    yielding: "yield.md",
}
