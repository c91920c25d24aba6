//! The core in servers and clients that are not ours, each a program that is read in a minute.
//!
//! | program | what it shows |
//! |---|---|
//! | `blocking` | a server connection over a blocking socket, on a thread of its own |
//! | `poll` | many server connections on one thread, over `mio` |
//! | `own_parser` | a server that parses requests itself and answers POST and GET |
//! | `own_response` | event streams inside the responses of another HTTP server |
//! | `over_reqwest` | the decoder over the body of a response of `reqwest` |
//! | `over_hyper` | the same over a body of `hyper` |
//! | `over_file` | the decoder over a file |
//! | `over_child` | the decoder over what another program prints |
//! | `unix_socket` | the event source over a transport of your own |
//!
//! The servers listen on a free port and print their address. The clients take an address, or what
//! else they need, as their one argument. A test starts each of them and reads from it.
