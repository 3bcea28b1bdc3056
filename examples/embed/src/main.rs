//! Windlass inside an own program: a plan, a run, what it gave. Never: more than anybody needs to begin.
#![expect(clippy::print_stdout, reason = "it shows what it does")]

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

use windlass_engine::embed::{self, Embedded};

const PLAN: &str = r#"
tasks:
  count: { for_each: [3, 4, 5], run: "echo $(( {{ item }} * {{ item }} ))" }
  sum: { needs: [count], run: "echo {{ tasks.count.output | sum }}" }
"#;

fn main() -> Result<(), Box<dyn Error>> {
    embed::begin();
    let home = std::env::args().nth(1).ok_or("name a folder for the journal")?;
    let windlass = Embedded::open(Path::new(&home), 4)?;
    let plan = embed::plan(PLAN, &BTreeMap::new())?;
    let run = windlass.start(plan, Path::new("/tmp"), std::env::vars())?;
    let outcome = windlass.wait(run)?.ok_or("it has paused")?;
    let gave = |task| windlass.output(run, task).map(Option::unwrap_or_default);
    println!("run {run} {outcome:?}: {} is the sum of {}", gave("sum")?, gave("count")?);
    Ok(windlass.close()?)
}
