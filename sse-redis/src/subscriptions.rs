//! The watched channels, and the bells of each.

use std::{
    collections::{BTreeMap, VecDeque},
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use redis::{PushKind, Value, cmd};
use sse_driver::{
    core::topic::{Position, follower::Bell},
    event_log::Bells,
};

use crate::{blob, error::RedisError};

#[derive(Default)]
pub(crate) struct Subscriptions {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    channels: BTreeMap<String, Channel>,
    /// Whether there is a connection.
    is_connected: bool,
    /// The commands to be sent. There are none without a connection: a new one begins with those for all
    /// channels.
    commands: VecDeque<Command>,
    task: Option<Waker>,
    watches: u64,
    /// The number of losses of the connection, and the reason of the last one.
    losses: u64,
    last_loss: Option<RedisError>,
}

#[derive(Default)]
struct Channel {
    watches: BTreeMap<u64, Watch>,
    /// Whether the server has acknowledged it.
    is_up: bool,
    /// Why the server refuses the subscription.
    refusal: Option<RedisError>,
}

/// A command that subscribes to a channel, or ends that.
pub(crate) struct Command {
    pub(crate) bytes: Vec<u8>,
    pub(crate) channel: String,
}

struct Watch {
    bells: Bells,
    task: Option<Waker>,
}

impl State {
    /// Sends a command, unless the next connection begins without it.
    fn send(&mut self, name: &str, channel: &str) -> Option<Waker> {
        if !self.is_connected {
            return None;
        }
        self.commands.push_back(command(name, channel));
        self.task.take()
    }
}

impl Subscriptions {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Rings these bells for the channel's events, until the connection is lost.
    pub(crate) async fn watch(self: &Arc<Self>, channel: String, bells: Bells) -> RedisError {
        let watching = Watching::new(self, channel, bells);
        poll_fn(|cx| watching.poll(cx)).await
    }

    /// Takes the commands to be sent. Further ones wake the task.
    pub(crate) fn take_commands(&self, cx: &Context<'_>) -> VecDeque<Command> {
        let mut state = self.state();
        let commands = std::mem::take(&mut state.commands);
        let before = state.task.replace(cx.waker().clone());
        drop(state);
        drop(before);
        commands
    }

    /// Records a new connection, which has no subscriptions yet.
    pub(crate) fn connected(&self) {
        let mut state = self.state();
        state.is_connected = true;
        let State {
            channels, commands, ..
        } = &mut *state;
        commands.clear();
        for (name, channel) in channels {
            channel.is_up = false;
            channel.refusal = None;
            commands.push_back(command("SUBSCRIBE", name));
        }
    }

    /// Records that the connection is over, which ends all watches.
    pub(crate) fn lost(&self, error: &RedisError) {
        let tasks: Vec<Waker> = {
            let mut state = self.state();
            state.losses += 1;
            state.last_loss = Some(error.clone());
            state.is_connected = false;
            state.commands.clear();
            let channels = state.channels.values_mut();
            let watches = channels.flat_map(|channel| {
                channel.is_up = false;
                channel.watches.values_mut()
            });
            watches.filter_map(|watch| watch.task.take()).collect()
        };
        tasks.into_iter().for_each(Waker::wake);
    }

    /// Records that the server refused the last command for this channel.
    pub(crate) fn refused(&self, channel: &str, error: &RedisError) {
        let tasks: Vec<Waker> = {
            let mut state = self.state();
            let Some(channel) = state.channels.get_mut(channel) else {
                return;
            };
            channel.refusal = Some(error.clone());
            let watches = channel.watches.values_mut();
            watches.filter_map(|watch| watch.task.take()).collect()
        };
        tasks.into_iter().for_each(Waker::wake);
    }

    pub(crate) fn handle_push(&self, kind: &PushKind, data: &[Value]) {
        let Some(Value::BulkString(channel)) = data.first() else {
            return;
        };
        let Ok(channel) = str::from_utf8(channel) else {
            return;
        };
        let mut state = self.state();
        let Some(found) = state.channels.get_mut(channel) else {
            return;
        };
        let bells: Vec<Bells> = found.watches.values().map(|it| it.bells.clone()).collect();
        if *kind == PushKind::Subscribe {
            found.is_up = true;
        }
        drop(state);
        match (kind, data.get(1)) {
            (PushKind::Subscribe, _) => bells.iter().for_each(Bells::up),
            (PushKind::Message, Some(Value::BulkString(payload))) => {
                if let Some(bell) = parse_bell(payload) {
                    bells.iter().for_each(|bells| bells.ring(bell.clone()));
                }
            }
            _ => {}
        }
    }
}

fn command(name: &str, channel: &str) -> Command {
    Command {
        bytes: cmd(name).arg(channel).get_packed_command(),
        channel: channel.to_owned(),
    }
}

/// Parses `EPOCH-NUMBER`, as in a stream's IDs.
pub(crate) fn parse_place(text: &[u8]) -> Option<Position> {
    let (epoch, number) = str::from_utf8(text).ok()?.split_once('-')?;
    Some(Position::new(epoch.parse().ok()?, number.parse().ok()?))
}

/// Parses the place, a space, and the event, if it is there.
fn parse_bell(payload: &[u8]) -> Option<Bell> {
    let space = payload.iter().position(|byte| *byte == b' ')?;
    let (place, event) = payload.split_at_checked(space)?;
    let bell = Bell::new(parse_place(place)?);
    Some(match event.get(1..).and_then(blob::decode) {
        Some(event) => bell.with_event(event),
        None => bell,
    })
}

/// A watch, which ends when this is dropped.
struct Watching<'a> {
    subscriptions: &'a Subscriptions,
    channel: String,
    number: u64,
    losses: u64,
}

impl<'a> Watching<'a> {
    fn new(subscriptions: &'a Subscriptions, name: String, bells: Bells) -> Self {
        let (number, losses, is_up, task) = {
            let mut state = subscriptions.state();
            state.watches += 1;
            let (number, losses) = (state.watches, state.losses);
            let channel = state.channels.entry(name.clone()).or_default();
            let is_up = channel.is_up;
            let is_first = channel.watches.is_empty();
            let watch = Watch {
                bells: bells.clone(),
                task: None,
            };
            channel.watches.insert(number, watch);
            let task = match is_first {
                true => state.send("SUBSCRIBE", &name),
                false => None,
            };
            (number, losses, is_up, task)
        };
        task.into_iter().for_each(Waker::wake);
        if is_up {
            bells.up();
        }
        Self {
            subscriptions,
            channel: name,
            number,
            losses,
        }
    }

    fn poll(&self, cx: &Context<'_>) -> Poll<RedisError> {
        let mut state = self.subscriptions.state();
        if state.losses != self.losses {
            return Poll::Ready(state.last_loss.clone().unwrap_or(RedisError::NotYet));
        }
        let Some(channel) = state.channels.get_mut(&self.channel) else {
            return Poll::Pending;
        };
        if let Some(error) = &channel.refusal {
            return Poll::Ready(error.clone());
        }
        if let Some(watch) = channel.watches.get_mut(&self.number) {
            watch.task = Some(cx.waker().clone());
        }
        Poll::Pending
    }
}

impl Drop for Watching<'_> {
    fn drop(&mut self) {
        let task = {
            let mut state = self.subscriptions.state();
            let Some(channel) = state.channels.get_mut(&self.channel) else {
                return;
            };
            channel.watches.remove(&self.number);
            if !channel.watches.is_empty() {
                return;
            }
            state.channels.remove(&self.channel);
            state.send("UNSUBSCRIBE", &self.channel)
        };
        task.into_iter().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests;
