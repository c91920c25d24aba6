//! The routes of one path, by method.

use std::sync::Arc;

use ::http::{HeaderMap, HeaderValue, Method, header};

use super::{
    Cors, Route,
    path::{self, Specificity},
};

/// The methods of a path.
#[derive(Debug)]
pub(super) struct Methods {
    /// The path as it was given.
    path: String,
    /// Whether the path ends with a wildcard.
    pub(super) has_wildcard: bool,
    pub(super) specificity: Specificity,
    /// At least one. Each method occurs once; `GET` stands for `HEAD`, too.
    routes: Vec<(Method, Route)>,
}

impl Methods {
    /// Creates the methods of a path, which is given in its canonical form, too.
    pub(super) fn new(path: String, canonical: &str) -> Self {
        Self {
            path,
            has_wildcard: path::has_wildcard(canonical),
            specificity: Specificity::of(canonical),
            routes: Vec::new(),
        }
    }

    /// Returns the path as it was given with the first route.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// Adds a route, or returns an error if there is one already.
    pub(super) fn insert(&mut self, method: Method, route: Route) -> Result<(), Exists> {
        if self.get(&method).is_some() {
            return Err(Exists);
        }
        self.routes.push((method, route));
        Ok(())
    }

    pub(super) fn get(&self, method: &Method) -> Option<&Route> {
        let asked = match *method {
            Method::HEAD => &Method::GET,
            _ => method,
        };
        let mut routes = self.routes.iter();
        routes
            .find(|(method, _)| method == asked)
            .map(|(_, route)| route)
    }

    /// Returns the rule for the response to a request: that of the route that it is for, or that a
    /// preflight asks about, and if there is none, that of the path's first route.
    pub(super) fn cors(&self, method: &Method, headers: &HeaderMap) -> Option<&Arc<Cors>> {
        let asked = asked_method(headers).filter(|_| *method == Method::OPTIONS);
        let (_, first) = self.routes.first()?;
        let route = self.get(asked.as_ref().unwrap_or(method)).unwrap_or(first);
        route.cors.as_ref()
    }

    /// Returns the names of the methods, such as "GET, HEAD, POST".
    pub(super) fn names(&self) -> String {
        let mut names = Vec::new();
        for (method, _) in &self.routes {
            names.push(method.as_str());
            if *method == Method::GET {
                names.push("HEAD");
            }
        }
        names.join(", ")
    }

    /// Returns whether requests of `method` may have a body here.
    pub(super) fn take_body(&self, method: &Method) -> bool {
        takes_body(method) && self.get(method).is_some()
    }
}

/// The error of a route that exists already.
pub(super) struct Exists;

/// Returns the value of `Allow` for these methods and `OPTIONS`.
pub(super) fn allow(names: &str) -> HeaderValue {
    // Methods are tokens, so their list is a valid value.
    HeaderValue::from_str(&format!("{names}, OPTIONS"))
        .unwrap_or(HeaderValue::from_static("OPTIONS"))
}

/// Returns whether the method takes a body: that of a `GET` or a `HEAD` has no defined meaning ([RFC 9110
/// section 9.3.1](https://www.rfc-editor.org/rfc/rfc9110#section-9.3.1)).
pub(crate) fn takes_body(method: &Method) -> bool {
    ![Method::GET, Method::HEAD, Method::OPTIONS].contains(method)
}

/// Returns why there can be no route for `method`, if there cannot.
pub(super) fn problem_with(method: &Method) -> Option<String> {
    let instead = match *method {
        Method::HEAD => "the route of GET responds to it",
        Method::OPTIONS => "every path responds to it without a route",
        Method::CONNECT | Method::TRACE => "the server is not a proxy",
        _ => return None,
    };
    Some(format!("{method} has no routes of its own: {instead}"))
}

/// Returns the method that a preflight asks about.
pub(super) fn asked_method(headers: &HeaderMap) -> Option<Method> {
    let value = headers.get(header::ACCESS_CONTROL_REQUEST_METHOD)?;
    Method::from_bytes(value.as_bytes()).ok()
}
