//! The bugs that can be planted, and which invariant is to find each. Never: a bug that nothing finds.

use windlass_core::planted::Bug;
use windlass_journal::planted::Bug as JournalBug;

use crate::seed::Ending;

/// A bug that can be planted in what the simulator runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// In the core or the engine's turn.
    Core(Bug),
    /// In the journal.
    Journal(JournalBug),
}

impl Planted {
    /// All of them. That a child inherits the lock, or a copy is not synced, is found by tests of the journal's own: here
    /// nobody has a lock, and no home vanishes.
    pub fn all() -> impl Iterator<Item = Self> {
        let elsewhere = [JournalBug::LockInherited, JournalBug::CopyNotSynced];
        let journal = JournalBug::ALL.into_iter().filter(move |bug| !elsewhere.contains(bug));
        let journal = journal.map(Self::Journal);
        Bug::ALL.iter().copied().map(Self::Core).chain(journal)
    }

    /// The name that `--planted` takes.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Core(bug) => bug.name(),
            Self::Journal(bug) => bug.name(),
        }
    }

    /// What it does, in a sentence.
    pub fn what(self) -> &'static str {
        match self {
            Self::Core(bug) => bug.what().trim(),
            Self::Journal(JournalBug::ForeignSnapshotTrusted) => {
                "A snapshot is read whichever build wrote it."
            }
            Self::Journal(JournalBug::TailSilentlyShorter) => {
                "A journal that lost its end is opened without a word."
            }
            Self::Journal(JournalBug::CommitNotSynced) => "What is appended is not synced.",
            Self::Journal(JournalBug::BlobNotSynced) => "A blob is named before it is synced.",
            Self::Journal(JournalBug::FolderNotSynced) => "The name of a blob is not synced.",
            Self::Journal(JournalBug::CopyNotSynced) => "The copy of a vanished home is not synced.",
            Self::Journal(JournalBug::LockInherited) => "A child has the lock, too.",
        }
    }

    /// The invariants of which one is to be broken by it, by number and name.
    #[rustfmt::skip]
    pub const fn finders(self) -> &'static [&'static str] {
        let bug = match self {
            Self::Core(bug) => bug,
            Self::Journal(JournalBug::TailSilentlyShorter) => return &["25 head"],
            Self::Journal(JournalBug::CommitNotSynced | JournalBug::CopyNotSynced) => return &["2 prefix"],
            Self::Journal(JournalBug::BlobNotSynced | JournalBug::FolderNotSynced) => return &["21 blobs"],
            Self::Journal(JournalBug::ForeignSnapshotTrusted | JournalBug::LockInherited) => return &["16 replay"],
        };
        match bug {
            Bug::OldFenceAccepted           => &["3 one winner", "4 fences grow"],
            Bug::FencePerAttempt            => &["4 fences grow"],
            Bug::StartBeforeReaped          => &["4 fences grow", "15 reaped"],
            Bug::DeadDependencyLeavesWaiter => &["7 dependencies"],
            Bug::RetryBeforeDue             => &["6 not before due"],
            Bug::EngineDeathCharged         => &["5 attempts"],
            Bug::RateLimitCharged           => &["5 attempts"],
            Bug::LossesNotBounded           => &["5 attempts"],
            Bug::PublishedBeforeAppend      => &["2 prefix"],
            Bug::EffectBeforeAppend         => &["2 prefix"],
            Bug::CancelOverruled            => &["19 cancel"],
            Bug::ConcurrencyIgnored         => &["11 limits"],
            Bug::BreakerIgnored             => &["11 limits"],
            Bug::RateIgnored                => &["11 limits"],
            Bug::UsageDropped               => &["12 usage"],
            Bug::SuspendCounts              => &["6 not before due", "6 time counts"],
            Bug::LastTimeForgotten          => &["6 time counts"],
            Bug::AloneIgnored               => &["11 limits"],
            Bug::ConsequencesForgotten      => &["7 dependencies", "14 wake"],
            Bug::RestNotNoted               => &["14 wake"],
            Bug::RetryNotArmed              => &["14 wake"],
            Bug::AnyApprovalId              => &["20 approval"],
            Bug::PauseToldEarly             => &["5.3 pause"],
            Bug::LosersGoOn                 => &["1.7 children", "14 wake"],
            Bug::LastIsFirst                => &["1.7 children"],
            Bug::CapsIgnored                => &["24 caps"],
            Bug::OptionalFails              => &["18 final is final"],
            Bug::TimeFalls                  => &["1 order"],
            Bug::TimeStands                 => &["1 order"],
            Bug::TextsFollow                => &["13 effects settle"],
            Bug::PriorityIgnored            => &["23 fairness"],
            Bug::WeightsIgnored             => &["23 fairness"],
            Bug::ArrearsGranted             => &["23 fairness"],
            Bug::NothingReserved            => &["12 budget"],
            Bug::PausedGoesOn               => &["5.3 pause"],
            Bug::RestGoesOn                 => &["5.1 rest"],
            Bug::RestFails                  => &["7 dependencies", "18 final is final"],
            Bug::LostWakeUp                 => &["22 topics"],
            Bug::HeardTwice                 => &["22 topics"],
            Bug::OutsideHeard               => &["22 topics"],
            Bug::KnotsStay                  => &["14 wake"],
            Bug::LendersGoOn                => &["14 wake"],
            Bug::TimersFirst                => &["1.3 reports first"],
            Bug::DoneTwice                  => &["5 attempts"],
            Bug::MarksOverwritten           => &["4.2 marks"],
            Bug::NothingLent                => &["14 wake"],
            Bug::RepeatedCommand            => &["3.1 once"],
        }
    }

    /// Whether a world ended by what is to find it.
    pub fn is_found(self, ending: &Ending) -> bool {
        match ending {
            Ending::Broken(broken) => self.finders().contains(&broken.invariant),
            Ending::Well | Ending::Crashed(_) => false,
        }
    }
}

/// Plants a bug on this thread, or none.
pub fn plant(bug: Option<Planted>) {
    windlass_core::planted::plant(match bug {
        Some(Planted::Core(bug)) => Some(bug),
        Some(Planted::Journal(_)) | None => None,
    });
    windlass_journal::planted::plant(match bug {
        Some(Planted::Journal(bug)) => Some(bug),
        Some(Planted::Core(_)) | None => None,
    });
}
