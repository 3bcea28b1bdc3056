//! What is on its way, in the order of time. Never: two things at the same place; what was sent first comes first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use windlass_core::event::StopWhy;
use windlass_core::id::Fence;
use windlass_core::input::Input;

/// Something on its way.
#[derive(Clone, Debug)]
pub(crate) enum Item {
    /// Something for an engine: that with this number, or whichever lives.
    Letter { engine: Option<u32>, input: Box<Input>, reply: Option<u64> },
    /// An attempt asks for a plan to be carried out.
    Bring(Fence),
    /// The main process of an attempt ends.
    End(Fence),
    /// An attempt is over one of its limits.
    Overdue(Fence, StopWhy),
    /// The engine compares its list of attempts with the keeper's.
    Lists,
    /// The engine looks at the room on its disk.
    Disk,
    /// The engine compares the clocks.
    Clocks,
    /// Somebody starts an engine.
    Restart,
}

#[derive(Debug)]
struct Entry {
    at: u64,
    order: u64,
    item: Item,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

/// The queue.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    heap: BinaryHeap<Reverse<Entry>>,
    sent: u64,
}

impl Queue {
    pub(crate) fn send(&mut self, at: u64, item: Item) {
        self.sent += 1;
        self.heap.push(Reverse(Entry { at, order: self.sent, item }));
    }

    /// When the next thing comes.
    pub(crate) fn next_at(&self) -> Option<u64> {
        self.heap.peek().map(|Reverse(entry)| entry.at)
    }

    /// The next thing, if it comes by then.
    pub(crate) fn take(&mut self, by: u64) -> Option<Item> {
        (self.next_at()? <= by).then(|| self.heap.pop().expect("it was seen").0.item)
    }

    /// Whether something is on its way that this holds of.
    pub(crate) fn has(&self, is: impl Fn(&Item) -> bool) -> bool {
        self.heap.iter().any(|Reverse(entry)| is(&entry.item))
    }

    /// When somebody starts an engine.
    pub(crate) fn restart_at(&self) -> Option<u64> {
        let restarts = self.heap.iter().filter(|Reverse(entry)| matches!(entry.item, Item::Restart));
        restarts.map(|Reverse(entry)| entry.at).min()
    }

    /// Loses what this does not hold of.
    pub(crate) fn keep(&mut self, is: impl Fn(&Item) -> bool) {
        self.heap.retain(|Reverse(entry)| is(&entry.item));
    }
}
