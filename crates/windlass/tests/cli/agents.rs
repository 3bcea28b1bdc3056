//! Agents that share work, fail and take over for each other, as a user meets them.

use serde_json::{Value, json};

use crate::desk::Desk;

fn agents_of(show: &Value, task: &str) -> Vec<Value> {
    let tasks = show["tasks"].as_array().expect("a list");
    let task = tasks.iter().find(|one| one["id"] == task).unwrap_or_else(|| panic!("no {task} in {show}"));
    task["attempts"].as_array().expect("a list").iter().map(|attempt| attempt["agent"].clone()).collect()
}

#[test]
fn agents_take_turns_and_an_expression_hands_work_on() {
    let desk = Desk::with(
        r#"
agents: { one: { adapter: scripted }, two: { adapter: scripted }, chief: { adapter: scripted } }
tasks:
  part: { for_each: [0, 1, 2, 3], agent: [one, two], prompt: "say {{ item }}" }
  hard:
    agent: "{{ 'chief' if attempt > 1 else 'one' }}"
    prompt: "on-attempt 1: exit 3"
    retry: { initial_interval: 1ms }
"#,
    );
    let done = desk.windlass(&["run", "plan.yaml", "--slots", "1"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
    let show = desk.json(&["show", "last", "--json"]);
    let parts: Vec<Value> = (0..4).flat_map(|number| agents_of(&show, &format!("part.{number}"))).collect();
    assert_eq!(parts, ["one", "two", "one", "two"]);
    assert_eq!(agents_of(&show, "hard"), ["one", "chief"]);
}

#[test]
fn who_refuses_or_is_not_there_is_taken_over_from_and_the_attempt_is_granted() {
    let desk = Desk::with(
        r#"
agents:
  gone: { adapter: command, program: ./no-such-agent, fallback: [shy] }
  shy: { adapter: scripted, fallback: [last] }
  last: { adapter: command, program: cat }
tasks:
  t: { agent: gone, prompt: "fail refused", retry: { max_attempts: 1 } }
"#,
    );
    let done = desk.windlass(&["run", "plan.yaml"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
    assert!(done.out.contains("by shy, after spawn_not_found"), "{}", done.out);
    let show = desk.json(&["show", "last", "--json"]);
    assert_eq!(agents_of(&show, "t"), ["gone", "shy", "last"]);
    let task = &show["tasks"][0];
    assert_eq!(task["output"], "fail refused");
}

const PROVIDER: &str = r#"
agents:
  a: { adapter: scripted, account: acme, concurrency: 2 }
  b: { adapter: scripted, account: acme, fallback: [other] }
  other: { adapter: scripted }
tasks:
  login: { agent: a, prompt: "fail auth", optional: true }
  held: { needs: [login], agent: a, prompt: "say held" }
  beside: { needs: [login], agent: b, prompt: "say beside" }
"#;

#[test]
fn an_open_breaker_holds_its_account_back_and_whoever_asks_is_told_until_when() {
    let desk = Desk::with(PROVIDER);
    let mut running = desk.start(&["run", "plan.yaml"]);
    running.wait_for("succeeded beside");
    let show = desk.json(&["show", "last", "--json"]);
    assert_eq!(agents_of(&show, "beside"), ["other"]);
    assert_eq!(agents_of(&show, "held"), [] as [Value; 0]);
    let why = desk.json(&["show", "last", "held", "--why", "--json"]);
    let wait = &why["tasks"][0]["waits"][0];
    assert_eq!(wait["on"], "an agent: a, whose breaker is open (account acme)");
    assert!(wait["until"].is_string(), "{wait}");
    let printed = desk.windlass(&["show", "last", "held", "--why"]).out;
    assert!(printed.contains("whose breaker is open"), "{printed}");
    desk.windlass(&["cancel", "last"]);
    let done = running.end();
    assert!(done.out.contains("breaker   account acme: open until"), "{}", done.out);
}

#[test]
fn a_quota_parks_its_task_until_its_time_and_killed_in_between_it_still_is() {
    let desk = Desk::with(
        r#"
agents: { a: { adapter: scripted } }
tasks: { t: { agent: a, prompt: "fail rate_limited retry_after 5h" } }
"#,
    );
    let mut running = desk.start(&["run", "plan.yaml"]);
    running.wait_for("parked    t");
    running.signal(rustix::process::Signal::KILL);
    running.end();
    let show = desk.json(&["show", "last", "--json"]);
    let task = &show["tasks"][0];
    assert_eq!((&task["state"], &task["error"]["kind"]), (&json!("parked"), &json!("rate_limited")));
    let mut resumed = desk.start(&["resume", "last"]);
    resumed.wait_for("resumed");
    let why = desk.json(&["show", "last", "t", "--why", "--json"]);
    assert_eq!(why["tasks"][0]["waits"][0]["on"], "the time from which its provider takes it again");
    let cancelled = desk.windlass(&["cancel", "last"]);
    assert_eq!(cancelled.code, Some(0), "{}", cancelled.all());
    assert_eq!(resumed.end().code, Some(1));
}

#[test]
fn a_plan_that_names_agents_wrongly_is_told_all_of_it() {
    let desk = Desk::with(
        r#"
agents:
  a: { adapter: scripted, fallback: [a, nobody], rate: 5 }
  b: { adapter: scripted, rate: 0/min }
defaults: { agent: "{{ inputs.x }}" }
tasks:
  t: { agent: [a, a], prompt: x }
  u: { agent: [], prompt: x }
  v: { agent: b, balance: weighted, prompt: x }
  w: { agent: [b, a], balance: auction, prompt: x }
"#,
    );
    let done = desk.windlass(&["check", "plan.yaml"]);
    assert_eq!(done.code, Some(2), "{}", done.all());
    for said in [
        "agent `a` takes over for itself",
        "there is no agent `nobody`",
        "say in which time, as in `5/min`",
        "`rate`: `0/min` is no rate",
        "`agent` names `a` twice",
        "`agent` is an empty list",
        "`balance` says something only beside several agents",
        "`balance: auction` is not supported yet",
    ] {
        assert!(done.err.contains(said), "{said}:\n{}", done.err);
    }
}

#[test]
fn events_without_a_run_have_what_belongs_to_the_home() {
    let desk = Desk::with("tasks: { a: { run: \"true\" } }");
    let run = desk.windlass(&["run", "plan.yaml"]).run();
    let records = desk.windlass(&["events", "--json"]).lines();
    assert_eq!(records[0]["type"], "engine_started");
    assert!(records.iter().any(|record| record["type"] == "run_finished" && record["run"] == run.as_str()));
    let shown = desk.windlass(&["events", "-f"]);
    assert_eq!(shown.code, Some(0));
    assert!(
        shown.out.contains("engine_started") && shown.out.contains(&format!("{run}/a@1")),
        "{}",
        shown.out
    );
}
