//! What becomes of values between tasks: from one's output into another's line of shell.
//! Never: a value that is run.

use crate::desk::Desk;

#[test]
fn an_output_is_text_in_quotes_and_here_documents_and_never_run() {
    let desk = Desk::with(
        r#"
inputs: { s: { type: string } }
tasks:
  src: { run: "cat hostile" }
  double: { needs: [src], run: "printf %s \"{{ tasks.src.output }}\"" }
  single: { run: "printf %s '{{ inputs.s }}'" }
  bare: { needs: [src], run: "printf %s {{ tasks.src.output }}" }
  document: { needs: [src], run: "cat <<EOF\n{{ tasks.src.output }}\nEOF" }
"#,
    );
    let hostile = "$(touch PWNED1) `touch PWNED2`\"; touch PWNED3; \" '; touch PWNED4; ' \\";
    desk.write("hostile", hostile);
    let done = desk.windlass(&["run", "plan.yaml", "--input", "s=it's '$(touch PWNED5)'"]);
    assert_eq!(done.code, Some(0), "{}", done.all());
    let shown = desk.json(&["show", "last", "--json"]);
    let outputs = shown["tasks"].as_array().expect("tasks").iter();
    let outputs: Vec<_> = outputs.map(|task| task["output"].as_str().expect("a text")).collect();
    assert_eq!(outputs, [hostile, hostile, "it's '$(touch PWNED5)'", hostile, hostile]);
    for number in 1..=5 {
        let name = format!("PWNED{number}");
        assert!(!desk.work().join(&name).exists(), "{name}");
    }
}
