#![allow(unused)]

use bytes::Bytes;
use sse_driver::core::{Json};
use sse_driver::{controller, router::{FromRequest, Refusal, Request}, sse};

struct Prompt(String);

impl FromRequest for Prompt {
    const NEEDS_BODY: bool = true;

    async fn from_request(request: &Request) -> Result<Self, Refusal> {
        request.json().map(Self)
    }
}

struct Example;

#[controller("example")]
impl Example {
    #[sse("json")]
    #[sse("json", method = POST)]
    fn json(&self, Json(words): Json<Vec<String>>) -> Vec<String> {
        words
    }
}

#[sse("bytes", method = GET)]
fn raw(body: Bytes) {}

#[sse("own")]
fn own(prompt: Prompt) {}

fn main() {}
