//! Lines of bounded length.

use std::io::{self, BufRead};

/// One line of an input.
#[derive(Debug, PartialEq)]
pub(crate) enum Line<'a> {
    /// A line without its end.
    Whole(&'a [u8]),
    /// The line is longer than the bound, and may have no end at all. The rest of it is skipped.
    TooLong,
}

/// The lines of an input. No line takes more memory than the bound.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    input: R,
    longest: usize,
    line: Vec<u8>,
    /// Whether the rest of a line that was too long is still to come.
    skips: bool,
}

impl<R: BufRead> Lines<R> {
    /// Reads lines of up to `longest` bytes, not counting the end.
    pub(crate) fn new(input: R, longest: usize) -> Self {
        Self {
            input,
            longest,
            line: Vec::new(),
            skips: false,
        }
    }

    /// Returns the next line, or `None` at the end of the input.
    pub(crate) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        self.line.clear();
        loop {
            let bytes = match self.input.fill_buf() {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if bytes.is_empty() {
                // The last line may have no end.
                let is_line = !self.line.is_empty();
                return Ok(is_line.then(|| self.finished()));
            }
            let end = bytes.iter().position(|&byte| byte == b'\n');
            let taken = end.map_or(bytes.len(), |end| end + 1);
            let part = &bytes[..end.unwrap_or(taken)];
            let was_skipped = self.skips;
            // One byte more than the bound is allowed, because it may be the CR of a CR LF.
            let most = self.longest.saturating_add(1);
            let is_too_long = !was_skipped && self.line.len() + part.len() > most;
            if !was_skipped && !is_too_long {
                self.line.extend_from_slice(part);
            }
            self.skips = (was_skipped || is_too_long) && end.is_none();
            self.input.consume(taken);
            if is_too_long {
                return Ok(Some(Line::TooLong));
            }
            if end.is_some() && !was_skipped {
                return Ok(Some(self.finished()));
            }
        }
    }

    fn finished(&self) -> Line<'_> {
        let line = self.line.strip_suffix(b"\r").unwrap_or(&self.line);
        if line.len() > self.longest {
            return Line::TooLong;
        }
        Line::Whole(line)
    }
}
