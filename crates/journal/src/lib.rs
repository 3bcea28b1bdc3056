//! windlass-journal
