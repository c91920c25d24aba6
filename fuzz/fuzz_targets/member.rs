//! Calls the members of a stream that nodes share in any order, over one log, which fails, comes late, drops its
//! oldest events and loses its history. A stream has one start and one end, which all nodes read at the same
//! place; once nothing fails any more, no stream is without an owner. Whatever a member alone is told, it starts
//! and ends once, appends one event at a time, and is woken for nothing.
#![no_main]

#[path = "../../sse-core/tests/member/history.rs"]
mod history;
#[path = "../../sse-core/tests/member/world.rs"]
#[allow(dead_code)]
mod world;

use std::time::{Duration, Instant};

use arbitrary::Arbitrary;
use history::{NODES, Step};
use libfuzzer_sys::fuzz_target;
use sse_core::{
    Event, EventType,
    topic::{
        Position,
        follower::Tails,
        resumable::{
            StreamEnd,
            member::{
                AppendFailure, MemberConfig, MemberOutput, MemberPhase, MemberRecord, StreamMember,
            },
        },
    },
};
use world::{Fate, World};

/// More outputs than those of a member that nothing has been told since.
const OUTPUTS: usize = 6;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    times: [Time; 4],
    lies: Vec<Lie<'a>>,
    calls: Vec<Call>,
}

/// What happens to nodes, by their number.
#[derive(Arbitrary, Debug)]
enum Call {
    Start(u8),
    GiveUp(u8),
    Stop(u8),
    Finish(u8),
    Cancel(u8),
    Attach(u8),
    Detach(u8),
    Produce(u8),
    Read(u8),
    Take(u8),
    Append(u8, u8),
    AppendLate(u8),
    Look(u8),
    LogFailed(u8),
    Die(u8),
    Join,
    Wait(u8),
    Trim(u8),
    BeginAnew,
}

impl Call {
    fn step(&self) -> Step {
        match *self {
            Self::Start(node) => Step::Start(node.into()),
            Self::GiveUp(node) => Step::GiveUp(node.into()),
            Self::Stop(node) => Step::Stop(node.into()),
            Self::Finish(node) => Step::Finish(node.into()),
            Self::Cancel(node) => Step::Cancel(node.into()),
            Self::Attach(node) => Step::Attach(node.into()),
            Self::Detach(node) => Step::Detach(node.into()),
            Self::Produce(node) => Step::Produce(node.into()),
            Self::Read(node) => Step::Read(node.into()),
            Self::Take(node) => Step::Take(node.into()),
            Self::Append(node, fate) => {
                let fate = match fate {
                    0 => Fate::NotAppended,
                    1 => Fate::Unknown,
                    2 => Fate::UnknownAndNotThere,
                    _ => Fate::Appended,
                };
                Step::Append(node.into(), fate)
            }
            Self::AppendLate(which) => Step::AppendLate((which % 4).into()),
            Self::Look(node) => Step::Look(node.into()),
            Self::LogFailed(node) => Step::LogFailed(node.into()),
            Self::Die(node) => Step::Die(node.into()),
            Self::Join => Step::Join,
            Self::Wait(seconds) => Step::Wait(seconds.into()),
            Self::Trim(keep) => Step::Trim((keep % 8).into()),
            Self::BeginAnew => Step::BeginAnew,
        }
    }
}

/// A setting.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Time {
    Millis(u16),
    Any(u64),
    Longest,
}

impl From<Time> for Duration {
    fn from(time: Time) -> Self {
        match time {
            Time::Millis(millis) => Self::from_millis(millis.into()),
            Time::Any(seconds) => Self::from_secs(seconds),
            Time::Longest => Self::MAX,
        }
    }
}

/// A position, or tails.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Place {
    Near(u8, u8),
    Any(u64, u64),
}

impl Place {
    fn numbers(self) -> (u64, u64) {
        match self {
            Self::Near(epoch, number) => ((epoch % 4).into(), number.into()),
            Self::Any(epoch, number) => (epoch, number),
        }
    }

    fn position(self) -> Position {
        let (epoch, number) = self.numbers();
        Position::new(epoch, number)
    }
}

/// A call of a member, or what it is told, true or not.
#[derive(Arbitrary, Debug)]
enum Lie<'a> {
    Start,
    GiveUp,
    Stop(&'a str),
    Cancel,
    Finish,
    Attach,
    Detach,
    Hold,
    Release,
    Begin(Place),
    PassedOver(Place),
    Anew(Place),
    Record(Place, Record<'a>),
    Tails(Place),
    LogFailed,
    Appended(Place),
    AppendFailed(bool),
    Pass(u32),
    Take,
}

/// An event of the log.
#[derive(Arbitrary, Debug)]
enum Record<'a> {
    OwnClaim,
    Claim(&'a str),
    Alive,
    Listen(bool),
    Reason(&'a str),
    End(&'a str),
    Outcome(u8),
    Words(&'a str),
}

const TOKEN: &str = "own";

impl Record<'_> {
    fn event(&self) -> Event {
        let of = |kind: &str, data: &str| {
            let event_type = EventType::new(kind).unwrap();
            Event::new(data).of_type(event_type)
        };
        let ends = [
            StreamEnd::Complete,
            StreamEnd::Lost,
            StreamEnd::Abandoned,
            StreamEnd::Stopped("".into()),
        ];
        match *self {
            Self::OwnClaim => of("sse-stream-claim", TOKEN),
            Self::Claim(token) => of("sse-stream-claim", token),
            Self::Alive => of("sse-stream-alive", ""),
            Self::Listen(is_own) => of("sse-stream-listen", if is_own { TOKEN } else { "other" }),
            Self::Reason(reason) => of("sse-stream-reason", reason),
            Self::End(data) => of("end", data),
            Self::Outcome(which) => of("end", &ends[usize::from(which) % ends.len()].to_json()),
            Self::Words(data) => Event::new(data),
        }
    }
}

/// A member, and what it has done.
struct Told {
    member: StreamMember,
    now: Instant,
    is_appending: bool,
    starts: usize,
    /// How often it was told that the stream has ended.
    ends: usize,
    phase: u8,
}

/// Phases follow each other.
fn number(phase: MemberPhase) -> u8 {
    match phase {
        MemberPhase::Unclaimed => 0,
        MemberPhase::Running => 1,
        MemberPhase::Ended => 2,
        _ => 3,
    }
}

impl Told {
    fn new(times: [Time; 4]) -> Self {
        let [lease, grace, retention, retry] = times.map(Duration::from);
        let mut config = MemberConfig::default();
        (config.lease, config.retention, config.retry) = (lease, retention, retry);
        config.grace = (grace != Duration::MAX).then_some(grace);
        let now = Instant::now();
        Self {
            member: StreamMember::new(now, TOKEN.into(), config),
            now,
            is_appending: false,
            starts: 0,
            ends: 0,
            phase: 0,
        }
    }

    fn tell(&mut self, lie: &Lie<'_>) {
        let Self { member, now, .. } = self;
        let now = *now;
        match lie {
            Lie::Start => {
                let may = member.phase() == MemberPhase::Unclaimed && !member.is_claiming();
                assert_eq!(member.start(), may);
            }
            Lie::GiveUp => member.give_up_start(),
            Lie::Stop(reason) => {
                let runs = member.phase() == MemberPhase::Running;
                assert_eq!(member.stop((*reason).into()), runs);
            }
            Lie::Cancel => {
                let is_owner = member.is_owner();
                assert_eq!(member.cancel(StreamEnd::Shutdown), is_owner);
                self.drain(OUTPUTS + 1);
            }
            Lie::Finish => member.finish(StreamEnd::Complete),
            Lie::Attach => member.attach(),
            Lie::Detach => member.detach(now),
            Lie::Hold => member.hold(),
            Lie::Release => member.release(now),
            Lie::Begin(place) => member.handle_begin(now, place.position()),
            Lie::PassedOver(place) => member.handle_passed_over(now, place.position()),
            Lie::Anew(place) => {
                self.ends += usize::from(member.handle_anew(now, place.position()));
            }
            Lie::Record(place, record) => {
                let position = place.position();
                let record = member.handle_record(now, position, &record.event());
                assert_eq!(member.position(), Some(position));
                self.ends += usize::from(record != MemberRecord::Passed);
            }
            Lie::Tails(place) => {
                let (epoch, newest) = place.numbers();
                let oldest = 1;
                member.handle_tails(
                    now,
                    Tails {
                        epoch,
                        oldest,
                        newest,
                    },
                );
            }
            Lie::LogFailed => member.handle_log_failed(now),
            Lie::Appended(place) => {
                self.is_appending = false;
                member.handle_appended(now, place.position());
            }
            Lie::AppendFailed(is_known) => {
                self.is_appending = false;
                let failure = match is_known {
                    true => AppendFailure::NotAppended,
                    false => AppendFailure::Unknown,
                };
                member.handle_append_failed(now, failure);
            }
            Lie::Pass(millis) => self.now += Duration::from_millis((*millis).into()),
            Lie::Take => self.drain(OUTPUTS),
        }
        let phase = number(self.member.phase());
        assert!(self.phase <= phase && self.starts <= 1 && self.ends <= 1);
        assert_eq!(self.ends == 1, phase >= 2);
        self.phase = phase;
    }

    /// Takes the outputs, of which there are no more than these.
    fn drain(&mut self, most: usize) {
        self.member.handle_timeout(self.now);
        for _ in 0..most {
            match self.member.poll_output(self.now) {
                Some(MemberOutput::Append { epoch, .. }) => {
                    assert!(!std::mem::replace(&mut self.is_appending, true));
                    let claims = self.member.phase() == MemberPhase::Unclaimed;
                    assert_eq!(epoch.is_none(), claims);
                }
                Some(MemberOutput::Start { .. }) => self.starts += 1,
                Some(_) => {}
                None => {
                    let (member, now) = (&self.member, self.now);
                    let next = member.poll_timeout();
                    assert!(member.is_unused(now) || next.is_none_or(|at| at > now));
                    return;
                }
            }
        }
        panic!("there are more outputs");
    }
}

fuzz_target!(|input: Input<'_>| {
    let mut told = Told::new(input.times);
    for lie in &input.lies {
        told.tell(lie);
    }
    let mut world = World::new(NODES);
    for call in &input.calls {
        world.happen(&call.step());
    }
    world.calm_down();
});
