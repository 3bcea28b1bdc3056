//! The same for programs: one document. Fields are only ever added. Never: a sentence for people.

use serde_json::{Value, json};

use super::model::{Child, Graph, Kind, Node};
use windlass_core::plan::Join;

/// What a picture shows, as JSON.
pub(crate) fn document(graph: &Graph) -> Value {
    let path = json!({
        "tasks": graph.path.names,
        "took_ms": graph.path.took.map(|took| took.ms),
    });
    let run = graph.run.as_ref().map(|run| json!({ "id": run.id, "state": run.state }));
    let tasks: Vec<Value> = graph.nodes.iter().map(|node| task(graph, node)).collect();
    json!({ "goal": graph.goal, "plan": graph.source, "run": run, "tasks": tasks, "critical_path": path })
}

fn task(graph: &Graph, node: &Node) -> Value {
    let needs: Vec<&str> = node.needs.iter().map(|need| graph.nodes[*need].id.as_str()).collect();
    let join = match node.join {
        Join::All => json!("all"),
        Join::AtLeast(number) => json!(number),
    };
    let kind = match node.kind {
        Kind::Command => "run",
        Kind::Prompt => "prompt",
        Kind::Approval => "approval",
        Kind::Plan => "plan",
        Kind::Emit => "emit",
        Kind::Wait => "wait_for",
        Kind::Fold => "several",
    };
    let mut task = json!({
        "id": node.id, "kind": kind, "does": node.does, "needs": needs, "join": join,
        "for_each": node.for_each, "repeat": node.repeat, "replicas": node.replicas, "when": node.when, "optional": node.optional,
        "emits": node.emits, "hears": node.hears,
    });
    if let Some(progress) = &node.progress {
        task["state"] = progress.state.name().into();
        task["attempts"] = progress.attempts.into();
        task["took_ms"] = progress.took.map(|took| took.ms).into();
        if let Some(children) = &progress.children {
            let shown: Vec<Value> = children.shown.iter().map(child).collect();
            task["children"] = json!({
                "total": children.total, "done": children.done, "failed": children.failed, "shown": shown,
            });
        }
    }
    task
}

fn child(child: &Child) -> Value {
    json!({
        "id": child.id, "state": child.state.name(), "attempts": child.attempts,
        "took_ms": child.took.map(|took| took.ms),
    })
}
