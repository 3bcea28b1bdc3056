//! `windlass-sim --seeds N --start S`: sim.
use windlass_sim::seed::{self, Ending};
use windlass_sim::trace::Trace;

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let start: u64 = args[1].parse().unwrap();
    let count: u64 = args[2].parse().unwrap();
    let traced = args.get(3).is_some();
    let mut steps = 0u64;
    let mut bad = std::collections::BTreeMap::<String, (u64, u64)>::new();
    std::panic::set_hook(Box::new(|_| {}));
    for s in start..start + count {
        let told = seed::seed(s, if traced { Trace::kept() } else { Trace::default() });
        steps += u64::from(told.steps);
        if traced {
            for line in told.trace.lines() {
                println!("{line}");
            }
            println!("{}", serde_json::to_string(&told.case).unwrap());
            println!("{:?}", told.ending);
        }
        let why = match &told.ending {
            Ending::Well => continue,
            Ending::Broken(b) => b.to_string(),
            Ending::Crashed(w) => format!("PANIC {w}"),
        };
        let key: String = why.chars().map(|c| if c.is_ascii_digit() { '#' } else { c }).take(90).collect();
        let e = bad.entry(key).or_insert((s, 0));
        e.1 += 1;
    }
    println!("{steps} steps");
    let mut v: Vec<_> = bad.into_iter().collect();
    v.sort_by_key(|(_, (_, n))| std::cmp::Reverse(*n));
    for (k, (s, n)) in v {
        println!("{n:>5} seed {s}: {k}");
    }
}
