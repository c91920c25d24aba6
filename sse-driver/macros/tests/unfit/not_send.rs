#![allow(unused)]

use std::{cell::Cell, rc::Rc};

use futures_util::{Stream, StreamExt, stream};
use sse_driver::{controller, router::Refusal, sse};

struct Example {
    greeting: String,
}

#[controller("example")]
impl Example {
    #[sse("apart")]
    fn apart(&self) -> impl Stream<Item = String> {
        let count = Rc::new(());
        stream::iter(["a"]).map(move |word| format!("{word} {count:?}"))
    }

    #[sse("borrowed")]
    fn borrowed(&self) -> Result<impl Stream<Item = String>, Refusal> {
        let count = Rc::new(());
        Ok(stream::iter(["a"]).map(move |word| format!("{word} {} {count:?}", self.greeting)))
    }
}

#[sse("function")]
fn function() -> impl Stream<Item = String> {
    let count = Rc::new(());
    stream::iter(["a"]).map(move |word| format!("{word} {count:?}"))
}

#[sse("late")]
async fn late() -> String {
    let count = Rc::new(());
    std::future::ready(()).await;
    format!("{count:?}")
}

fn main() {}
