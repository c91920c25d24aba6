//! Output that never blocks the program.
//!
//! A program whose output is a closed pipe, or one that is not read, still serves, and still stops when
//! it is told to. `println!` panics for the first and blocks for the second.

use std::{
    fmt::Display,
    io::{self, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

/// The number of lines that wait for an output that is not read. Further lines are dropped.
const QUEUED: usize = 1000;

/// The longest time that [`Console::flush`] waits for an output that is not read.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The lines for an output, which a thread of their own writes.
#[derive(Clone, Debug)]
pub(crate) struct Console {
    lines: SyncSender<Line>,
    left_out: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Line {
    Text(Vec<u8>),
    /// Tells when everything before this is written, or cannot be.
    Flush(SyncSender<()>),
}

impl Console {
    pub(crate) fn new(output: impl Write + Send + 'static) -> Self {
        let (lines, queue) = sync_channel(QUEUED);
        let left_out = Arc::<AtomicU64>::default();
        let counted = left_out.clone();
        thread::spawn(move || write_lines(output, &queue, &counted));
        Self { lines, left_out }
    }

    /// Queues a line. Never waits.
    pub(crate) fn say(&self, line: impl Display) {
        self.queue(format!("{line}\n").into_bytes());
    }

    /// Waits until the queued lines are written, but no longer than a moment.
    pub(crate) fn flush(&self) {
        let (done, is_done) = sync_channel(1);
        // A full queue belongs to an output that is not read: waiting would not help.
        if self.lines.try_send(Line::Flush(done)).is_ok() {
            let _ = is_done.recv_timeout(LAST_WORDS);
        }
    }

    fn queue(&self, text: Vec<u8>) {
        if self.lines.try_send(Line::Text(text)).is_err() {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A text written at once is queued as one line, and always whole.
impl Write for Console {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.queue(bytes.to_owned());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes the lines until the last [`Console`] is dropped. A closed output takes nothing, and its errors
/// are ignored.
fn write_lines(mut output: impl Write, queue: &Receiver<Line>, left_out: &AtomicU64) {
    for line in queue {
        match line {
            Line::Text(text) => {
                let count = left_out.swap(0, Ordering::Relaxed);
                if count > 0 {
                    let _ = writeln!(
                        output,
                        "({count} lines were left out: the output was not read)"
                    );
                }
                let _ = output.write_all(&text);
            }
            Line::Flush(done) => {
                let _ = output.flush();
                let _ = done.send(());
            }
        }
    }
}
