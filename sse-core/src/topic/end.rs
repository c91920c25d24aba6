//! The end of a topic.

use std::fmt;

use crate::Text;

/// How a [`Topic`](super::Topic) ended.
///
/// ```
/// use std::time::Instant;
/// use sse_core::topic::{Topic, TopicConfig, TopicEnd};
///
/// let answer = Topic::new(TopicConfig::default(), 7, Instant::now);
/// answer.publish("Once upon a time")?;
/// answer.close_with(TopicEnd::Failed("the model went away".into()));
///
/// // A client that comes back and has everything is told so.
/// let subscriber = answer.resume_from(Some("7-1"));
/// assert_eq!(subscriber.end(), Some(TopicEnd::Failed("the model went away".into())));
/// // A client that has not gets the rest first.
/// assert_eq!(answer.resume_from(Some("7-0")).end(), None);
/// # Ok::<(), sse_core::topic::PublishError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TopicEnd {
    /// Everything was published, and the topic was [closed](super::Topic::close).
    Complete,
    /// The publisher failed for this reason, and the rest is missing.
    Failed(Text),
    /// The last handle was dropped before the topic was closed.
    Dropped,
}

impl fmt::Display for TopicEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Complete => f.write_str("everything was published"),
            Self::Failed(reason) => write!(f, "the topic failed: {reason}"),
            Self::Dropped => f.write_str("the last handle of the topic was dropped"),
        }
    }
}
