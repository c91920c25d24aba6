//! The list of a router's routes, for people to read.

use std::fmt;

use ::http::Method;

use super::{Router, Yields};

/// A route of a [`Router`], from [`Router::routes`]. Its `Display` form is
/// `GET /example/events (events)`.
///
/// ```
/// use sse_driver::router::Router;
///
/// let router = Router::new().events("/hello", |_| "hello");
/// let routes: Vec<String> = router.routes().map(|route| route.to_string()).collect();
/// assert_eq!(routes, ["GET /hello (events)"]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteInfo<'a> {
    method: &'a Method,
    path: &'a str,
    yields: Yields,
}

impl<'a> RouteInfo<'a> {
    /// Returns the method; `GET` stands for `HEAD`, too.
    #[must_use]
    pub fn method(&self) -> &'a Method {
        self.method
    }

    /// Returns the path as it was given to the router, with all prefixes.
    #[must_use]
    pub fn path(&self) -> &'a str {
        self.path
    }

    /// Returns whether the route was added by [`Router::events`]. A route that was added by
    /// [`get`](Router::get) or [`post`](Router::post) may respond with an event stream, too.
    #[must_use]
    pub fn is_events(&self) -> bool {
        self.yields == Yields::Events
    }
}

impl fmt::Display for RouteInfo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let yields = match self.yields {
            Yields::Events => "events",
            Yields::Response => "response",
        };
        write!(f, "{} {} ({yields})", self.method, self.path)
    }
}

impl Router {
    /// Returns the routes so far, in the order of adding.
    ///
    /// ```
    /// use futures_util::stream;
    /// use sse_driver::router::Router;
    ///
    /// let example = Router::new().events("/events", |_| stream::iter(["hello"]));
    /// let router = Router::new().nest("/example", example);
    /// for route in router.routes() {
    ///     println!("{route}");
    ///     # assert_eq!(route.to_string(), "GET /example/events (events)");
    /// }
    /// ```
    pub fn routes(&self) -> impl Iterator<Item = RouteInfo<'_>> {
        self.routes.iter().map(|(path, method, route)| RouteInfo {
            method,
            path,
            yields: route.yields,
        })
    }
}
