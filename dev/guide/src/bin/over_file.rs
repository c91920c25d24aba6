//! The decoder over a file, or anything else that is read: prints what is in a recorded stream.

use std::{
    env,
    error::Error,
    fs::File,
    io::{ErrorKind, Read},
};

use sse_core::{Decoded, Decoder};

fn main() -> Result<(), Box<dyn Error>> {
    let path = env::args().nth(1).ok_or("give the path of a file")?;
    let mut file = File::open(path)?;
    let (mut decoder, mut buffer) = (Decoder::new(), [0; 64 * 1024]);
    loop {
        let mut input = match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => &buffer[..n],
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        // What is decoded borrows from the buffer: nothing is copied that came whole.
        while let Some(decoded) = decoder.decode(&mut input)? {
            match decoded {
                Decoded::Event(event) => println!("{}: {}", event.event_type(), event.data()),
                Decoded::Comment(comment) => println!("({comment})"),
                _ => {}
            }
        }
    }
    println!("the last event ID is {:?}", decoder.last_event_id());
    Ok(())
}
