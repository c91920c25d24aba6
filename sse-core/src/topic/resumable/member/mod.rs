//! A resumable stream that several nodes share: the part of one node in it, as a state machine.
//!
//! The stream is a topic of a [log](crate::topic::follower) that all nodes reach. Its events lie there, and
//! between them the *records* by which the nodes agree. A node that follows the topic tells its
//! [`StreamMember`] of each record, in the order of the log, and does what the member asks for.
//!
//! | record | who appends it | what it does |
//! |---|---|---|
//! | claim | a node that is to start the stream | the first one makes its node the owner, which runs the producer. Others are ignored |
//! | alive | the owner, where it has appended nothing for a third of the [lease](MemberConfig::lease) | the lease begins anew |
//! | listen | a node with clients, for each quarter of the [grace time](MemberConfig::grace), where no other node has | the grace time begins anew |
//! | reason | a node that stops the stream, before the end | all nodes tell the first one as the reason of the stop. Clients are not told |
//! | error | the owner whose producer failed, before the end | all nodes tell its text as the error. Clients are not told |
//! | end | the owner; a node that stops the stream; a node that has not heard of the owner for the lease | the first one ends the stream. Whatever comes behind it is ignored |
//!
//! All but the claim are appended on the condition that the log is still in the claim's epoch. So the order
//! of the log alone decides, and all nodes that read it come to the same:
//!
//! - A name has one start: a node starts its producer when it has read its own claim back, as the first one.
//! - A stream has one end, which every node reads at the same place.
//! - A stream whose owner has died ends with [`StreamEnd::Lost`], where a node follows it. So does one whose
//!   log has lost its history.
//! - A stream whose records the log [rejects](StreamMember::handle_rejected) for good has no end in the log. It
//!   ends on the owner's node with [`StreamEnd::Rejected`], and on others as after the owner's death.
//!
//! An owner that was only slow may be taken for one that has died. Then its stream has ended, as the owner
//! itself reads, and its producer is cancelled.
//!
//! [`StreamEnd::Lost`]: super::StreamEnd::Lost
//! [`StreamEnd::Rejected`]: super::StreamEnd::Rejected

mod claim;
mod config;
mod inputs;
mod machine;
mod output;
mod record;
mod running;
mod usage;

pub use config::MemberConfig;
pub use machine::StreamMember;
pub use output::{AppendFailure, MemberOutput, MemberPhase};
pub use record::{MemberRecord, is_record_type};
