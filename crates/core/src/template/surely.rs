//! What of a condition is looked at whatever a message says: the names, but `data`, to which an operator is applied. Never:
//! more than is certain. What is behind `and`, `or` or `if`, or may be undefined, depends on the values.
#![expect(clippy::wildcard_enum_match_arm, reason = "of all other expressions nothing is certain")]

use std::ops::Range;

use minijinja::machinery::ast;

use super::reader::chain;
use super::references::Step;

/// A chain of names, and where it stands in the source of the engine.
pub(super) struct Operand {
    /// The task that it is about.
    pub(super) task: Option<String>,
    /// Where it stands.
    pub(super) at: Range<usize>,
}

/// Those of the one expression that a template is.
pub(super) fn operands(tree: &ast::Stmt<'_>) -> Vec<Operand> {
    let mut found = Vec::new();
    if let ast::Stmt::Template(template) = tree {
        for child in &template.children {
            if let ast::Stmt::EmitExpr(emit) = child {
                within(&emit.expr, &mut found);
            }
        }
    }
    found
}

/// Those within an expression that is evaluated.
fn within(expression: &ast::Expr<'_>, found: &mut Vec<Operand>) {
    match expression {
        ast::Expr::UnaryOp(operation) => operand(&operation.expr, found),
        ast::Expr::BinOp(operation) => {
            operand(&operation.left, found);
            if !matches!(operation.op, ast::BinOpKind::ScAnd | ast::BinOpKind::ScOr) {
                operand(&operation.right, found);
            }
        }
        ast::Expr::Compare(compare) => {
            operand(&compare.expr, found);
            // In a row of comparisons the next is made only where the one before holds.
            compare.ops.iter().take(1).for_each(|operation| operand(&operation.expr, found));
        }
        ast::Expr::IfExpr(choice) => operand(&choice.test_expr, found),
        ast::Expr::Filter(filter) => filter.expr.iter().for_each(|inner| within(inner, found)),
        ast::Expr::Test(test) => within(&test.expr, found),
        _ => {}
    }
}

/// The same of an expression that has to have a value.
fn operand(expression: &ast::Expr<'_>, found: &mut Vec<Operand>) {
    let Some(chain) = chain(expression) else { return within(expression, found) };
    if chain.root == "data" || !chain.computed.is_empty() {
        return;
    }
    let task = match chain.steps.first() {
        Some((Step::Key(task), _)) if chain.root == "tasks" => Some(task.clone()),
        _ => None,
    };
    let end = chain.steps.last().map_or(chain.root_span, |(_, span)| *span).end_offset;
    found.push(Operand { task, at: chain.root_span.start_offset as usize..end as usize });
}
