#![allow(unused)]

use std::{cell::Cell, rc::Rc};

use futures_util::{Stream, stream};
use sse_driver::{controller, sse};

struct Example {
    count: Cell<u32>,
}

#[controller("example")]
impl Example {
    #[sse("count")]
    fn count(&self) -> impl Stream<Item = u32> {
        stream::iter([self.count.get()])
    }
}

struct NotCloned;

#[sse("function")]
async fn function(#[state] count: Rc<u32>, #[state] other: NotCloned) {}

fn main() {}
