#![allow(unused)]

use std::io;

use futures_util::{Stream, stream};
use sse_driver::{controller, sse};

struct MyError;

struct Example;

#[controller("example")]
impl Example {
    #[sse("sync")]
    fn sync(&self) -> Result<impl Stream<Item = String>, MyError> {
        Ok(stream::iter([String::new()]))
    }

    #[sse("async")]
    async fn wait(&self) -> Option<Result<String, MyError>> {
        None
    }
}

#[sse("function")]
async fn function() -> io::Result<String> {
    Ok(String::new())
}

fn main() {}
