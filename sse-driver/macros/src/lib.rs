//! The macros of the Server-Sent Events crates: annotated handlers and derived events.
//!
//! Programs do not depend on this crate: each adapter, and `sse-driver`, re-exports its own macros as
//! `controller`, `sse`, `IntoEvent` and `FromEvent`, and documents them there. The names here tell the
//! crate, because the generated code has to name the crate that its user depends on, and a macro cannot
//! find out by which path it was called. All names in the generated code are in the module `for_macros`
//! of that crate. A program that renames the crate adds `crate = …`: `#[controller("example", crate =
//! my_sse)]`.

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

/// Defines where the code of a crate's macros finds its names.
macro_rules! names {
    ($root:path) => {
        args::names_of(&syn::parse_quote!($root))
    };
}

/// Defines the macros of one crate, by their names and the crate.
macro_rules! macros_for {
    ($root:path: $controller:ident, $sse:ident, $into:ident, $from:ident) => {
        /// Turns the methods of an `impl` block that have an `#[sse("…")]` attribute into the handlers of
        /// a `Controller`, below a common path.
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
        /// | `#[path] name: T` | the part of the path in place of `{name}` |
        /// | `#[query] name: T` | the query parameter |
        /// | `#[header] name: T` | the header field; underscores stand for hyphens |
        /// | `#[cookie] name: T` | the value of the cookie |
        /// | `name: T`, where `T: FromRequest` | the value that `T` takes from the request: `Request` itself, `CleanUp`, `LastEventId`, `ShutdownSignal`, the peer's `SocketAddr`, or an extractor of your own, which may be async |
        ///
        /// With `#[sse("rooms", method = POST)]` the handler is one of `POST`, and may take the body: as
        /// `Bytes`, or as `Json<T>`. A handler of `GET` that takes it does not compile. A method with
        /// several `#[sse]` attributes has several routes. A `#[cfg]` on a method applies to its routes,
        /// and a `#[cfg]` on an argument to the argument.
        ///
        /// `#[path("other")]` and the other markers with a name override the argument's name. Types with
        /// a marker must be `FromStr`; an `Option` may be missing, and a `Vec` may come any number of
        /// times. If a value is missing or invalid, the client gets a 400 with a line that names it, and
        /// the method is not called. Arguments with a marker are taken first, the others after them in
        /// order; the first refusal is the response.
        ///
        /// # Return values
        ///
        /// A method may return any `IntoReply`: a stream, one event, nothing, or a `Result` or an
        /// `Option` of these. It may be async. The error of a `Result` must be `Into<Refusal>`.
        ///
        /// A stream and its items may borrow from `self`:
        ///
        /// ```ignore
        /// #[sse("greetings")]
        /// fn greetings(&self) -> impl Stream<Item = &str> {
        ///     stream! { yield self.greeting.as_str(); } // The macro is from the crate `async-stream`.
        /// }
        /// ```
        ///
        /// The controller and the stream are then held together, which costs two more allocations for
        /// each connection, and one more indirect call and an uncontended lock for each event. A stream
        /// with the bound `+ 'static` or `+ use<>` does not cost this, nor does a topic's `Subscriber`,
        /// any other type without lifetimes, and a method that does not mention `self`.
        ///
        /// A stream that may borrow is answered as any stream is. What the response takes from a
        /// `Subscriber` or an `Attachment`, such as the field `sse-resume`, or a 204 for a client that has
        /// all events, needs one of these types, or a stream that does not borrow.
        ///
        /// # Without the macro
        ///
        /// The macro generates an implementation of `Controller`, whose documentation has one written by
        /// hand.
        #[proc_macro_attribute]
        pub fn $controller(args: TokenStream, item: TokenStream) -> TokenStream {
            controller::expand(args.into(), item.into(), names!($root)).into()
        }

        /// Turns a function into a handler with its own route.
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
        /// Arguments and return values are as for `controller`, and there may be several `#[sse]`
        /// attributes. The function itself stays unchanged. The macro adds a struct of the same name,
        /// which is the `Controller`: a struct without fields is added as `controller(greet {})`. An
        /// argument with `#[state]` becomes a field of it; it must be `Clone + Send + Sync`, and is
        /// cloned for each request.
        #[proc_macro_attribute]
        pub fn $sse(args: TokenStream, item: TokenStream) -> TokenStream {
            function::expand(args.into(), item.into(), names!($root)).into()
        }

        /// Derives the event of each variant of an enum: the event type is the variant's name in snake
        /// case, or that of `#[event("…")]`; the data is the variant's content as JSON, or `null` if it
        /// has none.
        #[proc_macro_derive($into, attributes(event))]
        #[allow(non_snake_case)]
        pub fn $into(item: TokenStream) -> TokenStream {
            derive::into_event(item.into(), names!($root)).into()
        }

        /// Derives how an enum is read from events: the event type selects the variant, whose name it is
        /// in snake case, or that of `#[event("…")]`; the variant's content is read from the data, as
        /// JSON. A variant without content accepts any data.
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
