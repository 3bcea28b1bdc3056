//! Reads from a template's syntax tree what it refers to. It errs to the safe side: a part of an output that it can't
//! tell is the whole. Never: evaluating anything.
#![expect(clippy::wildcard_enum_match_arm, reason = "all other expressions are treated alike")]

use minijinja::machinery::{Span, ast};
use minijinja::value::ValueKind;

use super::names::{FILTERS, FUNCTIONS, TESTS, VARIABLES, nearest};
use super::references::{InText, Name, References, Step, Use};
use super::shell::Line;
use super::syntax::Prepared;
use super::{Purpose, TemplateError};
use crate::exact;

/// Reads a tree.
pub(super) fn read(tree: &ast::Stmt<'_>, purpose: Purpose, source: &Prepared<'_>) -> References {
    let mut reader =
        Reader { found: References::default(), locals: vec![Vec::new()], purpose, source, captured: 0 };
    reader.statement(tree);
    if purpose == Purpose::Shell {
        reader.try_line(tree);
    }
    reader.found
}

/// A variable of the template's own: a walk over a part of an output, or anything else.
type Local<'t> = (&'t str, Option<(String, Vec<Step>)>);

struct Reader<'t> {
    found: References,
    locals: Vec<Vec<Local<'t>>>,
    purpose: Purpose,
    source: &'t Prepared<'t>,
    captured: usize,
}

/// A chain such as `tasks.a.output.b[0]`: where it begins, and the steps with their places.
pub(super) struct Chain<'t, 'e> {
    pub(super) root: &'t str,
    pub(super) root_span: Span,
    pub(super) steps: Vec<(Step, Span)>,
    pub(super) computed: Vec<&'e ast::Expr<'t>>,
}

/// The chain that an expression is, if it is one.
pub(super) fn chain<'t, 'e>(expression: &'e ast::Expr<'t>) -> Option<Chain<'t, 'e>> {
    let (mut at, mut steps, mut computed) = (expression, Vec::<(Step, Span)>::new(), Vec::new());
    loop {
        match at {
            ast::Expr::Var(variable) => {
                steps.reverse();
                // The parser gives a step the span of itself alone; what people want underlined begins at the root.
                let start = variable.span().start_offset;
                for (_, span) in &mut steps {
                    span.start_offset = start;
                }
                return Some(Chain { root: variable.id, root_span: variable.span(), steps, computed });
            }
            ast::Expr::GetAttr(get) => {
                steps.push((Step::Key(get.name.to_owned()), get.span()));
                at = &get.expr;
            }
            ast::Expr::GetItem(get) => {
                let key = match &get.subscript_expr {
                    ast::Expr::Const(constant) if constant.value.kind() == ValueKind::String => {
                        constant.value.as_str().map(ToOwned::to_owned)
                    }
                    ast::Expr::Const(constant) => constant.value.as_usize().map(|at| at.to_string()),
                    other => {
                        computed.push(other);
                        None
                    }
                };
                steps.push((key.map_or(Step::Any, Step::Key), get.span()));
                at = &get.expr;
            }
            _ => return None,
        }
    }
}

impl<'t> Reader<'t> {
    /// Puts a line of shell together with values that are as harmless as can be, to see whether they may stand where
    /// they stand. With statements in it, the line is known only when it is rendered.
    fn try_line(&mut self, tree: &ast::Stmt<'t>) {
        let ast::Stmt::Template(template) = tree else { return };
        let mut line = Line::default();
        for part in &template.children {
            match part {
                ast::Stmt::EmitRaw(text) => line.literal(text.raw),
                ast::Stmt::EmitExpr(emit) if !matches!(&emit.expr, ast::Expr::Filter(filter) if filter.name == "raw") => {
                    if let Err(failure) = line.value("1") {
                        self.problem(emit.span(), failure.message, failure.hint);
                        return;
                    }
                }
                _ => return,
            }
        }
    }

    fn problem(&mut self, span: Span, message: String, hint: Option<String>) {
        let range = self.source.written(span.start_offset as usize..span.end_offset as usize);
        self.found.problems.push(TemplateError { message, range, hint });
    }

    /// A number that the engine would round.
    fn constant(&mut self, span: Span) {
        let at = span.start_offset as usize..span.end_offset as usize;
        let written = self.source.text().get(at).unwrap_or_default().replace('_', "");
        let is_number = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'.' | b'e' | b'E' | b'+' | b'-');
        if written.bytes().next().is_some_and(|first| first.is_ascii_digit())
            && written.bytes().all(is_number)
            && !exact::is_kept(&written)
        {
            let message = format!("`{written}` is no number that can be kept exactly");
            self.problem(span, message, Some(exact::AS_TEXT.to_owned()));
        }
    }

    fn uses(&mut self, name: Name, span: Span) {
        let range = self.source.written(span.start_offset as usize..span.end_offset as usize);
        self.found.uses.push(Use { name, range });
    }

    fn local(&self, name: &str) -> Option<&Local<'t>> {
        self.locals.iter().rev().flat_map(|scope| scope.iter().rev()).find(|(local, _)| *local == name)
    }

    fn assign(&mut self, target: &ast::Expr<'t>, meaning: Option<(String, Vec<Step>)>) {
        let scope = self.locals.last_mut().expect("there is always a scope");
        match target {
            ast::Expr::Var(variable) => scope.push((variable.id, meaning)),
            ast::Expr::List(list) => list.items.iter().for_each(|item| self.assign(item, None)),
            ast::Expr::Tuple(tuple) => tuple.items.iter().for_each(|item| self.assign(item, None)),
            other => self.expression(other),
        }
    }

    fn body(&mut self, statements: &[ast::Stmt<'t>]) {
        self.locals.push(Vec::new());
        for statement in statements {
            self.statement(statement);
        }
        self.locals.pop();
    }

    fn captured(&mut self, statements: &[ast::Stmt<'t>]) {
        self.found.captures = true;
        self.captured += 1;
        self.body(statements);
        self.captured -= 1;
    }

    fn statement(&mut self, statement: &ast::Stmt<'t>) {
        match statement {
            ast::Stmt::Template(template) => template.children.iter().for_each(|child| self.statement(child)),
            ast::Stmt::EmitExpr(emit) => {
                self.in_text(&emit.expr);
                self.emit(&emit.expr);
            }
            ast::Stmt::EmitRaw(_) | ast::Stmt::Continue(_) | ast::Stmt::Break(_) => {}
            ast::Stmt::ForLoop(walk) => self.walk(walk),
            ast::Stmt::IfCond(condition) => {
                self.expression(&condition.expr);
                self.body(&condition.true_body);
                self.body(&condition.false_body);
            }
            ast::Stmt::WithBlock(with) => {
                self.locals.push(Vec::new());
                for (target, value) in &with.assignments {
                    self.expression(value);
                    self.assign(target, None);
                }
                self.body(&with.body);
                self.locals.pop();
            }
            ast::Stmt::Set(set) => {
                self.expression(&set.expr);
                self.assign(&set.target, None);
            }
            ast::Stmt::SetBlock(set) => {
                set.filter.iter().for_each(|filter| self.expression(filter));
                self.captured(&set.body);
                self.assign(&set.target, None);
            }
            ast::Stmt::AutoEscape(escape) => {
                self.expression(&escape.enabled);
                self.body(&escape.body);
            }
            ast::Stmt::FilterBlock(filter) => {
                self.expression(&filter.filter);
                self.captured(&filter.body);
            }
            ast::Stmt::Do(call) => {
                self.expression(&call.call.expr);
                self.arguments(&call.call.args);
            }
        }
    }

    fn walk(&mut self, walk: &ast::ForLoop<'t>) {
        let over = chain(&walk.iter).and_then(|chain| {
            chain.computed.iter().for_each(|computed| self.expression(computed));
            let (task, mut path) = self.output_part(&chain)?;
            path.push(Step::Any);
            Some((task, path))
        });
        match &over {
            Some((task, _)) => {
                let span = walk.iter.span();
                self.uses(Name::Task(task.clone()), span);
                self.found.tasks.entry(task.clone()).or_default();
            }
            None => self.expression(&walk.iter),
        }
        self.locals.push(vec![("loop", None)]);
        self.assign(&walk.target, over.clone());
        if let (Some((task, path)), false) = (over, matches!(walk.target, ast::Expr::Var(_))) {
            self.found.tasks.entry(task).or_default().parts.insert(path);
        }
        walk.filter_expr.iter().for_each(|filter| self.expression(filter));
        walk.body.iter().for_each(|statement| self.statement(statement));
        self.locals.pop();
        self.body(&walk.else_body);
    }

    /// The task and the part of its output that a chain names, if it names one.
    fn output_part(&self, chain: &Chain<'t, '_>) -> Option<(String, Vec<Step>)> {
        let steps = |from: usize| chain.steps[from..].iter().map(|(step, _)| step.clone());
        if let Some((_, meaning)) = self.local(chain.root) {
            let (task, path) = meaning.clone()?;
            return Some((task, path.into_iter().chain(steps(0)).collect()));
        }
        match (chain.root, chain.steps.first(), chain.steps.get(1)) {
            ("tasks", Some((Step::Key(task), _)), Some((Step::Key(field), _))) if field == "output" => {
                Some((task.clone(), steps(2).collect()))
            }
            _ => None,
        }
    }

    /// The value of a `{{ … }}`.
    fn emit(&mut self, expression: &ast::Expr<'t>) {
        if self.purpose == Purpose::Prompt
            && self.captured == 0
            && let Some(chain) = chain(expression)
            && let Some((task, path)) = self.output_part(&chain)
        {
            chain.computed.iter().for_each(|computed| self.expression(computed));
            let span = chain.steps.last().map_or(chain.root_span, |(_, span)| *span);
            self.uses(Name::Task(task.clone()), span);
            self.found.tasks.entry(task).or_default().shown.insert(path);
        } else {
            self.expression(expression);
        }
    }

    /// Notes the outputs that become text as they are.
    fn in_text(&mut self, expression: &ast::Expr<'t>) {
        match expression {
            ast::Expr::Filter(filter) if ["raw", "default", "d"].contains(&filter.name) => {
                filter.expr.iter().for_each(|inner| self.in_text(inner));
            }
            ast::Expr::IfExpr(choice) => {
                self.in_text(&choice.true_expr);
                choice.false_expr.iter().for_each(|other| self.in_text(other));
            }
            ast::Expr::GetAttr(_) | ast::Expr::GetItem(_) => {
                let Some(chain) = chain(expression).filter(|chain| self.local(chain.root).is_none()) else {
                    return;
                };
                if let (Some((task, path)), Some((_, span))) = (self.output_part(&chain), chain.steps.last())
                {
                    let range = span.start_offset as usize..span.end_offset as usize;
                    self.found.in_text.push(InText { task, path, range });
                }
            }
            _ => {}
        }
    }

    fn arguments(&mut self, arguments: &[ast::CallArg<'t>]) {
        for argument in arguments {
            match argument {
                ast::CallArg::Pos(value)
                | ast::CallArg::Kwarg(_, value)
                | ast::CallArg::PosSplat(value)
                | ast::CallArg::KwargSplat(value) => self.expression(value),
            }
        }
    }

    fn expression(&mut self, expression: &ast::Expr<'t>) {
        if let Some(chain) = chain(expression) {
            chain.computed.iter().for_each(|computed| self.expression(computed));
            let span = chain.steps.last().map_or(chain.root_span, |(_, span)| *span);
            if self.local(chain.root).is_none() {
                self.found.chains.push(span.start_offset as usize..span.end_offset as usize);
            }
            self.names(&chain, span);
            return;
        }
        match expression {
            ast::Expr::Var(_) => {}
            ast::Expr::Const(constant) => self.constant(constant.span()),
            ast::Expr::Slice(slice) => {
                self.expression(&slice.expr);
                [&slice.start, &slice.stop, &slice.step]
                    .into_iter()
                    .flatten()
                    .for_each(|part| self.expression(part));
            }
            ast::Expr::UnaryOp(operation) => self.expression(&operation.expr),
            ast::Expr::BinOp(operation) => {
                if matches!(operation.op, ast::BinOpKind::Concat) {
                    self.in_text(&operation.left);
                    self.in_text(&operation.right);
                }
                self.expression(&operation.left);
                self.expression(&operation.right);
            }
            ast::Expr::Compare(compare) => {
                self.expression(&compare.expr);
                compare.ops.iter().for_each(|operation| self.expression(&operation.expr));
            }
            ast::Expr::IfExpr(choice) => {
                self.expression(&choice.test_expr);
                self.expression(&choice.true_expr);
                choice.false_expr.iter().for_each(|other| self.expression(other));
            }
            ast::Expr::Filter(filter) => self.filter(filter, filter.span()),
            ast::Expr::Test(test) => {
                self.known(test.name, "test", &TESTS, test.span());
                let asks_for_it = ["defined", "undefined"].contains(&test.name);
                self.may_be_missing(asks_for_it, |reader| reader.expression(&test.expr));
                self.arguments(&test.args);
            }
            ast::Expr::GetAttr(get) => self.expression(&get.expr),
            ast::Expr::GetItem(get) => {
                self.expression(&get.expr);
                self.expression(&get.subscript_expr);
            }
            ast::Expr::Call(call) => {
                match &call.expr {
                    ast::Expr::GetAttr(method) => self.expression(&method.expr),
                    other => self.expression(other),
                }
                self.arguments(&call.args);
            }
            ast::Expr::List(list) => list.items.iter().for_each(|item| self.expression(item)),
            ast::Expr::Tuple(tuple) => tuple.items.iter().for_each(|item| self.expression(item)),
            ast::Expr::Map(map) => {
                map.keys.iter().chain(&map.values).for_each(|part| self.expression(part));
            }
        }
    }

    fn filter(&mut self, filter: &ast::Filter<'t>, span: Span) {
        self.known(filter.name, "filter", &FILTERS, span);
        if filter.name == "string" {
            filter.expr.iter().for_each(|inner| self.in_text(inner));
        }
        let stands_in = ["default", "d"].contains(&filter.name);
        self.may_be_missing(stands_in, |reader| {
            filter.expr.iter().for_each(|inner| reader.expression(inner));
        });
        self.arguments(&filter.args);
    }

    /// Reads what need not be there, where that is said.
    fn may_be_missing(&mut self, may: bool, read: impl FnOnce(&mut Self)) {
        let before = self.found.chains.len();
        read(self);
        if may {
            self.found.chains.truncate(before);
        }
    }

    fn known(&mut self, name: &str, what: &str, all: &[&str], span: Span) {
        if !all.contains(&name) {
            let hint = nearest(name, all.iter().copied()).map(|near| format!("did you mean `{near}`?"));
            let hint =
                hint.or_else(|| Some(format!("the {what}s are those of Jinja that give the same each time")));
            self.problem(span, format!("there is no {what} `{name}`"), hint);
        }
    }

    /// Notes what a chain names, as content that is needed.
    fn names(&mut self, chain: &Chain<'t, '_>, span: Span) {
        if let Some((task, path)) = self.output_part(chain) {
            self.uses(Name::Task(task.clone()), span);
            self.found.tasks.entry(task).or_default().parts.insert(path);
            return;
        }
        if self.local(chain.root).is_some() || FUNCTIONS.contains(&chain.root) {
            return;
        }
        let first = chain.steps.first().map(|(step, span)| (step.clone(), *span));
        match (chain.root, first) {
            ("inputs", Some((Step::Key(name), span))) => {
                self.uses(Name::Input(name.clone()), span);
                self.found.inputs.insert(name);
            }
            ("inputs", _) => self.found.every_input = true,
            ("tasks", Some((Step::Key(task), _))) => self.task(&task, chain, span),
            ("tasks", _) => {
                let hint = "write the name itself, as in `tasks.build.output`: what a task depends on must be known beforehand";
                self.problem(span, "`tasks` needs the name of a task".into(), Some(hint.into()));
            }
            ("plan", Some((Step::Key(field), _))) if field == "dir" => self.found.plan_dir = true,
            ("run", Some((Step::Key(field), _))) if field == "id" => self.found.run_id = true,
            ("plan", _) => self.problem(span, "of `plan` there is only `plan.dir`".into(), None),
            ("run", _) => self.problem(span, "of `run` there is only `run.id`".into(), None),
            ("item", _) => {
                self.found.item = true;
                self.uses(Name::Item, chain.root_span);
            }
            ("index", _) => {
                self.found.index = true;
                self.uses(Name::Index, chain.root_span);
            }
            ("attempt", _) => {
                self.found.attempt = true;
                self.uses(Name::Attempt, chain.root_span);
            }
            ("feedback", _) => {
                self.found.feedback = true;
                self.uses(Name::Feedback, chain.root_span);
            }
            ("data", _) => {
                self.found.data = true;
                self.uses(Name::Data, chain.root_span);
            }
            (unknown, _) => self.unknown(unknown, chain.root_span),
        }
    }

    /// `tasks.NAME` with something other than its output, or with nothing.
    fn task(&mut self, task: &str, chain: &Chain<'t, '_>, span: Span) {
        let place = chain.steps.get(1).or(chain.steps.first()).map_or(span, |(_, span)| *span);
        self.uses(Name::Task(task.to_owned()), place);
        let used = self.found.tasks.entry(task.to_owned()).or_default();
        match chain.steps.get(1) {
            Some((Step::Key(field), _)) if field == "state" => used.state = true,
            None => {
                used.state = true;
                used.parts.insert(Vec::new());
            }
            Some((step, span)) => {
                let field = if let Step::Key(field) = step { field.as_str() } else { "…" };
                let hint =
                    format!("parts of what it gave are behind `output`: `tasks.{task}.output.{field}`");
                let message = format!("of a task there are `output` and `state`, not `{field}`");
                self.problem(*span, message, Some(hint));
            }
        }
    }

    fn unknown(&mut self, name: &str, span: Span) {
        if name.eq_ignore_ascii_case("null") || name == "nil" {
            let hint = "Jinja calls it `none`; in a text it is empty, and `is none` asks for it";
            self.problem(span, format!("there is no variable `{name}`"), Some(hint.into()));
            return;
        }
        let all = VARIABLES.iter().chain(&FUNCTIONS).copied();
        let hint = nearest(name, all).map(|near| format!("did you mean `{near}`?"));
        let hint = hint.unwrap_or_else(|| format!("templates see {}", VARIABLES.join(", ")));
        self.problem(span, format!("there is no variable `{name}`"), Some(hint));
    }
}
