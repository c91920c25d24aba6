//! The event source, and the connections that it makes.

mod attempts;
#[cfg(feature = "tls")]
mod certificate;
mod connector;
mod control;
mod dial;
mod error;
mod event_source;
#[cfg(feature = "http-body")]
mod http_client;
mod link;
mod polling;
mod prepare;
#[cfg(feature = "proxy")]
mod proxy;

pub use attempts::connect;
pub use connector::{Connected, Connecting, Connector, Dial, TcpConnector, UnixConnector};
pub use control::EventSourceHandle;
pub use error::EventSourceError;
pub use event_source::EventSource;
#[cfg(feature = "http-body")]
pub use http_client::HttpClient;
pub use link::TransportPanicked;
pub use prepare::{IntoPrepared, PreparePanicked, Prepared};
#[cfg(feature = "proxy")]
pub use proxy::{InvalidProxy, Proxy, ProxyRefused};
