//! What looks like a secret, as a user would see it in what Windlass says of a file. Never: a secret that a scan of this
//! repository would find; they are written apart.

use crate::desk::Desk;

/// The secret that no line may show.
const SECRET: &str = "hunter2";

#[test]
fn a_line_of_a_file_is_shown_without_its_secrets_however_the_error_came_about() {
    let address = concat!("https://u:", "hunter2@host");
    let key = concat!("sk-", "hunter2hunter2hunter2");
    let cases = [
        ("a syntax error", "tasks: { a: { run: x, env: { MY_TOKEN: hunter2 ] } }".to_owned()),
        ("a doubled key", "tasks: { a: { run: x, env: { MY_TOKEN: hunter2, MY_TOKEN: hunter2 } } }".to_owned()),
        ("a template", format!("tasks: {{ a: {{ run: 'curl {address}/{{{{ nope }}}}' }} }}")),
        ("a schema", format!("tasks: {{ a: {{ run: x, output: {{ schema: {{ type: {key} }} }} }} }}")),
        ("no list", format!("agents: {{ w: {{ adapter: command, args: '--token={key}' }} }}\ntasks: {{ a: {{ run: x }} }}")),
        ("no text", "agents: { w: { adapter: command, args: [['--password', 'hunter2']] } }\ntasks: { a: { run: x } }".to_owned()),
        ("no length of time", format!("tasks: {{ a: {{ run: x, timeout: {key} }} }}")),
        ("a warning", "tasks: { a: { run: x, env: { MY_TOKEN: hunter2 } } }".to_owned()),
        ("none", format!("tasks: {{ a: {{ run: 'curl {address}' }}, b: {{ run: [x, --password, hunter2] }} }}")),
    ];
    for (what, plan) in &cases {
        let desk = Desk::with(plan);
        for line in [&["check", "plan.yaml"][..], &["check", "plan.yaml", "--json"]] {
            let checked = desk.windlass(line);
            assert!(!checked.all().contains(SECRET), "{what}: {}", checked.all());
            assert!(
                checked.all().contains("•••") || checked.all().contains("****") || line.len() > 2,
                "{what}: {}",
                checked.all()
            );
        }
    }
}

#[test]
fn settings_that_can_not_be_taken_are_repeated_without_their_secrets() {
    let desk = Desk::with("tasks: { a: { run: 'true' } }");
    let address = concat!("https://u:", "hunter2@host");
    desk.write(
        "windlass.toml",
        &format!("[agents.w]\nadapter = \"command\"\nmemory = \"{address}\"\nargs = [\"--password\", \"hunter2\"]\n"),
    );
    for line in [&["doctor", "--config"][..], &["doctor"], &["check", "plan.yaml"], &["run", "plan.yaml"]] {
        let output = desk.command(line).env("WINDLASS_HOME_RESERVE", address).output().expect("it starts");
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        assert!(!said.contains(SECRET), "{line:?}: {said}");
        assert!(said.contains("•••") || said.contains("***"), "{line:?}: {said}");
    }
    let output =
        desk.command(&["run", "plan.yaml"]).env("WINDLASS_SLOTS", address).output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(2) && !said.contains(SECRET) && said.contains("•••"), "{said}");
    desk.write("windlass.toml", "[agents.w]\nadapter = \"command\"\nargs = [\"--password\", \"hunter2\"]\n");
    let said = desk.windlass(&["doctor", "--config"]);
    assert!(said.out.contains(r#"["--password","•••"]"#), "{}", said.all());
}

#[test]
fn a_line_that_is_nothing_but_names_of_secrets_is_masked_around_the_place_of_its_error() {
    let names = "TOKEN=".repeat(100_000);
    let pairs = "TOKEN: hunter2, ".repeat(100_000);
    for plan in
        [format!("tasks: {{ a: {{ run: \"{names}\" ] }}"), format!("tasks: {{ a: {{ env: {{ {pairs} ] }}")]
    {
        let checked = Desk::with(&plan).windlass(&["check", "plan.yaml"]);
        assert_eq!(checked.code, Some(2), "{}", checked.all());
        assert!(checked.err.contains("***") && !checked.all().contains(SECRET), "{}", checked.all());
    }
}

#[test]
fn a_hint_keeps_its_own_examples_and_shows_no_secret_of_the_file() {
    let desk = Desk::with("inputs: { api_token: { type: number } }\ntasks: { a: { run: x } }");
    let given = desk.windlass(&["check", "plan.yaml", "--input", "api_token=hunter2"]);
    assert!(given.err.contains("error: `--input api_token=•••` is no number"), "{}", given.err);
    assert!(given.err.contains("hint: `--input api_token=1.5`"), "{}", given.err);
    let missing = desk.windlass(&["run", "plan.yaml"]);
    assert!(missing.err.contains("hint: give it one: `--input api_token=1.5`"), "{}", missing.err);
    for (task, hint) in [
        ("run: x, when: 'TOKEN=hunter2'", "stands in braces"),
        ("run: x, for_each: '--password=hunter2'", "write `[--password=•••]`"),
        ("run: x, pass: 'TOKEN=hunter2'", "write a list: `[TOKEN=•••]`"),
    ] {
        for more in [&[][..], &["--json"]] {
            let line = [&["check", "plan.yaml"][..], more].concat();
            let checked = Desk::with(&format!("tasks: {{ a: {{ {task} }} }}")).windlass(&line);
            assert!(checked.all().contains(hint), "{task}: {}", checked.all());
            assert!(!checked.all().contains(SECRET), "{task}: {}", checked.all());
        }
    }
}
