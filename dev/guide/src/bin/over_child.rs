//! The decoder over a pipe: runs a program, such as `curl -N URL`, and prints the data of each event
//! that it prints.

use std::{
    env,
    error::Error,
    io::Read,
    process::{Command, Stdio},
};

use sse_core::Decoder;

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = env::args().skip(1);
    let program = words.next().ok_or("give a program and its arguments")?;
    let mut child = Command::new(program)
        .args(words)
        .stdout(Stdio::piped())
        .spawn()?;
    let mut pipe = child.stdout.take().ok_or("the program has no output")?;

    let (mut decoder, mut buffer) = (Decoder::new(), [0; 4096]);
    loop {
        let n = pipe.read(&mut buffer)?;
        if n == 0 {
            break;
        }
        let mut input = &buffer[..n];
        while let Some(event) = decoder.decode_event(&mut input)? {
            println!("{}", event.data());
        }
    }
    match child.wait()? {
        status if status.success() => Ok(()),
        status => Err(format!("the program ended with {status}").into()),
    }
}
