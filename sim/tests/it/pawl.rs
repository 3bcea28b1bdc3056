//! The keeper that this crate's tests start. Never: shipped.

fn main() {
    windlass_engine::embed::begin();
}
