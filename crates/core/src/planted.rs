//! Bugs that can be switched on, so that the simulator can show that it would find them. Without the feature `planted`,
//! which nothing that is shipped turns on, every question is answered «no» at compile time.

macro_rules! bugs {
    ($($(#[doc = $what:literal])* $bug:ident = $name:literal,)*) => {
        /// A bug that can be planted.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Bug { $($(#[doc = $what])* $bug,)* }

        impl Bug {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$bug),*];

            /// The name that `--planted` takes.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$bug => $name),* }
            }

            /// What it does, in a sentence.
            pub const fn what(self) -> &'static str {
                match self { $(Self::$bug => concat!($($what),*)),* }
            }
        }
    };
}

bugs! {
    /// A report with a retired fence counts as that of the newest attempt.
    OldFenceAccepted = "old-fence-accepted",
    /// The fence is the attempt's number, and begins anew with each task.
    FencePerAttempt = "fence-per-attempt",
    /// An attempt that is to be stopped counts as reaped at once.
    StartBeforeReaped = "start-before-reaped",
    /// The death of a task is not told to those that need it.
    DeadDependencyLeavesWaiter = "dead-dependency-leaves-a-waiter",
    /// The due time of a retry moves with the wall clock twice.
    RetryBeforeDue = "retry-before-due-after-a-clock-step",
    /// An attempt that the engine's death ended counts toward `max_attempts`.
    EngineDeathCharged = "engine-death-charged",
    /// An attempt that met a rate limit counts toward `max_attempts`.
    RateLimitCharged = "rate-limit-charged",
    /// An open breaker lets everything through.
    BreakerIgnored = "breaker-ignored",
    /// The rate of an agent is not looked at.
    RateIgnored = "rate-ignored",
    /// Losses alone in flight are not counted.
    LossesNotBounded = "losses-not-bounded",
    /// What happened is shown before it is durable.
    PublishedBeforeAppend = "published-before-append",
    /// What is ordered is done before it is durable.
    EffectBeforeAppend = "effect-before-append",
    /// A result is accepted although a cancel came before it.
    CancelOverruled = "cancel-overruled",
    /// The concurrency of a plan is not looked at.
    ConcurrencyIgnored = "concurrency-ignored",
    /// What a killed engine had lived through since its last record is forgotten.
    LastTimeForgotten = "last-time-forgotten",
    /// What a result used is forgotten where the result does not count.
    UsageDropped = "usage-of-an-ignored-result-dropped",
    /// The time in which the machine slept counts toward bounds of work.
    SuspendCounts = "suspend-counts-as-work",
    /// What was in flight at two deaths in a row starts beside others.
    AloneIgnored = "alone-ignored",
    /// A turn that was cut short forgets what follows from its state.
    ConsequencesForgotten = "consequences-forgotten",
    /// What is to be said of a run once nothing follows from its tasks is not noted.
    RestNotNoted = "rest-not-noted",
    /// Nobody is told when the next retry is due.
    RetryNotArmed = "retry-not-armed",
    /// An approval is given whatever id it names.
    AnyApprovalId = "approval-under-any-id",
    /// A pause is told while attempts are in flight.
    PauseToldEarly = "pause-told-early",
    /// What was not chosen among replicas goes on.
    LosersGoOn = "losers-go-on",
    /// Of the replicas that passed the newest is taken.
    LastIsFirst = "the-last-is-the-first",
    /// A list has as many children as it has items.
    CapsIgnored = "caps-ignored",
    /// A run that an optional task failed in has failed.
    OptionalFails = "optional-fails-the-run",
    /// A record has the time that its letter was received at, whatever came before.
    TimeFalls = "time-falls",
    /// Where the wall clock was set back a little, time stands until it has caught up.
    TimeStands = "time-stands",
    /// An attempt's texts follow what other tasks do.
    TextsFollow = "texts-follow-the-present",
    /// What has been ready longest starts next, whatever its priority.
    PriorityIgnored = "priority-ignored",
    /// All runs weigh the same.
    WeightsIgnored = "weights-ignored",
    /// A run makes up for the time in which it had nothing to start.
    ArrearsGranted = "arrears-granted",
    /// Attempts in flight reserve nothing of the budget.
    NothingReserved = "nothing-reserved",
    /// What is in flight goes on when its run is paused at once.
    PausedGoesOn = "paused-goes-on",
    /// What a task does not need any more goes on.
    RestGoesOn = "the-rest-goes-on",
    /// What was cancelled since it was not needed any more counts as failed.
    RestFails = "the-rest-fails",
    /// A message is not looked at by those who wait for it already.
    LostWakeUp = "lost-wake-up-on-a-topic",
    /// A waiter hears what it has heard before.
    HeardTwice = "a-message-heard-twice",
    /// What comes from outside wakes also those that listen to tasks of their run alone.
    OutsideHeard = "anybody-wakes-a-task",
    /// What nobody can wake any more goes on waiting.
    KnotsStay = "the-last-who-could-emit-leaves-a-waiter",
    /// An attempt that waits for what it started is taken for one that goes on by itself.
    LendersGoOn = "lenders-go-on",
    /// What is due ends before the reports of the turn are taken in.
    TimersFirst = "timers-before-reports",
    /// What an attempt started, and must not be done twice, is started again by the next.
    DoneTwice = "done-twice-by-the-next-attempt",
    /// The attempts around a run that an attempt started are forgotten.
    MarksOverwritten = "marks-overwritten-by-a-nested-run",
    /// An attempt that waits for what it started lends nothing to that.
    NothingLent = "nothing-lent",
    /// A command is carried out whenever it comes.
    RepeatedCommand = "repeated-command-carried-out",
}

#[cfg(feature = "planted")]
thread_local! {
    static PLANTED: std::cell::Cell<Option<Bug>> = const { std::cell::Cell::new(None) };
}

/// Plants a bug on this thread, or none.
#[cfg(feature = "planted")]
pub fn plant(bug: Option<Bug>) {
    PLANTED.set(bug);
}

/// Whether a bug is planted on this thread.
#[cfg(feature = "planted")]
pub fn is_planted(bug: Bug) -> bool {
    PLANTED.get() == Some(bug)
}

/// Whether a bug is planted: never, in what is shipped.
#[cfg(not(feature = "planted"))]
pub const fn is_planted(_: Bug) -> bool {
    false
}
