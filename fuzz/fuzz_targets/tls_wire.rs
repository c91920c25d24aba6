//! A wire between two ends of TLS. It takes as many bytes as it has room for, and lets an attacker at the bytes
//! on their way. A task that waits for bytes is woken later than they come, and not for bytes that were read
//! meanwhile: a runtime that looks at its sockets now and then does the same.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    mem,
    sync::{Arc, Mutex, MutexGuard},
    task::{Context, Poll, Waker},
};

use arbitrary::Arbitrary;
use sse_driver::Transport;

/// How often one call may ask the wire for something.
const TURNS: usize = 1_000;

/// How much room there is once a writer has waited for it.
const ROOM: usize = 10_000;

/// What an attacker does to the bytes from one end to the other. Records have numbers.
#[derive(Arbitrary, Debug)]
pub enum Fault<'a> {
    Change(u16, u8),
    Add(&'a [u8]),
    Lose(u16),
    End,
    Drop(u8),
    Repeat(u8),
    /// Exchanges a record with the next one.
    Swap(u8),
    /// Sends a record to the end that it comes from, too.
    Reflect(u8),
}

/// One of two directions.
#[derive(Default)]
struct Lane {
    bytes: VecDeque<u8>,
    is_ended: bool,
    room: usize,
    /// The number of bytes that were written in all.
    written: usize,
    /// How often the present call has asked for something.
    turns: usize,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

impl Lane {
    /// Wakes the task that waits for bytes, if there are some. Returns whether there was one.
    fn wake_reader(&mut self) -> bool {
        let can_read = !self.bytes.is_empty() || self.is_ended;
        let reader = self.reader.take_if(|_| can_read);
        let is_there = reader.is_some();
        reader.into_iter().for_each(Waker::wake);
        is_there
    }

    fn add_room(&mut self, more: usize) {
        self.room += more;
        self.writer.take().into_iter().for_each(Waker::wake);
    }

    /// Splits the bytes where a reader of TLS does.
    fn records(&self) -> Vec<Vec<u8>> {
        let (mut bytes, mut records) = (Vec::from(self.bytes.clone()), Vec::new());
        while !bytes.is_empty() {
            let len = match bytes[..] {
                [_, _, _, high, low, ..] => 5 + usize::from(u16::from_be_bytes([high, low])),
                _ => bytes.len(),
            };
            let rest = bytes.split_off(len.min(bytes.len()));
            records.push(mem::replace(&mut bytes, rest));
        }
        records
    }

    fn strike(&mut self, fault: &Fault<'_>) {
        let mut records = self.records();
        let record = |number: &u8| usize::from(*number) % records.len().max(1);
        match fault {
            Fault::Change(at, by) => {
                if let Some(byte) = self.bytes.get_mut(usize::from(*at)) {
                    *byte ^= by;
                }
                return;
            }
            Fault::Add(bytes) => return self.bytes.extend(*bytes),
            Fault::Lose(count) => {
                let left = self.bytes.len().saturating_sub((*count).into());
                return self.bytes.truncate(left);
            }
            Fault::End => return self.is_ended = true,
            Fault::Reflect(_) => return,
            _ if records.is_empty() => return,
            Fault::Drop(number) => drop(records.remove(record(number))),
            Fault::Repeat(number) => {
                records.insert(record(number), records[record(number)].clone())
            }
            Fault::Swap(number) => {
                let (one, count) = (record(number), records.len());
                records.swap(one, (one + 1) % count);
            }
        }
        self.bytes = records.concat().into();
    }
}

/// The two directions: the first one is written by the first end.
#[derive(Clone, Default)]
pub struct Wire([Arc<Mutex<Lane>>; 2]);

impl Wire {
    fn lane(&self, which: usize) -> MutexGuard<'_, Lane> {
        self.0[which].lock().unwrap()
    }

    pub fn end(&self, which: usize) -> End {
        let wire = self.clone();
        End { wire, which }
    }

    /// Returns how many bytes this end has written.
    pub fn written(&self, which: usize) -> usize {
        self.lane(which).written
    }

    pub fn add_room(&self, which: usize, more: usize) {
        self.lane(which).add_room(more);
    }

    /// Makes room for what waits to be written. Returns whether there is something.
    pub fn make_room(&self) -> bool {
        let waits = [0, 1].map(|which| {
            let mut lane = self.lane(which);
            let waits = lane.writer.is_some();
            lane.add_room(if waits { ROOM } else { 0 });
            waits
        });
        waits.contains(&true)
    }

    /// Wakes the tasks that wait for bytes that have come. Returns whether there was one.
    pub fn wake_readers(&self) -> bool {
        let woken = [0, 1].map(|which| self.lane(which).wake_reader());
        woken.contains(&true)
    }

    /// A call begins.
    pub fn begin_call(&self) {
        for which in [0, 1] {
            self.lane(which).turns = 0;
        }
    }

    /// Lets this happen to the bytes that this end has written. Returns whether it changes anything.
    pub fn strike(&self, which: usize, fault: &Fault<'_>) -> bool {
        let seen = || {
            [0, 1].map(|which| {
                let lane = self.lane(which);
                (lane.bytes.clone(), lane.is_ended)
            })
        };
        let before = seen();
        self.lane(which).strike(fault);
        if let Fault::Reflect(number) = fault {
            let records = self.lane(which).records();
            let record = records.get(usize::from(*number) % records.len().max(1));
            let bytes = record.into_iter().flatten();
            self.lane(1 - which).bytes.extend(bytes);
        }
        before != seen()
    }
}

/// An end of the wire.
pub struct End {
    wire: Wire,
    which: usize,
}

impl End {
    /// Returns one of the two directions, which a call asks for something.
    fn ask(&self, which: usize) -> MutexGuard<'_, Lane> {
        let mut lane = self.wire.lane(which);
        lane.turns += 1;
        assert!(lane.turns < TURNS, "a call has no end");
        lane
    }
}

impl Transport for End {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        let mut lane = self.ask(1 - self.which);
        if lane.bytes.is_empty() && !lane.is_ended {
            lane.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let count = buffer.len().min(lane.bytes.len());
        for (place, byte) in buffer.iter_mut().zip(lane.bytes.drain(..count)) {
            *place = byte;
        }
        Poll::Ready(Ok(count))
    }

    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let mut lane = self.ask(self.which);
        if lane.is_ended {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if lane.room == 0 {
            lane.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let before = lane.bytes.len();
        let bytes = slices.iter().flat_map(|slice| slice.iter());
        let room = lane.room;
        lane.bytes.extend(bytes.take(room));
        let count = lane.bytes.len() - before;
        lane.room -= count;
        lane.written += count;
        Poll::Ready(Ok(count))
    }

    fn poll_flush(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut lane = self.ask(self.which);
        lane.is_ended = true;
        Poll::Ready(Ok(()))
    }
}
