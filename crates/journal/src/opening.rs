//! The look at a home before anything in it may change: the end of the journal against its head, the chain from the
//! newest snapshot. Read-only, byte for byte. Never: mending.

use std::ops::ControlFlow;
use std::path::Path;

use windlass_core::id::Seq;
use windlass_core::time::Span;

use crate::chain::Follower;
use crate::chain::Head;
use crate::error::{DamageCause, JournalError};
use crate::head::{self, Found, HomeId};
use crate::planted::{Bug, is_planted};
use crate::replay::damaged;
use crate::store::{self, Store};
use crate::{repair, snapshot};

/// How much of the chain is recomputed.
#[derive(Clone, Copy)]
pub(crate) enum Depth<'a> {
    /// All of it.
    All,
    /// What lies behind the newest snapshot of this build.
    SinceSnapshot(&'a str),
    /// None of it: whoever reads will do it.
    Nothing,
}

/// What was found.
pub(crate) struct Examined {
    /// The store; none in an empty home.
    pub(crate) store: Option<Store>,
    /// Which home it is; none where no head says so.
    pub(crate) home_id: Option<HomeId>,
    /// Where the head says that the journal ends.
    pub(crate) said: Head,
    /// How long the engine before was alive after that.
    pub(crate) alive: Span,
    /// Where the journal ends, or the part of it that is true.
    pub(crate) end: Head,
    /// Behind this place the chain was recomputed.
    pub(crate) start: Seq,
    /// The last record that is known to have been written.
    pub(crate) known: Seq,
    /// What is wrong.
    pub(crate) fault: Option<DamageCause>,
}

impl Examined {
    /// This, if nothing is wrong.
    pub(crate) fn sound(self, home: &Path) -> Result<Self, JournalError> {
        match self.fault {
            Some(cause) => Err(damaged(home, cause, self.end.seq, self.known)),
            None => Ok(self),
        }
    }
}

/// Looks at a home. What is wrong with the journal is in the answer; an error is about reading it at all.
pub(crate) fn examine(home: &Path, depth: Depth<'_>) -> Result<Examined, JournalError> {
    // The head first: whoever writes does it after the store, so that a store read later is never behind.
    let found = head::read(home).map_err(JournalError::io("read", &head::path(home)))?;
    let slot = if let Found::Slot(slot, _) = found { Some(slot) } else { None };
    let said = slot.map(|slot| slot.head).unwrap_or_default();
    let mut examined = Examined {
        store: None,
        home_id: slot.map(|slot| slot.home),
        said,
        alive: slot.map(|slot| slot.alive).unwrap_or_default(),
        end: Head::default(),
        start: Seq(0),
        known: said.seq,
        fault: None,
    };
    let path = store::path(home);
    let has_store = path.try_exists().map_err(JournalError::io("look for", &path))?;
    if repair::is_pending(home) {
        examined.fault = Some(DamageCause::RepairCutShort);
        return Ok(examined);
    }
    if has_store {
        examined.read(home, depth)?;
    }
    // What the head has to say counts for more than what the store looks like.
    match found {
        Found::Missing if has_store => examined.fault = Some(DamageCause::HeadMissing),
        Found::Unreadable => examined.fault = Some(DamageCause::HeadUnreadable),
        Found::Slot(..) if !has_store && said.seq > Seq(0) => {
            examined.fault = Some(DamageCause::StoreMissing);
        }
        Found::Missing | Found::Slot(..) => {}
    }
    Ok(examined)
}

impl Examined {
    fn read(&mut self, home: &Path, depth: Depth<'_>) -> Result<(), JournalError> {
        let path = store::path(home);
        if matches!(depth, Depth::SinceSnapshot(_)) && !store::has_sound_pages(&path) {
            return self.read(home, Depth::All);
        }
        let read = Store::open_read_only(&path).and_then(|store| {
            // One transaction, so that a live engine may go on writing meanwhile.
            let one_view = store.connection.unchecked_transaction()?;
            let layout = store.layout()?;
            let is_filled = layout != 0 && self.follow(home, &store, depth)?;
            one_view.commit()?;
            Ok((store, layout, is_filled))
        });
        match read {
            Ok((_, found, _)) if found > store::LAYOUT => {
                Err(JournalError::Layout { path, found, known: store::LAYOUT })
            }
            Ok((store, _, is_filled)) => {
                self.store = is_filled.then_some(store);
                if !is_filled && self.fault.is_none() && self.said.seq > Seq(0) {
                    self.fault = Some(DamageCause::EndMissing);
                }
                Ok(())
            }
            // The place is to be named, and may lie before that from which on was read.
            Err(error) if store::says_damage(&error) && !matches!(depth, Depth::All) => {
                self.read(home, Depth::All)
            }
            Err(error) if store::says_damage(&error) => {
                // What could be read up to there is true; whoever mends reads it once more.
                self.store = Store::open_read_only(&path).ok();
                self.fault = Some(DamageCause::StoreUnreadable(error));
                Ok(())
            }
            Err(error) if store::says_making_cut_short(&error) && self.said.seq == Seq(0) => Ok(()),
            Err(source) => Err(JournalError::Store { doing: "read", path, source }),
        }
    }

    /// Follows the chain to its end and compares that with the head. Says whether there is any record.
    fn follow(&mut self, home: &Path, store: &Store, depth: Depth<'_>) -> rusqlite::Result<bool> {
        let start = match depth {
            Depth::All => Head::default(),
            Depth::SinceSnapshot(build) => newest_snapshot(home, store, build)?,
            Depth::Nothing => store.tip()?,
        };
        self.start = start.seq;
        self.end = start;
        let mut follower = Follower::from(start);
        let mut is_broken = false;
        store.rows(start.seq, None, |row| {
            is_broken = follower.verify(row).is_err();
            self.end = follower.head;
            self.known = self.known.max(row.seq);
            if is_broken { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        if is_broken {
            self.fault = Some(DamageCause::ChainBroken { seq: self.end.seq.next() });
            self.known = self.known.max(store.tip()?.seq);
        } else {
            self.fault = differs(store, self.end, self.said)?;
        }
        if matches!(self.fault, Some(DamageCause::EndDiffers)) {
            self.end = store.at(Seq(self.said.seq.0 - 1))?.unwrap_or_default();
        }
        Ok(self.end.seq > Seq(0))
    }
}

/// Compares the end of a store with what the head says.
fn differs(store: &Store, end: Head, said: Head) -> rusqlite::Result<Option<DamageCause>> {
    if is_planted(Bug::TailSilentlyShorter) {
        return Ok(None);
    }
    if end.seq < said.seq {
        return Ok(Some(DamageCause::EndMissing));
    }
    let is_same = store.at(said.seq)?.is_some_and(|at| at.link == said.link);
    Ok((!is_same).then_some(DamageCause::EndDiffers))
}

/// The quick look of a reader whose connection is still the right one: the end, if all is well.
pub(crate) fn sound_end(home: &Path, store: &Store) -> Option<Head> {
    let Ok(Found::Slot(slot, _)) = head::read(home) else { return None };
    if repair::is_pending(home) {
        return None;
    }
    let one_view = store.connection.unchecked_transaction().ok()?;
    let end = store.tip().ok()?;
    let fault = differs(store, end, slot.head).ok()?;
    one_view.commit().ok()?;
    fault.is_none().then_some(end)
}

/// The place of the newest snapshot that belongs to this journal.
fn newest_snapshot(home: &Path, store: &Store, build: &str) -> rusqlite::Result<Head> {
    for (header, _) in snapshot::list(home) {
        if let Some(at) = store.at(header.seq)?.filter(|at| header.fits(build, at.link)) {
            return Ok(at);
        }
    }
    Ok(Head::default())
}
