//! Power cuts. kill -9 says nothing about what is durable: what was written and not synced survives it, in the page cache.
//! So all that a real program does to its files is recorded ([`tape`]), done again on a disk that knows what was synced
//! ([`disk`]), and at each call that disk is asked what it might hold if the power went now ([`cuts`]). The tests of the
//! binary use these files too. Never: knowledge of what a journal is.

pub(crate) mod cuts;
pub(crate) mod disk;
pub(crate) mod tape;
