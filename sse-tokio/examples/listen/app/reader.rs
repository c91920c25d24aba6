//! The reader of the output, such as `head`, which goes once it has its lines.

use std::{io, thread};

use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
};

/// Calls `gone` once no process reads the standard output any more. Without this the program would learn it
/// with the next event, which may never come.
pub(crate) fn watch(gone: impl FnOnce() + Send + 'static) {
    thread::spawn(move || {
        let output = io::stdout();
        loop {
            // It asks for nothing, so that only the end of the reader ends the wait.
            let mut polled = [PollFd::new(&output, PollFlags::empty())];
            match poll(&mut polled, None) {
                Err(Errno::INTR) => {}
                Err(_) => return,
                Ok(_) => {
                    let ended = PollFlags::ERR | PollFlags::HUP;
                    if polled[0].revents().intersects(ended) {
                        gone();
                    }
                    return;
                }
            }
        }
    });
}
