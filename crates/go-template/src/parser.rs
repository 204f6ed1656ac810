//! Reads a Go template into nodes, with every rule that Go checks before it runs one.

use std::collections::HashMap;

use crate::Error;
use crate::lexer::{Kind, Piece, Token, pieces, syntax};
use crate::node::{Branch, Command, List, Node, Operand, Pipeline, any_field};

/// How deep blocks and parentheses may nest.
const MAX_NESTING: usize = 100;

/// A template and all that are defined in it.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) root: List,
    pub(super) named: HashMap<String, List>,
}

pub(super) fn parse(source: &str) -> Result<Parsed, Error> {
    let mut parser = Parser {
        pieces: pieces(source)?.into_iter(),
        named: HashMap::new(),
        variables: vec!["$".to_owned()],
        loops: 0,
        nesting: 0,
    };
    let (root, end) = parser.list(true)?;
    match end {
        End::File => Ok(Parsed { root, named: parser.named }),
        End::Closed(line) => Err(syntax(line, "`end` without a beginning")),
        End::Else { line, .. } => Err(syntax(line, "`else` without a beginning")),
    }
}

struct Parser<'a> {
    pieces: std::vec::IntoIter<Piece<'a>>,
    named: HashMap<String, List>,
    /// The variables that are known here.
    variables: Vec<String>,
    /// How many loops are around.
    loops: usize,
    nesting: usize,
}

/// What ended a list of nodes.
enum End {
    File,
    Closed(usize),
    Else {
        line: usize,
        /// What stands behind `else`.
        rest: Vec<Token>,
    },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Structure {
    If,
    With,
    Range,
}

impl Parser<'_> {
    fn nested<T>(&mut self, line: usize, read: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        if self.nesting == MAX_NESTING {
            return Err(syntax(line, "it nests too deep"));
        }
        self.nesting += 1;
        let result = read(self);
        self.nesting -= 1;
        result
    }

    fn list(&mut self, at_top: bool) -> Result<(List, End), Error> {
        let mut list = List::new();
        while let Some(piece) = self.pieces.next() {
            let (tokens, line) = match piece {
                Piece::Text(text) => {
                    list.push(Node::Text(text.to_owned()));
                    continue;
                }
                Piece::Action { tokens, line } => (tokens, line),
            };
            let Some(Kind::Word(word)) = tokens.first().map(|token| token.kind.clone()) else {
                list.push(self.action(&tokens, line)?);
                continue;
            };
            let rest = &tokens[1..];
            match word.as_str() {
                "end" if rest.is_empty() => return Ok((list, End::Closed(line))),
                "else" => return Ok((list, End::Else { line, rest: rest.to_vec() })),
                "if" => list.push(self.structure(Structure::If, rest, line)?),
                "with" => list.push(self.structure(Structure::With, rest, line)?),
                "range" => list.push(self.structure(Structure::Range, rest, line)?),
                "break" | "continue" if rest.is_empty() => {
                    if self.loops == 0 {
                        return Err(syntax(line, &format!("`{word}` outside of a loop")));
                    }
                    list.push(if word == "break" { Node::Break } else { Node::Continue });
                }
                "template" => list.push(self.template(rest, line)?),
                "block" => list.push(self.block(rest, line)?),
                "define" if at_top => self.define(rest, line)?,
                "define" => return Err(syntax(line, "`define` inside of another structure")),
                "end" | "break" | "continue" => return Err(syntax(line, &format!("`{word}` takes nothing"))),
                _ => list.push(self.action(&tokens, line)?),
            }
        }
        Ok((list, End::File))
    }

    fn action(&mut self, tokens: &[Token], line: usize) -> Result<Node, Error> {
        let pipeline = self.pipeline(tokens, line, false)?;
        Ok(Node::Action(pipeline))
    }

    fn structure(&mut self, structure: Structure, tokens: &[Token], line: usize) -> Result<Node, Error> {
        self.nested(line, |parser| {
            let known = parser.variables.len();
            let is_range = structure == Structure::Range;
            let pipeline = parser.pipeline(tokens, line, is_range)?;
            parser.loops += usize::from(is_range);
            let body = parser.list(false);
            parser.loops -= usize::from(is_range);
            let (then, end) = body?;
            let otherwise = match end {
                End::Closed(_) => List::new(),
                End::File => return Err(syntax(line, "a structure does not end")),
                End::Else { line, rest } => parser.otherwise(structure, &rest, line)?,
            };
            parser.variables.truncate(known);
            let branch = Branch { pipeline, then, otherwise };
            Ok(match structure {
                Structure::If => Node::If(branch),
                Structure::With => Node::With(branch),
                Structure::Range => Node::Range(branch),
            })
        })
    }

    /// `else`, or `else if`, which is an `if` of its own that shares the `end`.
    fn otherwise(&mut self, structure: Structure, rest: &[Token], line: usize) -> Result<List, Error> {
        let Some(first) = rest.first() else {
            let (otherwise, end) = self.list(false)?;
            return match end {
                End::Closed(_) => Ok(otherwise),
                End::File => Err(syntax(line, "a structure does not end")),
                End::Else { line, .. } => Err(syntax(line, "a second `else`")),
            };
        };
        let next = match (&first.kind, structure) {
            (Kind::Word(word), Structure::If) if word == "if" => Structure::If,
            (Kind::Word(word), Structure::With) if word == "with" => Structure::With,
            _ => return Err(syntax(line, "`else` takes nothing here")),
        };
        Ok(vec![self.structure(next, &rest[1..], line)?])
    }

    fn template(&mut self, tokens: &[Token], line: usize) -> Result<Node, Error> {
        let (name, rest) = name(tokens, line)?;
        let argument = if rest.is_empty() { None } else { Some(self.pipeline(rest, line, false)?) };
        Ok(Node::Template { name, argument })
    }

    fn define(&mut self, tokens: &[Token], line: usize) -> Result<(), Error> {
        let (name, rest) = name(tokens, line)?;
        if !rest.is_empty() {
            return Err(syntax(line, "`define` takes a name only"));
        }
        self.body_of(name, line)
    }

    /// A `define` and a `template` in one.
    fn block(&mut self, tokens: &[Token], line: usize) -> Result<Node, Error> {
        let (name, rest) = name(tokens, line)?;
        let argument = Some(self.pipeline(rest, line, false)?);
        self.body_of(name.clone(), line)?;
        Ok(Node::Template { name, argument })
    }

    fn body_of(&mut self, name: String, line: usize) -> Result<(), Error> {
        self.nested(line, |parser| {
            let outer = std::mem::replace(&mut parser.variables, vec!["$".to_owned()]);
            let loops = std::mem::take(&mut parser.loops);
            let (list, end) = parser.list(false)?;
            parser.variables = outer;
            parser.loops = loops;
            if !matches!(end, End::Closed(_)) {
                return Err(syntax(line, "a definition does not end"));
            }
            // As in Go, a definition of white space alone does not replace another.
            let is_empty = list.iter().all(|node| matches!(node, Node::Text(text) if text.trim().is_empty()));
            if !is_empty || !parser.named.contains_key(&name) {
                parser.named.insert(name, list);
            }
            Ok(())
        })
    }

    fn pipeline(&mut self, tokens: &[Token], line: usize, is_range: bool) -> Result<Pipeline, Error> {
        let mut cursor = Cursor { tokens, position: 0, line };
        let pipeline = self.commands(&mut cursor, is_range)?;
        match cursor.peek() {
            None => Ok(pipeline),
            Some(_) => Err(syntax(line, "unexpected `)`")),
        }
    }

    /// A pipeline up to its end or to a closing parenthesis.
    fn commands(&mut self, cursor: &mut Cursor<'_>, is_range: bool) -> Result<Pipeline, Error> {
        let line = cursor.line;
        let (variables, declares) = declaration(cursor, is_range)?;
        let mut commands = Vec::new();
        loop {
            let command = self.command(cursor)?;
            if !commands.is_empty() && !command.first.can_take_an_argument() {
                return Err(syntax(line, "a constant takes no argument from a pipeline"));
            }
            commands.push(command);
            match cursor.peek().map(|token| &token.kind) {
                Some(Kind::Pipe) => cursor.position += 1,
                _ => break,
            }
        }
        // A variable is not known in its own value.
        if declares {
            self.variables.extend(variables.iter().cloned());
        } else if let Some(unknown) = variables.iter().find(|name| !self.variables.contains(name)) {
            return Err(syntax(line, &format!("the variable {unknown} is not known")));
        }
        Ok(Pipeline { variables, declares, commands })
    }

    fn command(&mut self, cursor: &mut Cursor<'_>) -> Result<Command, Error> {
        let line = cursor.line;
        let mut operands = Vec::new();
        while let Some(token) = cursor.peek() {
            match &token.kind {
                Kind::Pipe | Kind::Close => break,
                Kind::Comma | Kind::Declare | Kind::Assign => {
                    return Err(syntax(line, "unexpected token in an action"));
                }
                _ if token.glued && !operands.is_empty() => {
                    return Err(syntax(line, "arguments must be apart"));
                }
                _ => operands.push(self.operand(cursor)?),
            }
        }
        let mut operands = operands.into_iter();
        let first = operands.next().ok_or_else(|| syntax(line, "a command is missing"))?;
        let arguments: Vec<Operand> = operands.collect();
        let constant = matches!(first, Operand::Bool(_) | Operand::Int(_) | Operand::Float(_) | Operand::Text(_));
        if matches!(first, Operand::Nil) {
            return Err(syntax(line, "nil is not a command"));
        }
        if constant && !arguments.is_empty() {
            return Err(syntax(line, "a constant takes no arguments"));
        }
        Ok(Command { first, arguments })
    }

    fn operand(&mut self, cursor: &mut Cursor<'_>) -> Result<Operand, Error> {
        let line = cursor.line;
        let Some(token) = cursor.next() else { return Err(syntax(line, "an operand is missing")) };
        Ok(match &token.kind {
            Kind::Dot => Operand::Dot,
            Kind::Int(value) => Operand::Int(*value),
            Kind::Float(value) => Operand::Float(*value),
            Kind::Text(text) => Operand::Text(text.clone()),
            Kind::Field(name) => {
                let mut path = vec![name.clone()];
                path.extend(cursor.glued_fields());
                Operand::Field(path)
            }
            Kind::Variable(name) => {
                if !self.variables.contains(name) {
                    return Err(syntax(line, &format!("the variable {name} is not known")));
                }
                Operand::Variable { name: name.clone(), fields: cursor.glued_fields() }
            }
            Kind::Open => {
                let pipeline = self.nested(line, |parser| parser.commands(cursor, false))?;
                if cursor.next().is_none() {
                    return Err(syntax(line, "a parenthesis does not close"));
                }
                Operand::Nested { pipeline: Box::new(pipeline), fields: cursor.glued_fields() }
            }
            Kind::Word(word) => match word.as_str() {
                "true" => Operand::Bool(true),
                "false" => Operand::Bool(false),
                "nil" => Operand::Nil,
                name if crate::functions::exists(name) => Operand::Function(name.to_owned()),
                name => return Err(syntax(line, &format!("the function {name} is not known"))),
            },
            Kind::Pipe | Kind::Close | Kind::Comma | Kind::Declare | Kind::Assign => {
                return Err(syntax(line, "unexpected token in an action"));
            }
        })
    }
}

impl Operand {
    const fn can_take_an_argument(&self) -> bool {
        !matches!(self, Self::Dot | Self::Nil | Self::Bool(_) | Self::Int(_) | Self::Float(_) | Self::Text(_))
    }
}

/// A name in quotes, and what follows.
fn name(tokens: &[Token], line: usize) -> Result<(String, &[Token]), Error> {
    match tokens.split_first() {
        Some((Token { kind: Kind::Text(name), .. }, rest)) => Ok((name.clone(), rest)),
        _ => Err(syntax(line, "the name of a template must be a string")),
    }
}

/// The variables before `:=` or `=`; and whether they are new.
fn declaration(cursor: &mut Cursor<'_>, is_range: bool) -> Result<(Vec<String>, bool), Error> {
    let line = cursor.line;
    let kind = |offset: usize| cursor.tokens.get(cursor.position + offset).map(|token| &token.kind);
    let Some(Kind::Variable(first)) = kind(0) else { return Ok((Vec::new(), false)) };
    let mut variables = vec![first.clone()];
    let mut length = 1;
    if kind(1) == Some(&Kind::Comma) {
        let Some(Kind::Variable(second)) = kind(2).filter(|_| is_range) else {
            return Err(syntax(line, "only a loop has two variables"));
        };
        variables.push(second.clone());
        length = 3;
    }
    let declares = match kind(length) {
        Some(Kind::Declare) => true,
        Some(Kind::Assign) => false,
        _ if length == 1 => return Ok((Vec::new(), false)),
        _ => return Err(syntax(line, "a declaration has no value")),
    };
    cursor.position += length + 1;
    Ok((variables, declares))
}

struct Cursor<'t> {
    tokens: &'t [Token],
    position: usize,
    line: usize,
}

impl<'t> Cursor<'t> {
    fn peek(&self) -> Option<&'t Token> {
        self.tokens.get(self.position)
    }

    fn next(&mut self) -> Option<&'t Token> {
        let token = self.peek();
        self.position += usize::from(token.is_some());
        token
    }

    /// `.A.B` right behind an operand.
    fn glued_fields(&mut self) -> Vec<String> {
        let mut fields = Vec::new();
        while let Some(Token { kind: Kind::Field(name), glued: true }) = self.peek() {
            fields.push(name.clone());
            self.position += 1;
        }
        fields
    }
}

impl Parsed {
    /// Whether any pipeline looks at such a path.
    pub(super) fn any_field(&self, mut wanted: impl FnMut(&[String]) -> bool) -> bool {
        std::iter::once(&self.root).chain(self.named.values()).any(|list| any_field(list, &mut wanted))
    }
}
