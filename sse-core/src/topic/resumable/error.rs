//! The reasons for which no stream is started.

use std::{error::Error, fmt};

/// The error of a resumable stream that was not started. A handler's `?` makes a refusal of it: 503, 429,
/// 400 and 404, in the order of the variants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StartError {
    /// There are as many streams as allowed, and each runs or has a listener.
    TooManyStreams {
        /// [`max_streams`](super::ResumableConfig::max_streams).
        max: usize,
    },
    /// The owner has as many streams as allowed, and each runs or has a listener.
    TooManyOfOwner {
        /// [`max_streams_per_owner`](super::ResumableConfig::max_streams_per_owner).
        max: usize,
    },
    /// The name, or the owner, is too long.
    NameTooLong {
        /// The length in bytes.
        len: usize,
        /// [`max_name_len`](super::ResumableConfig::max_name_len).
        max: usize,
    },
    /// The client reconnects, by its last event ID, to a stream that is forgotten. Starting it anew would
    /// do twice what the client asked for once.
    Forgotten,
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyStreams { max } => write!(
                f,
                "there are {max} streams already, which is the limit; try again later, \
                 or raise `max_streams`"
            ),
            Self::TooManyOfOwner { max } => write!(
                f,
                "the owner has {max} streams already, which is as many as it may have; stop one, or \
                 raise `max_streams_per_owner`"
            ),
            Self::NameTooLong { len, max } => write!(
                f,
                "the name of the stream, or its owner, is {len} bytes long, and may be {max}; take a \
                 shorter one, or raise `max_name_len`"
            ),
            Self::Forgotten => f.write_str(
                "the stream that the client comes back to is no longer kept; have the client ask anew, \
                 without a last event ID",
            ),
        }
    }
}

impl Error for StartError {}
