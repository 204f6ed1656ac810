//! Cuts a Go template into text and actions, and actions into tokens.

use crate::Error;
use crate::literal;

/// A piece of a template.
#[derive(Debug)]
pub(super) enum Piece<'a> {
    Text(&'a str),
    /// The tokens between the braces, and the line the action begins in.
    Action {
        tokens: Vec<Token>,
        line: usize,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// No white space stands before it.
    pub(super) glued: bool,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    /// The name of a function, or a keyword.
    Word(String),
    /// `.Name`
    Field(String),
    /// `$` or `$name`
    Variable(String),
    Dot,
    Int(i64),
    Float(f64),
    Text(String),
    Pipe,
    Open,
    Close,
    Comma,
    Declare,
    Assign,
}

/// The space that Go's trim marks take away.
const SPACE: [char; 4] = [' ', '\t', '\r', '\n'];

pub(super) fn syntax(line: usize, detail: &str) -> Error {
    Error::Syntax { line, detail: crate::clip(detail) }
}

/// All pieces of `source`, with comments gone and trimmed space taken away.
pub(super) fn pieces(source: &str) -> Result<Vec<Piece<'_>>, Error> {
    let mut pieces = Vec::new();
    let mut rest = source;
    let mut line = 1;
    let mut trim_start = false;
    loop {
        let (text, action) = rest.split_once("{{").map_or((rest, None), |(text, action)| (text, Some(action)));
        let trims_before =
            action.is_some_and(|action| action.strip_prefix('-').is_some_and(|after| after.starts_with(SPACE)));
        let mut shown = if trim_start { text.trim_start_matches(SPACE) } else { text };
        if trims_before {
            shown = shown.trim_end_matches(SPACE);
        }
        if !shown.is_empty() {
            pieces.push(Piece::Text(shown));
        }
        line += lines(text);
        let Some(action) = action else { return Ok(pieces) };
        let inside = if trims_before { &action[1..] } else { action };
        let Inside { tokens, length, trims_after } = inside_action(inside, line)?;
        line += lines(&inside[..length]);
        if let Some(tokens) = tokens {
            pieces.push(Piece::Action { tokens, line });
        }
        rest = &inside[length..];
        trim_start = trims_after;
    }
}

fn lines(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'\n').count()
}

struct Inside {
    /// `None` for a comment.
    tokens: Option<Vec<Token>>,
    /// Bytes up to behind the closing braces.
    length: usize,
    trims_after: bool,
}

/// Bytes of the closing braces at the beginning of `rest`, with the trim mark; and whether there is one.
fn closing(rest: &str) -> Option<(usize, bool)> {
    if rest.starts_with("}}") {
        return Some((2, false));
    }
    let trimmed = rest.strip_prefix(SPACE)?.strip_prefix("-}}")?;
    Some((rest.len() - trimmed.len(), true))
}

fn inside_action(inside: &str, mut line: usize) -> Result<Inside, Error> {
    if let Some(comment) = inside.trim_start_matches(SPACE).strip_prefix("/*") {
        let (_, after) = comment.split_once("*/").ok_or_else(|| syntax(line, "a comment does not end"))?;
        let (bytes, trims_after) = closing(after).ok_or_else(|| syntax(line, "a comment must end its action"))?;
        return Ok(Inside { tokens: None, length: inside.len() - after.len() + bytes, trims_after });
    }
    let mut tokens = Vec::new();
    let mut rest = inside;
    let mut glued = false;
    loop {
        if let Some((bytes, trims_after)) = closing(rest) {
            return Ok(Inside { tokens: Some(tokens), length: inside.len() - rest.len() + bytes, trims_after });
        }
        let Some(first) = rest.chars().next() else { return Err(syntax(line, "an action does not end")) };
        if SPACE.contains(&first) {
            line += usize::from(first == '\n');
            rest = &rest[1..];
            glued = false;
            continue;
        }
        let (kind, length) = token(rest, first).map_err(|detail| syntax(line, &detail))?;
        tokens.push(Token { kind, glued });
        rest = &rest[length..];
        glued = true;
    }
}

/// The token at the beginning of `rest` and its length in bytes.
fn token(rest: &str, first: char) -> Result<(Kind, usize), String> {
    let second = rest[first.len_utf8()..].chars().next();
    let is_digit = |character: Option<char>| character.is_some_and(|character| character.is_ascii_digit());
    let simple = |kind| Ok((kind, 1));
    match first {
        '|' => simple(Kind::Pipe),
        '(' => simple(Kind::Open),
        ')' => simple(Kind::Close),
        ',' => simple(Kind::Comma),
        '=' => simple(Kind::Assign),
        ':' if second == Some('=') => Ok((Kind::Declare, 2)),
        '"' => literal::quoted(rest).map(|(text, length)| (Kind::Text(text), length)),
        '`' => literal::raw(rest).map(|(text, length)| (Kind::Text(text), length)),
        '\'' => literal::character(rest).map(|(value, length)| (Kind::Int(value), length)),
        '.' if !is_digit(second) => {
            let name = word(&rest[1..]);
            if name.is_empty() { simple(Kind::Dot) } else { Ok((Kind::Field(name.to_owned()), name.len() + 1)) }
        }
        '$' => {
            let length = word(&rest[1..]).len() + 1;
            Ok((Kind::Variable(rest[..length].to_owned()), length))
        }
        '0'..='9' | '.' | '+' | '-' => {
            let length = rest
                .char_indices()
                .find(|(index, character)| {
                    let sign = matches!(character, '+' | '-')
                        && (*index == 0 || rest[..*index].ends_with(['e', 'E']) && !rest.starts_with("0x"));
                    !(sign || character.is_alphanumeric() || matches!(character, '.' | '_'))
                })
                .map_or(rest.len(), |(index, _)| index);
            literal::number(&rest[..length]).map(|kind| (kind, length))
        }
        _ => {
            let name = word(rest);
            if name.is_empty() {
                return Err(format!("unexpected {first:?} in an action"));
            }
            Ok((Kind::Word(name.to_owned()), name.len()))
        }
    }
}

/// The letters, digits and underscores at the beginning.
fn word(text: &str) -> &str {
    let end = text.find(|character: char| character != '_' && !character.is_alphanumeric()).unwrap_or(text.len());
    &text[..end]
}
