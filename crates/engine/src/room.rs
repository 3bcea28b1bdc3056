//! Room for so many at a time. Never: for one more, whoever asks and however long they wait.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Room for so many.
#[derive(Debug)]
pub struct Room {
    most: usize,
    taken: Mutex<usize>,
    one_left: Condvar,
}

/// A seat in a room, until it is dropped.
#[derive(Debug)]
pub struct Seat(Arc<Room>);

impl Room {
    /// Room for so many.
    pub fn for_at_most(most: usize) -> Arc<Self> {
        Arc::new(Self { most, taken: Mutex::new(0), one_left: Condvar::new() })
    }

    /// A seat, if one is free.
    pub fn try_enter(self: &Arc<Self>) -> Option<Seat> {
        let mut taken = self.taken();
        (*taken < self.most).then(|| {
            *taken += 1;
            Seat(Arc::clone(self))
        })
    }

    /// Waits for a seat.
    pub fn enter(self: &Arc<Self>) -> Seat {
        let waited = self.one_left.wait_while(self.taken(), |taken| *taken >= self.most);
        *waited.unwrap_or_else(PoisonError::into_inner) += 1;
        Seat(Arc::clone(self))
    }

    /// How many are in it.
    pub fn count(&self) -> usize {
        *self.taken()
    }

    /// Waits until fewer than so many are in it, but no longer than that.
    pub fn wait_for_fewer_than(&self, count: usize, longest: Duration) {
        let waited = self.one_left.wait_timeout_while(self.taken(), longest, |taken| *taken >= count);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    fn taken(&self) -> MutexGuard<'_, usize> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        *self.0.taken() -= 1;
        self.0.one_left.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_room_takes_nobody_until_somebody_leaves() {
        let room = Room::for_at_most(2);
        let (first, second) = (room.enter(), room.try_enter());
        assert!(second.is_some());
        assert!(room.try_enter().is_none());
        let waiting = std::thread::spawn({
            let room = Arc::clone(&room);
            move || drop(room.enter())
        });
        room.wait_for_fewer_than(3, Duration::MAX);
        assert_eq!(room.count(), 2);
        drop(first);
        waiting.join().expect("it got the seat");
        assert!(room.try_enter().is_some());
    }
}
