//! The keeper that this crate's tests start. Never: shipped (the binary `windlass` is its own keeper).

fn main() {
    windlass_engine::embed::begin();
}
