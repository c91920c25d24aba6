#![allow(unused)]

use std::rc::Rc;

use sse_driver::router::{FromRequest, Refusal, Request};

struct Waiting;

impl FromRequest for Waiting {
    async fn from_request(request: &Request) -> Result<Self, Refusal> {
        let count = Rc::new(());
        std::future::ready(()).await;
        drop(count);
        Ok(Self)
    }
}

struct Local(Rc<()>);

impl FromRequest for Local {
    async fn from_request(_: &Request) -> Result<Self, Refusal> {
        Ok(Self(Rc::new(())))
    }
}

struct NotAsync;

impl FromRequest for NotAsync {
    fn from_request(_: &Request) -> Result<Self, Refusal> {
        Ok(Self)
    }
}

fn main() {}
