//! The error of a route.

use std::{collections::BTreeMap, error::Error, fmt, io};

/// Why a route was rejected.
///
/// ```
/// use sse_driver::router::Router;
///
/// let error = Router::new().events("hello", |_| "hello").build().unwrap_err();
/// assert_eq!(error.path(), "hello");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteError {
    path: String,
    problem: String,
}

impl RouteError {
    pub(super) fn new(path: String, problem: impl Into<String>) -> Self {
        let problem = problem.into();
        Self { path, problem }
    }

    /// Creates the error of a route whose paths another route matches, too.
    pub(super) fn conflict(path: String, with: &str) -> Self {
        let problem = match path == with {
            true => "the route exists already".into(),
            false => format!("the route {with} matches the same paths"),
        };
        Self { path, problem }
    }

    /// Creates the error that the matcher found. `given` has the paths of all routes as they were given,
    /// by their canonical form.
    pub(super) fn of_matcher(
        path: String,
        error: &matchit::InsertError,
        given: &BTreeMap<String, String>,
    ) -> Self {
        let problem = match error {
            matchit::InsertError::Conflict { with } => {
                return Self::conflict(path, given.get(with).unwrap_or(with));
            }
            matchit::InsertError::InvalidParam => {
                "a parameter has no name, or braces do not match; write {name}".into()
            }
            matchit::InsertError::InvalidCatchAll => {
                "a wildcard is only possible at the end of a path; write {*name}".into()
            }
            other => other.to_string(),
        };
        Self { path, problem }
    }

    /// Returns the path of the route, as it was given with the prefixes of the routers around it.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl fmt::Display for RouteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, problem } = self;
        write!(f, "the route {path:?} is not valid: {problem}")
    }
}

impl Error for RouteError {}

/// Its kind is [`InvalidInput`](io::ErrorKind::InvalidInput).
impl From<RouteError> for io::Error {
    fn from(error: RouteError) -> Self {
        Self::new(io::ErrorKind::InvalidInput, error)
    }
}
