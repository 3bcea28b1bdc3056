//! The messages between engine, keeper and monitors. One build speaks on both ends (the keeper is the engine's own
//! binary), so there are no versions. Never: sending them (that is `link.rs`).

use std::ffi::CStr;
use std::time::Duration;

use crate::os::{Fault, Pid, Step};

/// The engine to its keeper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ToKeeper {
    /// Make this many monitors ready.
    Fork(u32),
}

/// The keeper to its engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FromKeeper {
    /// A monitor is ready; its link comes with this message.
    Ready(Pid),
    /// A monitor is gone, and so is everything that it left: this many processes had to be ended.
    Gone(Pid, u32),
    /// A monitor could not be made, because of this error of the system.
    ForkFailed(i32),
}

/// The engine to a monitor. An order to start is a [`Start`] instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ToMonitor {
    /// End what runs: at first politely, after this time with force.
    Stop(Duration),
    /// Say whether you run the attempt with this fence.
    Ask(u64),
}

/// A monitor to the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FromMonitor {
    /// The program could not be started.
    Failed(Fault),
    /// The program is over and nothing of it is left.
    Ended(Reckoning),
    /// Asked for the first fence: the second is what I run; 0 is nothing.
    Doing(u64, u64),
}

/// What a monitor says at the end of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reckoning {
    pub(crate) fence: u64,
    /// As `wait` gives it.
    pub(crate) status: i32,
    pub(crate) cpu: Duration,
    pub(crate) resident_peak: u64,
    /// Processes that outlived the program.
    pub(crate) leftovers: u32,
    /// It was ended because the keeper had died.
    pub(crate) keeper_died: bool,
}

/// A message of a few numbers.
pub(crate) trait Message: Sized {
    /// The numbers, the first of which tells the kind.
    fn numbers(&self) -> [u64; 7];
    /// The message of these numbers; none where they are no message.
    fn from_numbers(numbers: [u64; 7]) -> Option<Self>;

    /// The bytes on the wire.
    fn to_bytes(&self) -> [u8; 56] {
        let mut bytes = [0; 56];
        for (place, number) in bytes.chunks_exact_mut(8).zip(self.numbers()) {
            place.copy_from_slice(&number.to_ne_bytes());
        }
        bytes
    }

    /// The message of these bytes.
    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut numbers = [0; 7];
        for (number, place) in numbers.iter_mut().zip(bytes.chunks_exact(8)) {
            *number = u64::from_ne_bytes(place.try_into().ok()?);
        }
        Self::from_numbers(numbers)
    }
}

fn padded<const N: usize>(numbers: [u64; N]) -> [u64; 7] {
    let mut all = [0; 7];
    all[..N].copy_from_slice(&numbers);
    all
}

fn unsigned(number: i32) -> u64 {
    u64::from(number.cast_unsigned())
}

fn signed(number: u64) -> Option<i32> {
    u32::try_from(number).ok().map(u32::cast_signed)
}

fn pid(number: u64) -> Option<Pid> {
    signed(number).filter(|number| *number > 0).and_then(Pid::from_raw)
}

fn micros(span: Duration) -> u64 {
    u64::try_from(span.as_micros()).unwrap_or(u64::MAX)
}

impl Message for ToKeeper {
    fn numbers(&self) -> [u64; 7] {
        let Self::Fork(count) = *self;
        padded([1, count.into()])
    }

    fn from_numbers(numbers: [u64; 7]) -> Option<Self> {
        (numbers[0] == 1).then_some(Self::Fork(u32::try_from(numbers[1]).ok()?))
    }
}

impl Message for FromKeeper {
    fn numbers(&self) -> [u64; 7] {
        match *self {
            Self::Ready(monitor) => padded([1, unsigned(monitor.as_raw_nonzero().get())]),
            Self::Gone(monitor, leftovers) => {
                padded([2, unsigned(monitor.as_raw_nonzero().get()), leftovers.into()])
            }
            Self::ForkFailed(errno) => padded([3, unsigned(errno)]),
        }
    }

    fn from_numbers(numbers: [u64; 7]) -> Option<Self> {
        match numbers[0] {
            1 => Some(Self::Ready(pid(numbers[1])?)),
            2 => Some(Self::Gone(pid(numbers[1])?, u32::try_from(numbers[2]).ok()?)),
            3 => Some(Self::ForkFailed(signed(numbers[1])?)),
            _ => None,
        }
    }
}

impl Message for ToMonitor {
    fn numbers(&self) -> [u64; 7] {
        match *self {
            Self::Stop(grace) => padded([1, micros(grace)]),
            Self::Ask(fence) => padded([2, fence]),
        }
    }

    fn from_numbers(numbers: [u64; 7]) -> Option<Self> {
        match numbers[0] {
            1 => Some(Self::Stop(Duration::from_micros(numbers[1]))),
            2 => Some(Self::Ask(numbers[1])),
            _ => None,
        }
    }
}

impl Message for FromMonitor {
    fn numbers(&self) -> [u64; 7] {
        match *self {
            Self::Failed(fault) => padded([1, number_of(fault.step), unsigned(fault.errno)]),
            Self::Ended(reckoning) => [
                2,
                reckoning.fence,
                unsigned(reckoning.status),
                micros(reckoning.cpu),
                reckoning.resident_peak,
                reckoning.leftovers.into(),
                reckoning.keeper_died.into(),
            ],
            Self::Doing(asked, doing) => padded([3, asked, doing]),
        }
    }

    fn from_numbers(numbers: [u64; 7]) -> Option<Self> {
        match numbers[0] {
            1 => Some(Self::Failed(Fault { step: step_of(numbers[1])?, errno: signed(numbers[2])? })),
            2 => Some(Self::Ended(Reckoning {
                fence: numbers[1],
                status: signed(numbers[2])?,
                cpu: Duration::from_micros(numbers[3]),
                resident_peak: numbers[4],
                leftovers: u32::try_from(numbers[5]).ok()?,
                keeper_died: numbers[6] != 0,
            })),
            3 => Some(Self::Doing(numbers[1], numbers[2])),
            _ => None,
        }
    }
}

const STEPS: [Step; 4] = [Step::Fork, Step::Prepare, Step::Folder, Step::Exec];

fn number_of(step: Step) -> u64 {
    STEPS.iter().position(|one| *one == step).map_or(0, |place| place as u64)
}

fn step_of(number: u64) -> Option<Step> {
    STEPS.get(usize::try_from(number).ok()?).copied()
}

/// An order to start a program: numbers, then texts that each end with a zero byte, so that the monitor can hand
/// them to the system where they lie. Three descriptors come with it: the standard streams.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Start<'a> {
    pub(crate) fence: u64,
    pub(crate) program: &'a CStr,
    pub(crate) folder: &'a CStr,
    /// The name of its control group.
    pub(crate) cgroup: &'a CStr,
    pub(crate) argv: Vec<&'a CStr>,
    pub(crate) env: Vec<&'a CStr>,
}

/// Tells a [`Start`], and one whose text lies in a fourth descriptor, from a [`ToMonitor`].
const START: u64 = 10;
const START_IN_FILE: u64 = 11;

/// What a monitor was sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Order<'a> {
    /// Start this.
    Start(Start<'a>),
    /// Start what the fourth descriptor holds, in this many bytes.
    StartInFile(usize),
    /// Anything else.
    Other(ToMonitor),
}

/// Builds the bytes of a [`Start`].
#[derive(Debug)]
pub(crate) struct StartBytes(Vec<u8>);

impl StartBytes {
    /// A start with these numbers of arguments and variables, whose texts are then pushed in the order of
    /// [`Start`]'s fields.
    pub(crate) fn new(fence: u64, words: usize, variables: usize) -> Self {
        let mut bytes = Vec::with_capacity(4096);
        for number in [START, fence, words as u64, variables as u64] {
            bytes.extend(number.to_ne_bytes());
        }
        Self(bytes)
    }

    /// Adds a text in parts; false where it holds a zero byte, which no system call can carry.
    #[must_use]
    pub(crate) fn push(&mut self, parts: &[&[u8]]) -> bool {
        let sound = parts.iter().all(|part| !part.contains(&0));
        for part in parts {
            self.0.extend_from_slice(part);
        }
        self.0.push(0);
        sound
    }

    /// The bytes.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// The message that stands for a [`Start`] of this length in a file.
pub(crate) fn start_in_file(length: usize) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&START_IN_FILE.to_ne_bytes());
    bytes[8..].copy_from_slice(&(length as u64).to_ne_bytes());
    bytes
}

impl<'a> Order<'a> {
    /// The order of these bytes.
    pub(crate) fn from_bytes(bytes: &'a [u8]) -> Option<Self> {
        let number = |at: usize| Some(u64::from_ne_bytes(bytes.get(at * 8..at * 8 + 8)?.try_into().ok()?));
        match number(0)? {
            START => {
                let (words, variables) =
                    (usize::try_from(number(2)?).ok()?, usize::try_from(number(3)?).ok()?);
                let mut rest = bytes.get(32..)?;
                let mut next = || {
                    let text = CStr::from_bytes_until_nul(rest).ok()?;
                    rest = rest.get(text.count_bytes() + 1..)?;
                    Some(text)
                };
                let (program, folder, cgroup) = (next()?, next()?, next()?);
                let argv = (0..words).map(|_| next()).collect::<Option<_>>()?;
                let env = (0..variables).map(|_| next()).collect::<Option<_>>()?;
                Some(Self::Start(Start { fence: number(1)?, program, folder, cgroup, argv, env }))
            }
            START_IN_FILE => Some(Self::StartInFile(usize::try_from(number(1)?).ok()?)),
            _ => ToMonitor::from_bytes(bytes).map(Self::Other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_arrives_as_it_was_sent() {
        let pid = Pid::from_raw(42).expect("positive");
        for message in [FromKeeper::Ready(pid), FromKeeper::Gone(pid, 3), FromKeeper::ForkFailed(11)] {
            assert_eq!(FromKeeper::from_bytes(&message.to_bytes()), Some(message));
        }
        let reckoning = Reckoning {
            fence: 7,
            status: 0x8900,
            cpu: Duration::from_micros(5),
            resident_peak: 1 << 40,
            leftovers: 2,
            keeper_died: true,
        };
        let fault = Fault { step: Step::Exec, errno: 2 };
        for message in [FromMonitor::Failed(fault), FromMonitor::Ended(reckoning), FromMonitor::Doing(9, 0)] {
            assert_eq!(FromMonitor::from_bytes(&message.to_bytes()), Some(message));
        }
        for message in [ToMonitor::Stop(Duration::from_millis(500)), ToMonitor::Ask(9)] {
            assert_eq!(Order::from_bytes(&message.to_bytes()), Some(Order::Other(message)));
        }
        assert_eq!(ToKeeper::from_bytes(&ToKeeper::Fork(4).to_bytes()), Some(ToKeeper::Fork(4)));
        assert_eq!(Order::from_bytes(&start_in_file(70_000)), Some(Order::StartInFile(70_000)));
    }

    #[test]
    fn an_order_to_start_keeps_its_texts_where_they_lie() {
        let mut bytes = StartBytes::new(5, 2, 1);
        for text in ["/bin/true", "/tmp", "abcdef,t,1", "true", "", "A=b c"] {
            assert!(bytes.push(&[text.as_bytes()]));
        }
        let bytes = bytes.into_bytes();
        let expected = Start {
            fence: 5,
            program: c"/bin/true",
            folder: c"/tmp",
            cgroup: c"abcdef,t,1",
            argv: vec![c"true", c""],
            env: vec![c"A=b c"],
        };
        assert_eq!(Order::from_bytes(&bytes), Some(Order::Start(expected)));
        assert_eq!(Order::from_bytes(&bytes[..bytes.len() - 1]), None);
    }

    #[test]
    fn a_zero_byte_within_a_text_is_found() {
        assert!(!StartBytes::new(1, 0, 0).push(&[b"a\0b"]));
    }
}
