//! Stored events, one a line: what can be read is written again as bytes that mean the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use windlass_core::id::Seq;
use windlass_journal::record::{decode, encode};

fuzz_target!(|bytes: &[u8]| {
    for line in bytes.split(|byte| *byte == b'\n') {
        read(line);
    }
});

fn read(bytes: &[u8]) {
    let Ok(record) = decode(Seq(1), bytes, || "fuzz".to_owned()) else { return };
    let mut written = Vec::new();
    if encode(&record, &mut written).is_err() {
        return;
    }
    let again = decode(Seq(1), &written, || "fuzz".to_owned()).expect("what was written can be read");
    let mut twice = Vec::new();
    encode(&again, &mut twice).expect("as it could before");
    assert_eq!(String::from_utf8_lossy(&written), String::from_utf8_lossy(&twice));
}
