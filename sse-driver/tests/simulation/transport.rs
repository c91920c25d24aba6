//! An end of a link, in the form in which the driver has it.

use std::{
    io::{self, IoSlice},
    sync::Arc,
    task::{Context, Poll, Waker},
};

use sse_driver::{Clock, Transport};

use crate::{
    chaos::Chaos,
    sim::Sim,
    wire::{Link, Side},
};

/// The way in which a transport writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    Plain,
    /// A write also reads what has arrived, as TLS may. The reader is woken, and gets it later.
    TakesInBeforeWriting,
    /// A write waits until everything that has arrived was read.
    IsReadBeforeWriting,
}

pub struct End {
    sim: Sim,
    chaos: Arc<Chaos>,
    link: Arc<Link>,
    side: Side,
    manner: Manner,
}

impl End {
    pub fn new(sim: &Sim, chaos: &Arc<Chaos>, link: &Arc<Link>, side: Side) -> Self {
        Self {
            sim: sim.clone(),
            chaos: chaos.clone(),
            link: link.clone(),
            side,
            manner: chaos.manner(),
        }
    }

    /// Reads what has arrived, before a write.
    fn take_in(&self) {
        let mut state = self.link.state();
        let pipe = state.to(self.side);
        if !pipe.take_in() {
            return;
        }
        let waiting = pipe.take_waiting();
        drop(state);
        waiting.into_iter().flatten().for_each(Waker::wake);
    }

    fn end_output(&self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        if self.chaos.holds_up_flush() {
            self.sim.note_progress();
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.link.flush(self.side, true);
        Poll::Ready(Ok(()))
    }
}

impl Transport for End {
    fn poll_read(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        if !self.sim.may_go_on(cx) {
            return Poll::Pending;
        }
        let most = self.chaos.piece(buffer.len());
        let mut state = self.link.state();
        let pipe = state.to(self.side);
        let Some(bytes) = pipe.take(most) else {
            pipe.wait_to_receive(cx.waker());
            return Poll::Pending;
        };
        let waiting = pipe.take_waiting();
        drop(state);
        waiting.into_iter().flatten().for_each(Waker::wake);
        let bytes = bytes?;
        self.sim.note_progress();
        for (place, byte) in buffer.iter_mut().zip(&bytes) {
            *place = *byte;
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_write_vectored(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if !self.sim.may_go_on(cx) {
            return Poll::Pending;
        }
        if self.manner == Manner::TakesInBeforeWriting {
            self.take_in();
        }
        let now = self.sim.now();
        let mut state = self.link.state();
        let is_unread = state.to(self.side).is_unread();
        if self.manner == Manner::IsReadBeforeWriting && is_unread {
            // The reader makes room for the other end, and wakes this one as well.
            state.to(self.side).wait_for_reader(cx.waker());
            return Poll::Pending;
        }
        let pipe = state.to(self.side.other());
        if let Some(kind) = pipe.broken() {
            return Poll::Ready(Err(kind.into()));
        }
        let room = pipe.room();
        if room == 0 {
            pipe.wait_to_send(cx.waker(), now);
            drop(state);
            self.link.flush(self.side, false);
            return Poll::Pending;
        }
        let mut left = self.chaos.piece(room);
        let mut count = 0;
        for slice in slices {
            let taken = slice.len().min(left);
            pipe.hold_back(&slice[..taken]);
            (left, count) = (left - taken, count + taken);
        }
        match self.side {
            Side::Client => _ = state.log.asked.get_or_insert(self.sim.elapsed()),
            Side::Server => state.log.has_response = true,
        }
        self.sim.note_progress();
        Poll::Ready(Ok(count))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.chaos.holds_up_flush() {
            self.sim.note_progress();
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.link.flush(self.side, false);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.end_output(cx)
    }
}

impl Drop for End {
    fn drop(&mut self) {
        self.link.drop_end(self.side);
    }
}
