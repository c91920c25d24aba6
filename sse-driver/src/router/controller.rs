//! Controllers: handlers that bring their own routes.

use super::Router;

/// A type that brings its own routes: handlers that belong together, with their shared state.
///
/// The attribute macros implement it: `controller` for the handlers of an `impl` block, `sse` for a
/// function. Without them it is implemented as follows:
///
/// ```
/// use std::sync::Arc;
/// use futures_util::{Stream, stream};
/// use sse_core::lifecycle::CleanUp;
/// use sse_driver::router::{Controller, Refusal, Request, Router, extract};
///
/// struct Greeter { greeting: String }
///
/// impl Greeter {
///     fn greet(&self, name: String, clean_up: CleanUp) -> impl Stream<Item = String> + use<> {
///         clean_up.add(|reason| println!("over: {reason}"));
///         stream::iter([format!("{}, {name}!", self.greeting)])
///     }
/// }
///
/// impl Controller for Greeter {
///     fn routes(self) -> Router {
///         let controller = Arc::new(self);
///         Router::new().events("/greet/{name}", move |request: Request| {
///             let name = extract::path(&request, "name")?;
///             Ok::<_, Refusal>(controller.greet(name, request.clean_up()))
///         })
///     }
/// }
///
/// let router = Router::new().controller(Greeter { greeting: "Hello".into() });
/// assert_eq!(router.routes().next().unwrap().to_string(), "GET /greet/{name} (events)");
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` brings no routes",
    note = "write `#[controller(\"…\")]` before its `impl` block, or `#[sse(\"…\")]` before the function",
    note = "a function `f` with `#[sse(\"…\")]` is added as `controller(f {{}})`, a struct of the \
            same name whose fields are the `#[state]` arguments: `controller(f {{ database }})`"
)]
pub trait Controller {
    /// Returns a router with the routes of this controller.
    fn routes(self) -> Router;
}

impl Router {
    /// Adds the routes of `controller`, with the paths that it gives. To put them below a prefix,
    /// [nest](Self::nest) a router of their own.
    #[must_use]
    pub fn controller(self, controller: impl Controller) -> Self {
        self.nest("", controller.routes())
    }
}
