//! Bugs of the journal that can be switched on, so that tests can show that they would be found. Without the feature
//! `planted`, which nothing that is shipped turns on, every question is answered «no» at compile time.

/// A bug that can be planted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// A snapshot is read whatever build wrote it.
    ForeignSnapshotTrusted,
    /// A journal that is shorter than its head says is opened without a word.
    TailSilentlyShorter,
    /// A commit is not synced: SQLite's `synchronous=NORMAL`.
    CommitNotSynced,
    /// A blob has its name before the disk has its content.
    BlobNotSynced,
    /// The name of a blob is not made durable.
    FolderNotSynced,
    /// The records of a home that has vanished are copied, and the copy is not synced.
    CopyNotSynced,
    /// A child has the lock too, and holds it after our death.
    LockInherited,
}

impl Bug {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::ForeignSnapshotTrusted,
        Self::TailSilentlyShorter,
        Self::CommitNotSynced,
        Self::BlobNotSynced,
        Self::FolderNotSynced,
        Self::CopyNotSynced,
        Self::LockInherited,
    ];

    /// Its name.
    #[rustfmt::skip]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ForeignSnapshotTrusted => "snapshot-of-another-build-trusted",
            Self::TailSilentlyShorter    => "log-tail-silently-shorter",
            Self::CommitNotSynced        => "synchronous-normal",
            Self::BlobNotSynced          => "blob-not-synced",
            Self::FolderNotSynced        => "folder-not-synced",
            Self::CopyNotSynced          => "copy-not-synced",
            Self::LockInherited          => "lock-inherited-by-a-child",
        }
    }
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
pub(crate) fn is_planted(bug: Bug) -> bool {
    PLANTED.get() == Some(bug)
}

/// Whether a bug is planted: never, in what is shipped.
#[cfg(not(feature = "planted"))]
pub(crate) const fn is_planted(_: Bug) -> bool {
    false
}
