//! A keeper whose monitors never tell of an end. Never: shipped.

fn main() {
    // Built by itself, without bugs to plant, it is like any other.
    #[cfg(feature = "planted")]
    windlass_worker::planted::plant(Some(windlass_worker::planted::Bug::EndUntold));
    windlass_worker::run_if_keeper();
}
