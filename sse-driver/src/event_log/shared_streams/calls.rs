//! The streams of this node by name, and the calls that concern them.

use std::{
    collections::BTreeMap,
    future::poll_fn,
    ops::Bound,
    sync::Arc,
    task::Poll,
    time::{Duration, Instant, UNIX_EPOCH},
};

use sse_core::{
    Text,
    internal::sync::{Mutex, lock, unique_number},
    topic::{
        Position,
        follower::{PageRequest, Tails},
        resumable::{
            StartError,
            member::{MemberPhase, StreamMember},
        },
    },
};

use super::{
    SharedStreamError, SharedStreamsConfig,
    copy::LOCAL_END,
    room::{Room, State},
    task::StreamTask,
};
use crate::{
    ResumableStreams, Runtime,
    event_log::{BoxFuture, EventLog, FollowedTopic, FollowedTopics, LogError, followed::Followed},
};

pub(super) struct Shared {
    pub(super) config: SharedStreamsConfig,
    topics: FollowedTopics,
    pub(super) producers: ResumableStreams,
    host: Box<dyn Host>,
    /// Distinguishes the members of this process from those of others.
    process: String,
    /// By the topic's name. This is a tree and not a hash table, because clients may choose names.
    pub(super) entries: Mutex<BTreeMap<Text, Arc<Entry>>>,
}

/// A stream on this node. Handles, clients and calls hold it; its task does not.
pub(super) struct Entry {
    pub(super) name: StreamName,
    pub(super) room: Arc<Room>,
    pub(super) topic: FollowedTopic,
}

/// What a stream is called.
#[derive(Clone)]
pub(super) struct StreamName {
    pub(super) owner: Text,
    pub(super) name: Text,
}

impl StreamName {
    /// What the topics of an owner's streams begin with.
    pub(super) fn prefix_of(owner: &str) -> String {
        format!("stream/{}/{owner}/", owner.len())
    }
}

impl Entry {
    pub(super) fn now(&self) -> Instant {
        self.topic.shared().host.now()
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.room.end();
    }
}

/// A call that concerns a stream, which is kept meanwhile.
pub(super) struct Call {
    pub(super) entry: Arc<Entry>,
    /// Whether this call began to follow the stream.
    pub(super) is_new: bool,
}

impl Drop for Call {
    fn drop(&mut self) {
        let now = self.entry.now();
        self.entry.room.act(|state| state.member.release(now));
    }
}

impl Call {
    fn new(entry: Arc<Entry>, is_new: bool) -> Self {
        entry.room.with(|state| state.member.hold());
        Self { entry, is_new }
    }

    /// Returns whether there is such a stream.
    pub(super) fn is_there(&self) -> bool {
        let phase = self.entry.room.phase();
        matches!(phase, MemberPhase::Running | MemberPhase::Ended)
    }

    /// Asks the log for its tails.
    async fn tails(&self, shared: &Shared, within: Duration) -> Result<Tails, LogError> {
        let followed: &Followed = self.entry.topic.followed();
        let request = PageRequest::new(Position::new(0, 0), 0);
        let reading = followed.log.read(followed.name.clone(), request);
        let page = shared.within(reading, within).await;
        let page = page.unwrap_or_else(|| Err(LogError::new("the log did not answer in time")));
        Ok(page?.tails)
    }

    /// Returns whether the log has another stream of this name, since the one that this node has ended: then
    /// the node forgets its own. A log that does not answer keeps no client from what this node has.
    pub(super) async fn is_replaced(&self, shared: &Shared) -> bool {
        let now = self.entry.now();
        let every = shared.config.check_ended_every;
        let looks = self.entry.room.with(|state| {
            let is_recent = state
                .looked_at
                .is_some_and(|at| now.saturating_duration_since(at) < every);
            let looks = state.member.phase() == MemberPhase::Ended && !is_recent;
            if looks {
                state.looked_at = Some(now);
            }
            looks
        });
        if !looks {
            return self.entry.room.phase() == MemberPhase::Forgotten;
        }
        let within = shared.config.followed.follower.request_timeout;
        let Ok(tails) = self.tails(shared, within).await else {
            return false;
        };
        self.entry.room.act(|state| {
            let now = self.entry.now();
            state.member.handle_tails(now, tails);
            let epoch = state.member.position().map(|at| at.epoch());
            // The look may have made the topic anew.
            state.keeps |= epoch != Some(tails.epoch);
            state.member.phase() == MemberPhase::Forgotten
        })
    }

    /// Waits until this node has read what the log had when the call began, as far as it matters.
    pub(super) async fn settle(&self, shared: &Shared) -> Result<(), SharedStreamError> {
        let topic = &self.entry.topic;
        let within = shared.config.followed.client_wait;
        topic.ready(within).await?;
        if self.is_new || self.is_there() {
            return Ok(());
        }
        // It was looked for a moment ago, and another node may have started it since then.
        let tails = match self.tails(shared, within).await {
            Ok(tails) => tails,
            Err(error) => {
                topic.followed().note_error(self.entry.now(), error);
                return Err(topic.gave_up(within).into());
            }
        };
        self.until(shared, |state| {
            let has_come = state
                .member
                .position()
                .is_some_and(|at| at.epoch() == tails.epoch && at.sequence() >= tails.newest);
            let is_there = state.member.phase() != MemberPhase::Unclaimed;
            (has_come || is_there).then_some(())
        })
        .await
    }

    /// Waits until `look` finds something, but no longer than for a log that is in trouble.
    pub(super) async fn until<T>(
        &self,
        shared: &Shared,
        look: impl FnMut(&State) -> Option<T>,
    ) -> Result<T, SharedStreamError> {
        self.until_at(shared.deadline(), shared, look).await
    }

    /// Waits until `look` finds something, or until this [deadline](Shared::deadline).
    pub(super) async fn until_at<T>(
        &self,
        deadline: Option<Instant>,
        shared: &Shared,
        look: impl FnMut(&State) -> Option<T>,
    ) -> Result<T, SharedStreamError> {
        let topic = &self.entry.topic;
        let within = shared.config.followed.client_wait;
        let alarm = topic.shared().host.alarm();
        let found = self.entry.room.until(deadline, alarm, look).await;
        found.ok_or_else(|| topic.gave_up(within).into())
    }
}

impl Shared {
    pub(super) fn new(
        runtime: impl Runtime,
        log: impl EventLog,
        config: SharedStreamsConfig,
    ) -> Self {
        let mut producers = config.streams.clone();
        // The log's records decide on both.
        producers.grace = None;
        producers.retention = Duration::ZERO;
        producers.end_event_type = LOCAL_END;
        let mut followed = config.followed.clone();
        // A claim is the first event.
        followed.follower.warm_events = u64::MAX;
        let date = runtime.date().duration_since(UNIX_EPOCH);
        let nanos = date.unwrap_or_default().as_nanos();
        let process = format!("{:x}-{nanos:x}", runtime.seed());
        Self {
            topics: FollowedTopics::on(runtime.clone(), log, followed),
            producers: ResumableStreams::on(runtime.clone(), producers),
            config,
            host: Box::new(runtime),
            process,
            entries: Mutex::default(),
        }
    }

    /// Returns the stream of this name, and begins to follow it if needed.
    pub(super) fn call(self: &Arc<Self>, stream: StreamName) -> Result<Call, StartError> {
        let prefix = StreamName::prefix_of(&stream.owner);
        let topic = &Text::from(format!("{prefix}{}", stream.name));
        let owner_prefix = Some(&*prefix).filter(|_| !stream.owner.is_empty());
        let now = self.host.now();
        let mut gone = Vec::new();
        let call = {
            let mut entries = lock(&self.entries);
            let there = entries.get(topic);
            match there.filter(|entry| entry.room.phase() != MemberPhase::Forgotten) {
                Some(entry) => return Ok(Call::new(entry.clone(), false)),
                None if there.is_none() => self.make_room(&mut entries, owner_prefix, &mut gone)?,
                None => {}
            }
            let token = format!("{}-{}", self.process, unique_number());
            let member = StreamMember::new(now, token.into(), self.config.member());
            let room = Room::new(member);
            let entry = Arc::new(Entry {
                name: stream,
                topic: self.topics.observed(topic, room.clone()),
                room,
            });
            gone.extend(entries.insert(topic.clone(), entry.clone()));
            Call::new(entry, true)
        };
        // Not under the lock: it wakes tasks and frees memory.
        drop(gone);
        // A runtime may panic here, such as outside of its own threads: the task then takes the entry away.
        self.host.spawn_stream(self, &call.entry);
        call.entry.topic.follow();
        Ok(call)
    }

    /// Makes room for one more stream, by dropping those that finished first.
    fn make_room(
        &self,
        entries: &mut BTreeMap<Text, Arc<Entry>>,
        owner_prefix: Option<&str>,
        gone: &mut Vec<Arc<Entry>>,
    ) -> Result<(), StartError> {
        let config = &self.config.streams;
        if let Some(prefix) = owner_prefix {
            let max = config.max_streams_per_owner;
            if of_owner(entries, prefix).count() >= max {
                let first = first_finished(of_owner(entries, prefix));
                let first = first.ok_or(StartError::TooManyOfOwner { max })?;
                gone.extend(entries.remove(&first));
            }
        }
        let max = config.max_streams;
        if entries.len() >= max {
            let first = first_finished(entries.iter());
            let first = first.ok_or(StartError::TooManyStreams { max })?;
            gone.extend(entries.remove(&first));
        }
        Ok(())
    }

    /// Forgets the stream of this topic if nothing uses it. Returns whether no call finds it any more, so that
    /// its task is over; clients that are attached read what is there.
    pub(super) fn forget_if_unused(&self, topic: &Text, room: &Arc<Room>, now: Instant) -> bool {
        let gone = {
            let mut entries = lock(&self.entries);
            let is_it = entries
                .get(topic)
                .is_some_and(|entry| Arc::ptr_eq(&entry.room, room));
            if !is_it {
                return true;
            }
            // Calls come by the map alone, so that none can begin meanwhile.
            if !room.with(|state| state.member.is_unused(now)) {
                return false;
            }
            entries.remove(topic)
        };
        drop(gone);
        true
    }

    /// Forgets the stream of this topic, which has no task any more.
    pub(super) fn forget(&self, topic: &Text, room: &Arc<Room>) {
        let gone = {
            let mut entries = lock(&self.entries);
            let is_it = entries
                .get(topic)
                .is_some_and(|entry| Arc::ptr_eq(&entry.room, room));
            match is_it {
                true => entries.remove(topic),
                false => None,
            }
        };
        drop(gone);
    }

    /// Returns the streams of this owner that this node runs or reads, in the order of their topics; without an
    /// owner, those of all.
    pub(super) fn known(&self, owner: &str) -> Vec<Arc<Entry>> {
        let entries = lock(&self.entries);
        match owner.is_empty() {
            true => entries.values().cloned().collect(),
            false => {
                let prefix = StreamName::prefix_of(owner);
                let of_owner = of_owner(&entries, &prefix);
                of_owner.map(|(_, entry)| entry.clone()).collect()
            }
        }
    }

    /// Does this to each of the streams, and waits until those have ended for which it returns true, for no
    /// longer than for a log that is in trouble. Returns their number.
    pub(super) async fn end_all(
        &self,
        entries: Vec<Arc<Entry>>,
        mut act: impl FnMut(&mut StreamMember) -> bool,
    ) -> usize {
        let mut calls = Vec::new();
        for entry in entries {
            let ends = entry.room.act(|state| {
                let ends = act(&mut state.member);
                if ends {
                    state.member.hold();
                }
                ends
            });
            if ends {
                let is_new = false;
                calls.push(Call { entry, is_new });
            }
        }
        let deadline = self.deadline();
        for call in &calls {
            let ended = call.until_at(deadline, self, |state| {
                (state.member.phase() != MemberPhase::Running).then_some(())
            });
            // What the log does not take now, it is told later, or other nodes find out.
            let _ = ended.await;
        }
        calls.len()
    }

    /// Returns until when a call that begins now waits for a log in trouble.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let within = self.config.followed.client_wait;
        self.host.now().checked_add(within)
    }

    /// Returns the log's answer, unless it takes longer than this.
    async fn within<T>(&self, mut answer: BoxFuture<T>, time: Duration) -> Option<T> {
        let host = &self.topics.host();
        let deadline = host.now().checked_add(time);
        let mut alarm = host.alarm();
        poll_fn(|cx| {
            if let Poll::Ready(answer) = answer.as_mut().poll(cx) {
                return Poll::Ready(Some(answer));
            }
            alarm.poll(deadline, cx).map(|()| None)
        })
        .await
    }
}

fn of_owner<'e>(
    entries: &'e BTreeMap<Text, Arc<Entry>>,
    prefix: &'e str,
) -> impl Iterator<Item = (&'e Text, &'e Arc<Entry>)> {
    let from = (Bound::Included(prefix), Bound::Unbounded);
    let entries = entries.range::<str, _>(from);
    entries.take_while(move |(topic, _)| topic.starts_with(prefix))
}

/// Returns the stream that has been finished and unused for the longest time.
fn first_finished<'e>(entries: impl Iterator<Item = (&'e Text, &'e Arc<Entry>)>) -> Option<Text> {
    let finished = entries.filter_map(|(topic, entry)| {
        let since = entry.room.with(|state| state.member.finished_since())?;
        Some((since, topic))
    });
    finished.min().map(|(_, topic)| topic.clone())
}

/// What is asked of the runtime, whichever it is.
trait Host: Send + Sync {
    fn now(&self) -> Instant;
    fn spawn_stream(&self, shared: &Arc<Shared>, entry: &Entry);
}

impl<R: Runtime> Host for R {
    fn now(&self) -> Instant {
        sse_core::Clock::now(self)
    }

    fn spawn_stream(&self, shared: &Arc<Shared>, entry: &Entry) {
        let (room, followed) = (entry.room.clone(), entry.topic.followed().clone());
        self.spawn(StreamTask::new(self.clone(), shared, room, followed));
    }
}
