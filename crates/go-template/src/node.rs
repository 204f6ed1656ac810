//! What a Go template is once it has been read: text, actions and the structures that choose among them.

/// A sequence of nodes.
pub(super) type List = Vec<Node>;

#[derive(Debug)]
pub(super) enum Node {
    Text(String),
    Action(Pipeline),
    If(Branch),
    With(Branch),
    Range(Branch),
    Template { name: String, argument: Option<Pipeline> },
    Break,
    Continue,
}

#[derive(Debug)]
pub(super) struct Branch {
    pub(super) pipeline: Pipeline,
    pub(super) then: List,
    pub(super) otherwise: List,
}

/// Commands, each of which gets the result of the one before as its last argument.
#[derive(Debug)]
pub(super) struct Pipeline {
    /// The variables that take the result, with their `$`.
    pub(super) variables: Vec<String>,
    /// The variables are new; otherwise they have been declared before.
    pub(super) declares: bool,
    pub(super) commands: Vec<Command>,
}

/// A value, or a function and its arguments. There is always a first operand.
#[derive(Debug)]
pub(super) struct Command {
    pub(super) first: Operand,
    pub(super) arguments: Vec<Operand>,
}

#[derive(Debug)]
pub(super) enum Operand {
    Dot,
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    /// `.A.B`, of the dot.
    Field(Vec<String>),
    /// `$x.A.B`
    Variable {
        name: String,
        fields: Vec<String>,
    },
    Function(String),
    /// `( … ).A.B`
    Nested {
        pipeline: Box<Pipeline>,
        fields: Vec<String>,
    },
}

impl Pipeline {
    /// Whether `wanted` holds for the path of a field of the data that this looks at.
    pub(super) fn looks_at(&self, wanted: &mut impl FnMut(&[String]) -> bool) -> bool {
        self.commands.iter().any(|command| {
            std::iter::once(&command.first).chain(&command.arguments).any(|operand| operand.looks_at(wanted))
        })
    }
}

impl Operand {
    fn looks_at(&self, wanted: &mut impl FnMut(&[String]) -> bool) -> bool {
        match self {
            Self::Field(path) | Self::Variable { fields: path, .. } => wanted(path),
            Self::Nested { pipeline, fields } => wanted(fields) || pipeline.looks_at(wanted),
            _ => false,
        }
    }
}

/// Whether any pipeline in `list` looks at such a path.
pub(super) fn any_field(list: &List, wanted: &mut impl FnMut(&[String]) -> bool) -> bool {
    list.iter().any(|node| match node {
        Node::Text(_) | Node::Break | Node::Continue => false,
        Node::Action(pipeline) => pipeline.looks_at(wanted),
        Node::If(branch) | Node::With(branch) | Node::Range(branch) => {
            branch.pipeline.looks_at(wanted) || any_field(&branch.then, wanted) || any_field(&branch.otherwise, wanted)
        }
        Node::Template { argument, .. } => argument.as_ref().is_some_and(|argument| argument.looks_at(wanted)),
    })
}
