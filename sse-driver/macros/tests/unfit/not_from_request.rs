#![allow(unused)]

use sse_driver::{controller, sse};

struct User;

struct Example;

#[controller("example")]
impl Example {
    #[sse("user")]
    fn user(&self, user: User) {}

    #[sse("query")]
    fn query(&self, #[query] user: User) {}
}

#[sse("user")]
async fn user(user: User) {}

fn main() {}
