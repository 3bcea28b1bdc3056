//! A seeded world: one machine with a disk, clocks, processes and people, in which an engine lives, dies and is started
//! again. It runs the very core and the very turn that users run. Never: an order of things that does not follow from the
//! case.

use std::collections::BTreeMap;
use std::sync::Arc;

use windlass_core::event::Role;
use windlass_core::id::{Digest, Fence, RunId};
use windlass_core::input::{Input, Report};
use windlass_core::plan::Plan;
use windlass_journal::blob::{Blobs as _, MemoryBlobs};
use windlass_journal::memory::MemoryStore;

use crate::broken::{LIVENESS, Verdict, broken, demand};
use crate::case::{Case, CrashAt, Fault};
use crate::check::Checker;
use crate::clocks::Clocks;
use crate::draft::{PlanDraft, TaskDraft};
use crate::engine::Engine;
use crate::invariants::reaped;
use crate::people::People;
use crate::process::Process;
use crate::queue::{Item, Queue};
use crate::random::{Random, mixed};
use crate::trace::Trace;

/// How many steps a world may take at most, before and after it is healed.
const STEPS_MAX: u32 = 4000;

/// The variables of all runs.
pub(crate) const ENVIRONMENT: &[u8] = b"{}";

/// How often it may look for something to do.
const ROUNDS_MAX: u32 = 20_000;

/// A plan of the case, loaded.
pub(crate) struct Planned {
    pub(crate) id: RunId,
    pub(crate) draft: PlanDraft,
    pub(crate) plan: Arc<Plan>,
    pub(crate) digest: Digest,
}

/// The world.
pub(crate) struct World {
    pub(crate) case: Case,
    pub(crate) planned: Vec<Planned>,
    pub(crate) store: MemoryStore,
    pub(crate) engine: Option<Engine>,
    pub(crate) engines: u32,
    pub(crate) clocks: Clocks,
    pub(crate) queue: Queue,
    pub(crate) processes: BTreeMap<Fence, Process>,
    pub(crate) people: People,
    pub(crate) checker: Checker,
    pub(crate) trace: Trace,
    pub(crate) step: u32,
    pub(crate) disk_low: bool,
    pub(crate) healed: bool,
    /// When the newest engine died, and whether its keeper did with it.
    pub(crate) died_at: u64,
    pub(crate) is_orphaned: bool,
    /// How the engine dies at its next turn, and how long until it is started again.
    pub(crate) dying: Option<(CrashAt, u64)>,
    /// Small draws that only shape the order of things.
    pub(crate) random: Random,
}

impl World {
    pub(crate) fn new(case: Case, trace: Trace) -> Self {
        let store = MemoryStore::new();
        let planned =
            case.runs.iter().enumerate().map(|(number, draft)| plan(&case, number, draft, &store.blobs()));
        let planned: Vec<Planned> = planned.collect();
        store.blobs().put(ENVIRONMENT).expect("memory takes it");
        let mut queue = Queue::default();
        queue.send(0, Item::Restart);
        Self {
            checker: Checker::new(case.seed, case.slots, &planned),
            random: Random::new(mixed(case.seed, 77)),
            planned,
            store,
            engine: None,
            engines: 0,
            clocks: Clocks::default(),
            queue,
            processes: BTreeMap::new(),
            people: People::default(),
            trace,
            step: 0,
            disk_low: false,
            healed: false,
            died_at: 0,
            is_orphaned: false,
            dying: None,
            case,
        }
    }

    /// Goes on until every run is over, or a promise is broken.
    pub(crate) fn run(&mut self) -> Verdict {
        for _ in 0..ROUNDS_MAX {
            if self.step >= STEPS_MAX {
                break;
            }
            self.befall()?;
            if self.advance()? {
                continue;
            }
            if let Some((_, down_ms)) = self.dying {
                // It was to die in a turn, and there is none.
                self.engine_dies(down_ms);
            } else if !self.is_spent() {
                self.hasten();
            } else if !self.healed {
                self.heal();
            } else if !self.mend()? {
                return self.end();
            }
        }
        Err(broken(LIVENESS, format!("not over after {} steps: {}", self.step, self.unfinished())))
    }

    /// Whether everything that the case holds has happened.
    fn is_spent(&self) -> bool {
        self.case.acts.is_empty() && self.case.faults.is_empty()
    }

    /// Nothing is on its way: what the case holds for later happens now.
    fn hasten(&mut self) {
        let acts = self.case.acts.first().map(|(step, _)| *step);
        let faults = self.case.faults.first().map(|(step, _)| *step);
        if let Some(next) = acts.into_iter().chain(faults).min() {
            let sooner = next.saturating_sub(self.step);
            self.case.acts.iter_mut().for_each(|(step, _)| *step = step.saturating_sub(sooner));
            self.case.faults.iter_mut().for_each(|(step, _)| *step = step.saturating_sub(sooner));
        }
    }

    /// What the case holds for this step.
    fn befall(&mut self) -> Verdict {
        while self.case.acts.first().is_some_and(|(step, _)| *step <= self.step) {
            let (_, act) = self.case.acts.remove(0);
            self.act(&act)?;
        }
        while self.dying.is_none() && self.case.faults.first().is_some_and(|(step, _)| *step <= self.step) {
            let (_, fault) = self.case.faults.remove(0);
            self.strike(&fault)?;
        }
        Ok(())
    }

    fn strike(&mut self, fault: &Fault) -> Verdict {
        self.trace.say(|| format!("fault: {fault:?}"));
        match fault {
            Fault::Crash { at: CrashAt::Rest, down_ms } => self.engine_dies(*down_ms),
            Fault::Crash { at, down_ms } => self.dying = Some((*at, *down_ms)),
            Fault::KeeperDies => self.keeper_dies(),
            Fault::BothDie { down_ms } => self.both_die(*down_ms),
            Fault::PowerCut { down_ms } => self.power_is_cut(*down_ms)?,
            Fault::Usurped => self.usurp()?,
            Fault::DiskFull { room } => {
                self.store.fill(Some(*room));
                self.disk(true);
            }
            Fault::DiskFree => self.free(),
            Fault::Damage { number, is_cut } => self.damage(*number, *is_cut)?,
            Fault::ClockStep { by_ms } => {
                self.clocks.set += by_ms;
                self.queue.send(self.clocks.awake + u64::from(self.random.below(1000)), Item::Clocks);
            }
            Fault::Drift { by_ms } => {
                self.clocks.set += by_ms;
                self.checker.drifts(by_ms.unsigned_abs());
            }
            Fault::Ghost { number, kind } => self.ghost(*number, *kind),
            Fault::Suspend { ms } => {
                self.clocks.slept += ms;
                self.queue.send(self.clocks.awake + u64::from(self.random.below(1000)), Item::Clocks);
            }
            Fault::DiskLow(low) => self.disk(*low),
            Fault::Snapshot { foreign } => self.snapshot(*foreign)?,
            Fault::Loss { after } => self.lose_records(*after)?,
            Fault::Overdue { number, why } => self.overdue_one(*number, *why),
        }
        Ok(())
    }

    /// There is room on the disk again.
    fn free(&mut self) {
        self.store.fill(None);
        self.disk(false);
    }

    pub(crate) fn disk(&mut self, low: bool) {
        if low != self.disk_low {
            self.disk_low = low;
            self.look_at_disk(low);
        }
    }

    /// The engine looks at its disk every few seconds, and says so as long as there is little room.
    fn look_at_disk(&mut self, was_low: bool) {
        if self.disk_low || was_low {
            self.report(0, Report::DiskLow { low: self.disk_low });
        }
        if self.disk_low && self.engine.is_some() {
            self.queue.send(self.clocks.awake + 5000, Item::Disk);
        }
    }

    /// Takes what comes next and lets the engine turn. False where nothing is on its way.
    fn advance(&mut self) -> Result<bool, crate::broken::Broken> {
        let wake = self.engine.as_ref().and_then(|engine| engine.wakes_at);
        let Some(next) = self.queue.next_at().into_iter().chain(wake).min() else { return Ok(false) };
        // To look at the disk again and again is nothing to wait for.
        if self.disk_low && wake.is_none() && !self.queue.has(|item| !matches!(item, Item::Disk)) {
            return Ok(false);
        }
        if let Some((CrashAt::Waiting, down_ms)) = self.dying
            && self.engine.is_some()
        {
            let left = next.saturating_sub(self.clocks.awake);
            self.clocks.awake += mixed(self.case.seed, u64::from(self.step)) % (left + 1);
            self.note_alive();
            self.engine_dies(down_ms);
            return Ok(true);
        }
        let window = if self.random.chance(900) { self.random.below(4) } else { self.random.below(2000) };
        self.clocks.awake = self.clocks.awake.max(next) + u64::from(window);
        let now = self.clocks.awake;
        self.note_alive();
        let mut letters = Vec::new();
        let mut looks = false;
        while let Some(item) = self.queue.take(now) {
            match item {
                Item::Letter { engine, input, reply } => self.deliver(engine, input, reply, &mut letters),
                Item::Bring(fence) => self.bring(fence),
                Item::End(fence) => self.process_ends(fence),
                Item::Overdue(fence, why) => self.process_is_overdue(fence, why),
                Item::Lists => self.compare_lists(),
                Item::Disk => self.look_at_disk(false),
                Item::Clocks => looks = true,
                Item::Restart if self.engine.is_none() => self.start()?,
                Item::Restart if self.has_command_engine() => self.queue.send(now + 50, Item::Restart),
                Item::Restart => {}
            }
            if self.engine.is_none() && !letters.is_empty() {
                break;
            }
        }
        reaped::after_death(self)?;
        let due = self.engine.as_ref().is_some_and(|engine| engine.wakes_at.is_some_and(|at| at <= now));
        if self.engine.is_some() && (due || looks || !letters.is_empty()) {
            self.turn(letters)?;
        }
        self.close_if_done();
        Ok(true)
    }

    fn deliver(
        &mut self,
        engine: Option<u32>,
        input: Box<Input>,
        reply: Option<u64>,
        letters: &mut Vec<(Input, Option<u64>)>,
    ) {
        match &self.engine {
            // An engine that ends takes nothing on.
            Some(live) if live.draining && takes_on(&input) => {}
            Some(live) if engine.is_none_or(|number| number == live.number) => letters.push((*input, reply)),
            None if engine.is_none() => {
                // Whoever asks tries again until somebody has started an engine.
                let later = self.queue.restart_at().unwrap_or(0).max(self.clocks.awake + 200);
                self.queue.send(later, Item::Letter { engine, input, reply });
            }
            Some(_) | None => {}
        }
    }

    /// Faults end: what is dead is started, what is low is high, and people do what only they can.
    fn heal(&mut self) {
        self.trace.say(|| "the world heals".to_owned());
        self.healed = true;
        self.dying = None;
        self.case.trouble = 0;
        self.free();
        if self.engine.is_none() && !self.queue.has(|item| matches!(item, Item::Restart)) {
            self.queue.send(self.clocks.awake, Item::Restart);
        }
    }

    /// The end: nothing is left to do, and a new start would come to the same.
    fn end(&mut self) -> Verdict {
        let open = self.unfinished();
        demand(open.is_empty(), LIVENESS, || format!("nothing wakes {open}"))?;
        self.engine_dies(0);
        self.open(Role::Engine)?;
        let engine = self.engine.as_ref().expect("nothing befalls it any more");
        self.checker.end(&self.store, engine.core.state())
    }

    /// Everything that can be seen of it from outside: the end of the chain, and what people were told.
    pub(crate) fn digest(&self) -> Digest {
        let told = format!("{:?} {:?} {}", self.store.head(), self.people.told, self.step);
        Digest::of(told.as_bytes())
    }

    fn unfinished(&self) -> String {
        self.checker.unfinished()
    }

    /// The draft of a task.
    pub(crate) fn task_draft(&self, run: RunId, task: &windlass_core::id::TaskId) -> &TaskDraft {
        let own = self.checker.oracle.runs.get(&run).and_then(|run| Some(run.draft(run.task(task)?)));
        own.expect("only tasks of runs are worked on")
    }
}

/// Whether an input asks for new work.
fn takes_on(input: &Input) -> bool {
    let Input::Command(command) = input else { return false };
    command.ask.takes_on()
}

/// The name of a run, by its number.
pub(crate) fn run_id(case: &Case, number: usize) -> RunId {
    RunId::from_random(mixed(case.seed, 1000 + number as u64))
}

fn plan(case: &Case, number: usize, draft: &PlanDraft, blobs: &MemoryBlobs) -> Planned {
    let plan = draft.load().unwrap_or_else(|why| panic!("the generator wrote a plan that is refused: {why}"));
    let bytes = serde_json::to_vec(&plan).expect("a plan is plain data");
    let digest = blobs.put(&bytes).expect("memory takes it");
    let id = run_id(case, number);
    Planned { id, draft: draft.clone(), plan: Arc::new(plan), digest }
}
