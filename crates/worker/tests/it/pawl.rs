//! The keeper that this crate's tests start. Never: shipped to users (the binary `windlass` is its own keeper).

fn main() {
    windlass_worker::run_if_keeper();
}
