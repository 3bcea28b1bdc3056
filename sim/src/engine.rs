//! An engine in the world: opened by replay, turned with the letters that have come, and killed at any moment.
//! Never: what a real engine would not do; where this one and `crates/engine` differ, one of them is wrong.

use windlass_core::decide::Stamp;
use windlass_core::effect::Effect;
use windlass_core::event::{LossReason, Role};
use windlass_core::id::Seq;
use windlass_core::input::{Input, LostAttempt, Report};
use windlass_core::react::pending;
use windlass_core::time::Time;
use windlass_core::turn::Core;
use windlass_engine::alive::Alive;
use windlass_engine::clock::Clock;
use windlass_engine::lists::Lists;
use windlass_engine::recover::{self, Opening};
use windlass_engine::turn::{Letter, turn};
use windlass_journal::Journal as _;
use windlass_journal::error::JournalError;
use windlass_journal::memory::{Fault, MemoryJournal};
use windlass_journal::repair::Acceptance;

use crate::broken::{Verdict, broken};
use crate::case::CrashAt;
use crate::hands::Hands;
use crate::invariants::replay;
use crate::queue::Item;
use crate::random::mixed;
use crate::world::World;

/// A fault that never comes: it takes the place of one that found nothing to append.
const NO_FAULT: Fault = Fault { after: u64::MAX, kept: false };
pub(crate) const BUILD: &str = "simulated";
const OTHER_BUILD: &str = "another";

/// After how long an engine is started again that met a full disk.
const FULL_AGAIN_MS: u64 = 1000;

/// How long ago an engine that waits may have noted that it lives.
const NOTED_BEFORE_MS: u64 = 1100;

/// An engine that lives.
pub(crate) struct Engine {
    pub(crate) number: u32,
    pub(crate) role: Role,
    pub(crate) core: Core,
    pub(crate) journal: MemoryJournal,
    clock: Clock,
    alive: Alive,
    /// When it turns without a letter.
    pub(crate) wakes_at: Option<u64>,
    pub(crate) draining: bool,
    lists: Lists,
}

impl World {
    /// Replays the journal and begins an opening.
    pub(crate) fn open(&mut self, role: Role) -> Verdict {
        let refused =
            |error: JournalError| broken(replay::NAME, format!("the journal does not open: {error}"));
        self.sweep();
        let mut journal = MemoryJournal::open(&self.store, BUILD, self.case.seed).map_err(refused)?;
        // Each start may give another number of slots.
        let slots = if self.random.chance(800) { self.case.slots } else { self.random.within(1, 8) };
        let opened = recover::open(&mut journal, role, BUILD, slots, self.clocks.shown());
        let Opening { mut core, clock, first, .. } = opened.map_err(refused)?;
        core.bound_turns(self.turns_most());
        self.checker.recovered(core.state(), &self.store)?;
        self.checker.slept(&self.clocks);
        self.checker.oracle.slots = slots;
        self.engines += 1;
        let number = self.engines;
        self.trace.say(|| format!("engine {number} opens: {role:?}"));
        self.engine = Some(Engine {
            number,
            role,
            core,
            journal,
            clock,
            alive: Alive::default(),
            wakes_at: None,
            draining: false,
            lists: Lists::default(),
        });
        self.turn(first.into_iter().map(|report| (Input::Report(report), None)).collect())?;
        let Some(engine) = &self.engine else { return Ok(()) };
        let orders = pending(engine.core.state());
        self.learn(orders)?;
        if role == Role::Engine {
            self.resume_all();
        }
        if self.disk_low {
            self.queue.send(self.clocks.awake + 5, Item::Disk);
        }
        Ok(())
    }

    /// How many records a turn of this opening may come to: mostly as many as in earnest, and sometimes far fewer.
    fn turns_most(&mut self) -> usize {
        if self.case.short_turns { usize::try_from(self.random.within(1, 12)).expect("small") } else { 4096 }
    }

    /// What became of the attempts of earlier openings: they died with their engine. Large outputs are settled again.
    fn learn(&mut self, orders: Vec<Effect>) -> Verdict {
        let mut lost = Vec::new();
        for order in orders {
            match order {
                Effect::LearnAttempt { key, fence } => {
                    lost.push(LostAttempt { key, fence, leftovers: self.random.below(2) });
                }
                Effect::SettleOutput { .. } | Effect::RunErrand(_) => self.perform(order)?,
                Effect::SpawnAttempt(_) | Effect::StopAttempt { .. } => {
                    return Err(broken(
                        "13 effects settle",
                        format!("an order of this opening before it gave any: {order:?}"),
                    ));
                }
            }
        }
        if !lost.is_empty() {
            let later = if self.random.chance(700) { 0 } else { u64::from(self.random.below(50)) };
            self.report(later, Report::Lost { attempts: lost, reason: LossReason::EngineDied });
        }
        Ok(())
    }

    /// A report to the engine that lives, after so long.
    pub(crate) fn report(&mut self, later: u64, report: Report) {
        if let Some(engine) = &self.engine {
            let (at, engine) = (self.clocks.awake + later, Some(engine.number));
            self.queue.send(at, Item::Letter { engine, input: Box::new(Input::Report(report)), reply: None });
        }
    }

    /// One turn of the engine.
    pub(crate) fn turn(&mut self, letters: Vec<(Input, Option<u64>)>) -> Verdict {
        self.step += 1;
        let dying = self.dying.take();
        let dies_after = match dying {
            Some((CrashAt::Append, _)) => {
                self.store.arm(Fault { after: 0, kept: false });
                None
            }
            Some((CrashAt::Appended, _)) => {
                self.store.arm(Fault { after: 0, kept: true });
                None
            }
            Some((CrashAt::Told(calls), _)) => Some(calls),
            Some((CrashAt::Rest | CrashAt::Waiting, _)) | None => None,
        };
        let engine = self.engine.as_mut().expect("only a live engine turns");
        let shown = self.clocks.shown();
        let jumped = engine.clock.compare(shown).map(|jump| (Input::Report(jump.into()), None));
        let now = engine.clock.now(shown);
        self.checker.oracle.now = now;
        let letters: Vec<(Input, Option<u64>)> = jumped.into_iter().chain(letters).collect();
        self.trace.turn(self.step, now, &letters);
        // Letters are received before the turn begins, but never before the clocks were last set right.
        let is_right =
            !letters.iter().any(|(input, _)| matches!(input, Input::Report(Report::ClockJumped { .. })));
        let letters = letters.into_iter().map(|(input, reply)| {
            let earlier = if is_right { i64::from(self.random.below(3)) } else { 0 };
            let stamp = Stamp { now: Time::from_ms(now.ms - earlier), seed: self.random.next() };
            Letter { input, stamp, reply }
        });
        let letters: Vec<Letter<u64>> = letters.collect();
        let asked = letters.iter().filter(|letter| matches!(letter.input, Input::Command(_))).count();
        let mut hands = Hands::new(&self.store, dies_after);
        let stamp = Stamp { now, seed: self.random.next() };
        let turned = turn(&mut engine.core, &mut engine.journal, letters, stamp, &mut hands);
        hands.verdict()?;
        let is_dead = hands.is_dead();
        let (orders, answers) = (hands.orders, hands.answers);
        self.checker.oracle.alive = self.processes.keys().copied().collect();
        self.checker.take(&self.store, &self.clocks, &mut self.trace)?;
        for (reply, answer) in &answers {
            self.trace.answer(*reply, answer);
        }
        self.people.answered(answers, asked, &mut self.checker)?;
        self.go_on();
        let down_ms = dying.map_or(0, |(_, down_ms)| down_ms);
        match turned {
            Err(_) if dying.is_some_and(|(at, _)| matches!(at, CrashAt::Append | CrashAt::Appended)) => {
                self.engine_dies(down_ms);
                Ok(())
            }
            // Whoever looks after it starts it again, until there is room.
            Err(JournalError::DiskFull { .. }) => {
                self.engine_dies(down_ms.max(FULL_AGAIN_MS));
                Ok(())
            }
            Err(error) => Err(broken("1 order", format!("the journal refuses a batch: {error}"))),
            Ok(more) => {
                self.checker.compare(self.engine.as_ref().expect("it turned").core.state())?;
                for order in orders {
                    self.perform(order)?;
                }
                if is_dead {
                    self.engine_dies(down_ms);
                    return Ok(());
                }
                // A fault that found nothing to append waits for the next batch.
                self.dying =
                    dying.filter(|(at, _)| *at != CrashAt::Told(0) && !matches!(at, CrashAt::Told(_)));
                self.set_wake(more);
                self.checker.rests(more)
            }
        }
    }

    fn set_wake(&mut self, more: bool) {
        let engine = self.engine.as_mut().expect("it has just turned");
        let due = engine.core.next_due();
        let now = engine.clock.now(self.clocks.shown());
        let awake = self.clocks.awake;
        engine.wakes_at = if more { Some(awake) } else { due.map(|due| awake + due.since(now).ms) };
    }

    /// Time has passed in which the engine waited: what it has noted meanwhile. The last time may be a second ago.
    pub(crate) fn note_alive(&mut self) {
        let Some(engine) = &mut self.engine else { return };
        let (mut clock, shown) = (engine.clock.clone(), self.clocks.shown());
        // Where they are to be set right it has noted nothing since they went wrong.
        if clock.compare(shown).is_some() {
            return;
        }
        let earlier = mixed(self.case.seed, self.clocks.awake) % NOTED_BEFORE_MS;
        let noted = Time::from_ms(clock.now(shown).ms.saturating_sub_unsigned(earlier));
        engine.alive.note(&mut engine.journal, engine.core.state(), noted);
    }

    /// The engine is killed; what was on its way to it is lost. Its keeper ends everything that it started.
    pub(crate) fn engine_dies(&mut self, down_ms: u64) {
        let Some(engine) = self.engine.take() else { return };
        self.checker.pass(&self.clocks);
        self.trace.say(|| format!("engine {} dies", engine.number));
        self.dying = None;
        self.store.arm(NO_FAULT);
        self.died_at = self.clocks.awake;
        self.queue
            .keep(|item| matches!(item, Item::Letter { engine: None, .. } | Item::Restart | Item::End(_)));
        if !self.is_orphaned {
            self.keeper_ends_all();
        }
        if !self.queue.has(|item| matches!(item, Item::Restart)) {
            self.queue.send(self.clocks.awake + down_ms, Item::Restart);
        }
    }

    /// The engine is killed, and the journal is damaged behind one of its records: it goes on without the rest. What was
    /// started by what is gone was swept away; of what it would have reported nobody hears.
    pub(crate) fn lose_records(&mut self, after: u64) -> Verdict {
        let intact = Seq(after % (self.store.head().seq.0 + 1));
        self.trace.say(|| format!("the journal ends at {intact}"));
        self.engine_dies(0);
        self.sweep();
        let is_report = |input: &Input| matches!(input, Input::Report(_));
        self.queue.keep(|item| !matches!(item, Item::Letter { input, .. } if is_report(input)));
        let wall = Time::from_ms(self.clocks.shown().wall_ms);
        let at = wall.max(self.checker.said_at(&self.store, intact)?);
        let acceptance = Acceptance { name: "", at, build: BUILD };
        let refused = |error| broken("16 replay", format!("the loss can't be accepted: {error}"));
        self.store.accept_loss(intact, acceptance, self.case.seed).map_err(refused)?;
        self.checker.forget(intact, &self.store, &self.clocks)
    }

    /// The state is kept, so that the next start need not replay all.
    pub(crate) fn snapshot(&mut self, foreign: bool) -> Verdict {
        let Some(engine) = &mut self.engine else { return Ok(()) };
        let head = engine.core.state().head;
        let refused = |error| broken("16 replay", format!("a snapshot is refused: {error}"));
        if foreign {
            let mut other = MemoryJournal::open(&self.store, OTHER_BUILD, self.case.seed).map_err(refused)?;
            let empty = windlass_core::state::State { head, ..windlass_core::state::State::default() };
            return other.save_snapshot(head, &recover::snapshot(&empty)).map_err(refused);
        }
        engine.journal.save_snapshot(head, &recover::snapshot(engine.core.state())).map_err(refused)
    }

    /// An engine that was opened for a command, or told to end, ends when nothing holds it any more.
    pub(crate) fn close_if_done(&mut self) {
        let Some(engine) = &self.engine else { return };
        let leaves = engine.draining || engine.role == Role::Command;
        let number = engine.number;
        let hears = self
            .queue
            .has(|item| matches!(item, Item::Letter { engine, .. } if engine.is_none_or(|to| to == number)));
        if leaves && engine.core.state().is_idle() && !hears {
            self.trace.say(|| "the engine ends in order".to_owned());
            let down_ms = u64::from(self.random.below(1000));
            self.engine_dies(down_ms);
        }
    }

    pub(crate) fn has_command_engine(&self) -> bool {
        self.engine.as_ref().is_some_and(|engine| engine.role == Role::Command)
    }

    /// Attempts of this opening that the keeper does not know, twice in a row, are lost.
    pub(crate) fn compare_lists(&mut self) {
        let Some(engine) = &mut self.engine else { return };
        let known = self.processes.keys().copied().collect();
        let lost = engine.lists.compare(engine.core.state(), &known);
        if engine.lists.is_in_doubt() {
            self.queue.send(self.clocks.awake + 5000, Item::Lists);
        }
        if let Some(lost) = lost {
            self.report(0, lost);
        }
    }
}
