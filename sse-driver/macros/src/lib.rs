//! The macros of the Server-Sent Events crates: annotated handlers and derived events.
//!
//! Programs do not depend on this crate: each adapter, and `sse-driver`, re-exports its own macros as
//! `controller`, `sse`, `IntoEvent` and `FromEvent`, and documents them there. The names here say
//! which crate they belong to, because their code has to name the crate that its user depends on,
//! and a macro cannot ask by which path it was reached. All that their code names is in the module
//! `for_macros` of that crate. A program that renames the crate says so with `crate = …`:
//! `#[controller("example", crate = my_sse)]`.

#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod args;
mod attributes;
mod borrowing;
mod controller;
mod derive;
mod errors;
mod function;
mod handler;
mod shape;

use proc_macro::TokenStream;

/// Where the code of a crate's macros finds what it names.
macro_rules! names {
    ($root:path) => {
        args::names_of(&syn::parse_quote!($root))
    };
}

/// One crate's macros: their names, and the crate.
macro_rules! macros_for {
    ($root:path: $controller:ident, $sse:ident, $into:ident, $from:ident) => {
        /// Makes the methods of an `impl` block that have an `#[sse("…")]` the handlers of a
        /// `Controller`, below a path that they share.
        ///
        /// ```ignore
        /// #[controller("example")]
        /// impl Example {
        ///     /// GET /example/rooms/{room}?since=…
        ///     #[sse("rooms/{room}")]
        ///     async fn room(
        ///         &self,
        ///         #[path] room: RoomId,
        ///         #[query] since: Option<u64>,
        ///         clean_up: CleanUp,
        ///     ) -> Result<impl Stream<Item = Message>, Refusal> {
        ///         Ok(self.messages(room, since, clean_up))
        ///     }
        /// }
        ///
        /// Router::new().controller(Example::default())
        /// ```
        ///
        /// # Arguments
        ///
        /// | an argument | is |
        /// |---|---|
        /// | `&self` or `self: Arc<Self>` | the controller, which all its requests share |
        /// | `#[path] name: T` | the part of the path that `{name}` stands for |
        /// | `#[query] name: T` | the query parameter |
        /// | `#[header] name: T` | the header field; underscores stand for hyphens |
        /// | `#[cookie] name: T` | the cookie |
        /// | `name: T`, where `T: FromRequest` | what `T` takes from the request: `Request` itself, `CleanUp`, `LastEventId`, `ShutdownSignal`, the peer's `SocketAddr`, or a guard of yours, which may wait |
        ///
        /// With `#[sse("rooms", method = POST)]` the handler is one of `POST`, and may take the body:
        /// as `Bytes`, or as `Json<T>`. A handler of `GET` that takes it does not compile. A method
        /// with several `#[sse]` has several routes. `#[cfg]` before a method goes for its routes,
        /// and before an argument for the argument.
        ///
        /// `#[path("other")]` and its like give another name. The types of those with a marker are
        /// `FromStr`; an `Option` of one may be missing, and a `Vec` of one may come any number
        /// of times. A request that lacks one, or has a bad one, is answered 400 with a line that
        /// names it, and the method is not called. These arguments are taken first; then the others
        /// are, one after the other, and the first that is refused is the answer.
        ///
        /// # What it returns
        ///
        /// Whatever is `IntoReply`: a stream, one event, nothing, a `Result` or an `Option` of
        /// these; and the method may be async. The error of a `Result` is `Into<Refusal>`.
        ///
        /// A stream may borrow from `self`, and so may its items:
        ///
        /// ```ignore
        /// #[sse("greetings")]
        /// fn greetings(&self) -> impl Stream<Item = &str> {
        ///     stream! { yield self.greeting.as_str(); } // of the crate `async-stream`
        /// }
        /// ```
        ///
        /// The controller and the stream are then held together, which costs two more allocations
        /// for each connection, and one more indirect call and an uncontended lock for each event.
        /// A stream that says `+ 'static` or `+ use<>` does without, and so do a topic's
        /// `Subscriber`, any other type without lifetimes, and a method that does not mention
        /// `self`.
        ///
        /// # By hand
        ///
        /// What it writes is an implementation of `Controller`; the example there is one.
        #[proc_macro_attribute]
        pub fn $controller(args: TokenStream, item: TokenStream) -> TokenStream {
            controller::expand(args.into(), item.into(), names!($root)).into()
        }

        /// Makes a function a handler that brings its own route.
        ///
        /// ```ignore
        /// #[sse("greet/{name}")]
        /// fn greet(#[path] name: String, #[state] greeting: Arc<str>) -> impl Stream<Item = String> {
        ///     stream::iter([format!("{greeting}, {name}!")])
        /// }
        ///
        /// Router::new().controller(greet { greeting: "Hello".into() })
        /// ```
        ///
        /// Arguments and what it returns are as for `controller`, and there may be several `#[sse]`.
        /// The function stays what it is. Beside it there is a struct of the same name, which is the
        /// `Controller`: it is added as `controller(greet {})` where it has no fields. An argument
        /// with `#[state]` is a field of it, is `Clone + Send + Sync`, and is cloned for each
        /// request.
        #[proc_macro_attribute]
        pub fn $sse(args: TokenStream, item: TokenStream) -> TokenStream {
            function::expand(args.into(), item.into(), names!($root)).into()
        }

        /// Has an enum say which event each of its variants is: the event type is the variant's
        /// name in snake case, or that of `#[event("…")]`; the data is the variant's content as
        /// JSON, and `null` where it has none.
        #[proc_macro_derive($into, attributes(event))]
        #[allow(non_snake_case)]
        pub fn $into(item: TokenStream) -> TokenStream {
            derive::into_event(item.into(), names!($root)).into()
        }

        /// Has an enum be read from events: the variant is that of the event type, which is the
        /// variant's name in snake case, or that of `#[event("…")]`; its content is read from the
        /// data, as JSON. A variant without content takes any data.
        #[proc_macro_derive($from, attributes(event))]
        #[allow(non_snake_case)]
        pub fn $from(item: TokenStream) -> TokenStream {
            derive::from_event(item.into(), names!($root)).into()
        }
    };
}

macros_for!(::sse_driver: driver_controller, driver_sse, DriverIntoEvent, DriverFromEvent);
macros_for!(::sse_tokio: tokio_controller, tokio_sse, TokioIntoEvent, TokioFromEvent);
macros_for!(::sse_smol: smol_controller, smol_sse, SmolIntoEvent, SmolFromEvent);
macros_for!(::sse_async_std: async_std_controller, async_std_sse, AsyncStdIntoEvent, AsyncStdFromEvent);
