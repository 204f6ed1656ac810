//! Runs a Go template over data, within limits on steps, depth and output.

use crate::functions;
use crate::node::{Branch, Command, List, Node, Operand, Pipeline};
use crate::value::Value;
use crate::{Error, Limits, Template, clip};

/// How deep blocks, parentheses and calls of templates may nest while it runs.
const MAX_DEPTH: usize = 200;

/// Where to go on after a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    Next,
    Break,
    Continue,
    /// Nothing behind this is written.
    Cut,
}

/// One run, or several that write one text and share one purse.
#[derive(Debug)]
pub struct Run<'t> {
    template: &'t Template,
    limits: Limits,
    output: String,
    fuel: u64,
    depth: usize,
    variables: Vec<(&'t str, Value)>,
    today: String,
    /// Stop behind the first action that writes this field.
    cut_behind: Option<&'static str>,
}

fn fail(detail: &str) -> Error {
    Error::Run { detail: clip(detail) }
}

impl<'t> Run<'t> {
    /// `today` is what `currentDate` writes.
    pub fn new(template: &'t Template, limits: Limits, today: String) -> Self {
        Self {
            template,
            limits,
            output: String::new(),
            fuel: limits.fuel,
            depth: 0,
            variables: Vec::new(),
            today,
            cut_behind: None,
        }
    }

    pub fn into_output(self) -> String {
        self.output
    }

    /// Writes text that is in no template.
    pub fn push(&mut self, text: &str) -> Result<(), Error> {
        if self.output.len() + text.len() > self.limits.output_bytes {
            return Err(Error::OutputTooLong);
        }
        self.pay_for_bytes(text.len())?;
        self.output.push_str(text);
        Ok(())
    }

    /// Writes what the template makes of `data`: all of it, or what comes up to and with the first field of the name
    /// `cut_behind` that is written.
    pub fn execute(&mut self, data: &Value, cut_behind: Option<&'static str>) -> Result<(), Error> {
        self.cut_behind = cut_behind;
        self.variables = vec![("$", data.clone())];
        let template = self.template;
        self.list(&template.parsed.root, data).map(drop)
    }

    fn pay(&mut self, fuel: u64) -> Result<(), Error> {
        self.fuel = self.fuel.checked_sub(fuel).ok_or(Error::TooCostly)?;
        Ok(())
    }

    fn pay_for_bytes(&mut self, bytes: usize) -> Result<(), Error> {
        self.pay(u64::try_from(bytes).unwrap_or(u64::MAX) / self.limits.bytes_per_fuel.max(1))
    }

    fn deeper<T>(&mut self, run: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        if self.depth == MAX_DEPTH {
            return Err(fail("it nests too deep"));
        }
        self.depth += 1;
        let result = run(self);
        self.depth -= 1;
        result
    }

    fn list(&mut self, list: &'t List, dot: &Value) -> Result<Flow, Error> {
        for node in list {
            self.pay(1)?;
            let flow = match node {
                Node::Text(text) => {
                    self.push(text)?;
                    Flow::Next
                }
                Node::Action(pipeline) => {
                    let value = self.pipeline(pipeline, dot)?;
                    if pipeline.variables.is_empty() {
                        self.write(&value)?;
                    }
                    if self.cuts_behind(pipeline) { Flow::Cut } else { Flow::Next }
                }
                Node::If(branch) => self.choose(branch, dot, false)?,
                Node::With(branch) => self.choose(branch, dot, true)?,
                Node::Range(branch) => self.range(branch, dot)?,
                Node::Template { name, argument } => self.template(name, argument.as_ref(), dot)?,
                Node::Break => Flow::Break,
                Node::Continue => Flow::Continue,
            };
            if flow != Flow::Next {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    fn cuts_behind(&self, pipeline: &Pipeline) -> bool {
        self.cut_behind.is_some_and(|name| {
            pipeline.variables.is_empty()
                && pipeline.looks_at(&mut |path| path.first().is_some_and(|first| first == name))
        })
    }

    fn write(&mut self, value: &Value) -> Result<(), Error> {
        if let Value::Text(text) = value {
            return self.push(text);
        }
        // What is about to be written twice, here and into the output.
        self.pay_for_bytes(value.weight())?;
        let mut text = String::new();
        value.write(&mut text);
        self.push(&text)
    }

    fn choose(&mut self, branch: &'t Branch, dot: &Value, sets_dot: bool) -> Result<Flow, Error> {
        let known = self.variables.len();
        let value = self.pipeline(&branch.pipeline, dot)?;
        let flow = self.deeper(|run| match (value.is_true(), sets_dot) {
            (true, true) => run.list(&branch.then, &value),
            (true, false) => run.list(&branch.then, dot),
            (false, _) => run.list(&branch.otherwise, dot),
        })?;
        self.variables.truncate(known);
        Ok(flow)
    }

    fn range(&mut self, branch: &'t Branch, dot: &Value) -> Result<Flow, Error> {
        let known = self.variables.len();
        let value = self.pipeline(&branch.pipeline, dot)?;
        let flow = self.deeper(|run| run.turns(branch, dot, &value))?;
        self.variables.truncate(known);
        Ok(flow)
    }

    fn turns(&mut self, branch: &'t Branch, dot: &Value, value: &Value) -> Result<Flow, Error> {
        let mut has_run = false;
        let mut turn = |run: &mut Self, key: Value, element: &Value| {
            has_run = true;
            run.turn(branch, key, element)
        };
        let int = |index: usize| Value::Int(i64::try_from(index).unwrap_or(i64::MAX));
        let mut flow = Flow::Next;
        match value {
            Value::Missing => {}
            Value::List(items) => {
                for (index, element) in items.as_slice().iter().enumerate() {
                    flow = turn(self, int(index), element)?;
                    if matches!(flow, Flow::Break | Flow::Cut) {
                        break;
                    }
                }
            }
            Value::Object(object) => {
                let mut keys: Vec<&String> = object.entries.keys().collect();
                self.pay(u64::try_from(keys.len()).unwrap_or(u64::MAX))?;
                keys.sort_unstable();
                for key in keys {
                    let element = object.entries.get(key).unwrap_or(&Value::Missing);
                    flow = turn(self, Value::text(key.as_str()), element)?;
                    if matches!(flow, Flow::Break | Flow::Cut) {
                        break;
                    }
                }
            }
            Value::Int(count) => {
                for index in 0..*count {
                    flow = turn(self, Value::Int(index), &Value::Int(index))?;
                    if matches!(flow, Flow::Break | Flow::Cut) {
                        break;
                    }
                }
            }
            value => return Err(fail(&format!("range cannot go over {}", value.type_name()))),
        }
        if flow == Flow::Cut {
            return Ok(flow);
        }
        if has_run { Ok(Flow::Next) } else { self.list(&branch.otherwise, dot) }
    }

    fn turn(&mut self, branch: &'t Branch, key: Value, element: &Value) -> Result<Flow, Error> {
        self.pay(1)?;
        let known = self.variables.len();
        let values = match branch.pipeline.variables.len() {
            0 => Vec::new(),
            1 => vec![element.clone()],
            _ => vec![key, element.clone()],
        };
        for (name, value) in branch.pipeline.variables.iter().zip(values) {
            self.set(name, value, branch.pipeline.declares)?;
        }
        let flow = self.list(&branch.then, element)?;
        self.variables.truncate(known);
        Ok(flow)
    }

    fn template(&mut self, name: &str, argument: Option<&'t Pipeline>, dot: &Value) -> Result<Flow, Error> {
        let template = self.template;
        let list =
            template.parsed.named.get(name).ok_or_else(|| fail(&format!("the template {name:?} is not defined")))?;
        let known = self.variables.len();
        let data = match argument {
            Some(argument) => self.pipeline(argument, dot)?,
            None => Value::Missing,
        };
        self.variables.truncate(known);
        let outer = std::mem::replace(&mut self.variables, vec![("$", data.clone())]);
        let flow = self.deeper(|run| run.list(list, &data))?;
        self.variables = outer;
        Ok(flow)
    }

    fn set(&mut self, name: &'t str, value: Value, declares: bool) -> Result<(), Error> {
        if declares {
            self.variables.push((name, value));
            return Ok(());
        }
        let variable = self.variables.iter_mut().rev().find(|(known, _)| *known == name);
        let (_, known) = variable.ok_or_else(|| fail(&format!("the variable {name} is not known")))?;
        *known = value;
        Ok(())
    }

    fn pipeline(&mut self, pipeline: &'t Pipeline, dot: &Value) -> Result<Value, Error> {
        let mut value = None;
        for command in &pipeline.commands {
            self.pay(1)?;
            value = Some(self.command(command, dot, value)?);
        }
        let value = value.unwrap_or(Value::Missing);
        for name in &pipeline.variables {
            self.set(name, value.clone(), pipeline.declares)?;
        }
        Ok(value)
    }

    fn command(&mut self, command: &'t Command, dot: &Value, last: Option<Value>) -> Result<Value, Error> {
        let Operand::Function(name) = &command.first else {
            if !command.arguments.is_empty() || last.is_some() {
                return Err(fail("only functions take arguments"));
            }
            return self.operand(&command.first, dot);
        };
        if matches!(name.as_str(), "and" | "or") {
            return self.connective(name == "and", &command.arguments, dot, last);
        }
        let mut arguments = Vec::with_capacity(command.arguments.len() + 1);
        for argument in &command.arguments {
            arguments.push(self.operand(argument, dot)?);
        }
        arguments.extend(last);
        self.call(name, &arguments)
    }

    /// `and` gives the first argument that is false, `or` the first that is true, and either the last otherwise.
    fn connective(
        &mut self,
        is_and: bool,
        arguments: &'t [Operand],
        dot: &Value,
        last: Option<Value>,
    ) -> Result<Value, Error> {
        let mut result = None;
        for argument in arguments {
            let value = self.operand(argument, dot)?;
            if value.is_true() != is_and {
                return Ok(value);
            }
            result = Some(value);
        }
        last.or(result).ok_or_else(|| fail("and and or need arguments"))
    }

    fn call(&mut self, name: &str, arguments: &[Value]) -> Result<Value, Error> {
        self.pay_for_bytes(functions::cost(name, arguments))?;
        let value =
            functions::call(name, arguments, &self.today, self.limits.output_bytes).map_err(|detail| fail(&detail))?;
        match &value {
            Value::Text(text) if text.len() > self.limits.output_bytes => Err(Error::OutputTooLong),
            Value::Text(text) => {
                self.pay_for_bytes(text.len())?;
                Ok(value)
            }
            _ => Ok(value),
        }
    }

    fn operand(&mut self, operand: &'t Operand, dot: &Value) -> Result<Value, Error> {
        self.pay(1)?;
        Ok(match operand {
            Operand::Dot => dot.clone(),
            Operand::Nil => Value::Missing,
            Operand::Bool(value) => Value::Bool(*value),
            Operand::Int(value) => Value::Int(*value),
            Operand::Float(value) => Value::Float(*value),
            Operand::Text(text) => {
                self.pay_for_bytes(text.len())?;
                Value::text(text.as_str())
            }
            Operand::Field(path) => fields(dot, path),
            Operand::Variable { name, fields: path } => {
                let known = self.variables.iter().rev().find(|(known, _)| known == name);
                let (_, value) = known.ok_or_else(|| fail(&format!("the variable {name} is not known")))?;
                fields(value, path)
            }
            Operand::Function(name) => self.call(name, &[])?,
            Operand::Nested { pipeline, fields: path } => {
                let known = self.variables.len();
                let value = self.deeper(|run| run.pipeline(pipeline, dot))?;
                self.variables.truncate(known);
                fields(&value, path)
            }
        })
    }
}

fn fields(value: &Value, path: &[String]) -> Value {
    path.iter().fold(value.clone(), |value, name| value.field(name))
}
