//! Takes JSON of any size apart into entries, while it comes, without holding more than one of them.
//!
//! A document is descended: the elements of its arrays are entries, with the names that lead to them; plain values of the root
//! are fields. Whatever follows the first document is lines, of which each is an entry: so JSON and JSON Lines are read alike.

use memchr::{memchr, memchr2};

/// Bytes of one entry. A conversation of another chat is one, and so is a picture.
pub const ENTRY_BYTES: usize = 32 * 1024 * 1024;
const FIELD_BYTES: usize = 4 * 1024;
/// Names that lead to an array.
const MAX_DEPTH: usize = 3;

/// What was found next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A plain value of the root, as it stands there.
    Field { name: String, json: Vec<u8> },
    /// An element of an array; `path` has the names that lead there, with dots between. Empty for an array that is the root.
    Element { path: String, json: Vec<u8> },
    /// A line after the first document.
    Line(Vec<u8>),
    /// An entry that is larger than what is taken.
    TooLarge { path: String },
    /// This is no JSON, and so the rest cannot be told apart.
    Broken,
}

#[derive(Debug)]
enum Place {
    Start,
    /// In an object, before a name; the names of the objects around it are in `path`.
    Name,
    /// After a name, before the colon and the value.
    Value(String),
    Array,
    /// After the first document.
    Lines,
    Dead,
}

#[derive(Debug)]
enum Goal {
    Name,
    Field(String),
    Element,
    /// A value that nobody wants.
    Nothing,
}

/// Whether this is within a text of JSON, and whether the next letter there means itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Text {
    Outside,
    Inside,
    Escaped,
}

#[derive(Debug)]
struct Capture {
    goal: Goal,
    bytes: Vec<u8>,
    most: usize,
    over: bool,
    depth: usize,
    text: Text,
    /// A number or a word, which ends where another thing begins.
    bare: bool,
}

/// Reads what it is fed, and holds at most one entry.
#[derive(Debug)]
pub(crate) struct Scanner {
    place: Place,
    path: Vec<String>,
    /// Whether the root is an object; arrays then have a name.
    capture: Option<Capture>,
    line: Vec<u8>,
    line_over: bool,
    entry_bytes: usize,
    begun: usize,
}

impl Scanner {
    pub(crate) const fn new(entry_bytes: usize) -> Self {
        Self {
            place: Place::Start,
            path: Vec::new(),
            capture: None,
            line: Vec::new(),
            line_over: false,
            entry_bytes,
            begun: 0,
        }
    }

    /// Reads on until something is found or `input` is used up.
    pub(crate) fn next(&mut self, input: &mut &[u8]) -> Option<Found> {
        while !input.is_empty() {
            let found = if self.capture.is_some() {
                self.capture_more(input)
            } else if matches!(self.place, Place::Lines) {
                self.line_more(input)
            } else {
                self.step(input)
            };
            if found.is_some() {
                return found;
            }
        }
        None
    }

    /// The last line, which no line break ends.
    pub(crate) fn last(&mut self) -> Option<Found> {
        matches!(self.place, Place::Lines).then(|| self.take_line()).flatten()
    }

    /// Whether the file ends where it may.
    pub(crate) const fn is_whole(&self) -> bool {
        matches!(self.place, Place::Lines | Place::Dead)
    }

    /// Bytes that are held now.
    #[cfg(test)]
    fn held(&self) -> usize {
        self.capture.as_ref().map_or(0, |capture| capture.bytes.capacity()) + self.line.capacity()
    }

    fn step(&mut self, input: &mut &[u8]) -> Option<Found> {
        let byte = *input.first()?;
        let blank = matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
        let next = |input: &mut &[u8]| *input = input.get(1..).unwrap_or_default();
        match (&self.place, byte) {
            // The mark of the order of bytes.
            (Place::Start, 0xEF | 0xBB | 0xBF) if self.begun < 3 => {
                self.begun += 1;
                next(input);
            }
            (Place::Start | Place::Name | Place::Array | Place::Value(_), _) if blank => next(input),
            (Place::Start, b'{') => {
                self.path.clear();
                self.place = Place::Name;
                self.begun = 1;
                next(input);
            }
            (Place::Start, b'[') => {
                self.begun = 0;
                self.place = Place::Array;
                next(input);
            }
            (Place::Name | Place::Array, b',') | (Place::Value(_), b':') => next(input),
            (Place::Name, b'"') => self.begin(Goal::Name, 256, input),
            (Place::Name, b'}') => {
                next(input);
                self.close_object();
            }
            (Place::Array, b']') => {
                next(input);
                if self.begun == 0 {
                    self.place = Place::Lines;
                } else {
                    self.path.pop();
                    self.place = Place::Name;
                }
            }
            (Place::Array, _) if starts_value(byte) => self.begin(Goal::Element, self.entry_bytes, input),
            (Place::Value(_), _) if starts_value(byte) => self.value(byte, input),
            (Place::Dead, _) => *input = &[],
            _ => {
                *input = &[];
                self.place = Place::Dead;
                return Some(Found::Broken);
            }
        }
        None
    }

    fn close_object(&mut self) {
        self.begun -= 1;
        if self.begun == 0 {
            self.place = Place::Lines;
        } else {
            self.path.pop();
        }
    }

    fn value(&mut self, byte: u8, input: &mut &[u8]) {
        let Place::Value(name) = std::mem::replace(&mut self.place, Place::Name) else { return };
        match byte {
            b'{' if self.begun < MAX_DEPTH => {
                self.path.push(name);
                self.begun += 1;
                *input = input.get(1..).unwrap_or_default();
            }
            b'[' => {
                self.path.push(name);
                self.place = Place::Array;
                *input = input.get(1..).unwrap_or_default();
            }
            b'{' => self.begin(Goal::Nothing, 0, input),
            _ if self.begun == 1 => self.begin(Goal::Field(name), FIELD_BYTES, input),
            _ => self.begin(Goal::Nothing, 0, input),
        }
    }

    fn begin(&mut self, goal: Goal, most: usize, input: &[u8]) {
        let bare = !matches!(input.first(), Some(b'"' | b'{' | b'['));
        self.capture =
            Some(Capture { goal, bytes: Vec::new(), most, over: false, depth: 0, text: Text::Outside, bare });
    }

    fn capture_more(&mut self, input: &mut &[u8]) -> Option<Found> {
        let capture = self.capture.as_mut()?;
        let (used, done) = capture.read(input);
        *input = input.get(used..).unwrap_or_default();
        if !done {
            return None;
        }
        let capture = self.capture.take()?;
        match capture.goal {
            Goal::Nothing => None,
            Goal::Name => match serde_json::from_slice::<String>(&capture.bytes) {
                Ok(name) if !capture.over => {
                    self.place = Place::Value(name);
                    None
                }
                // A name that long leads to nothing of ours.
                _ if capture.over => {
                    self.place = Place::Value(String::new());
                    None
                }
                _ => {
                    self.place = Place::Dead;
                    Some(Found::Broken)
                }
            },
            Goal::Field(_) if capture.over => None,
            Goal::Field(name) => Some(Found::Field { name, json: capture.bytes }),
            Goal::Element if capture.over => Some(Found::TooLarge { path: self.path.join(".") }),
            Goal::Element => Some(Found::Element { path: self.path.join("."), json: capture.bytes }),
        }
    }

    fn line_more(&mut self, input: &mut &[u8]) -> Option<Found> {
        let end = memchr(b'\n', input);
        let piece = end.map_or(*input, |end| input.get(..end).unwrap_or_default());
        if self.line.len() + piece.len() > self.entry_bytes {
            self.line = Vec::new();
            self.line_over = true;
        }
        if !self.line_over {
            self.line.extend_from_slice(piece);
        }
        *input = input.get(piece.len() + usize::from(end.is_some())..).unwrap_or_default();
        end.and_then(|_| self.take_line())
    }

    fn take_line(&mut self) -> Option<Found> {
        let line = std::mem::take(&mut self.line);
        if std::mem::take(&mut self.line_over) {
            return Some(Found::TooLarge { path: String::new() });
        }
        (!line.trim_ascii().is_empty()).then_some(Found::Line(line))
    }
}

impl Capture {
    /// How many bytes belong to the value, and whether it ends with them.
    fn read(&mut self, input: &[u8]) -> (usize, bool) {
        let (used, done) = if self.bare { bare(input) } else { self.nested(input) };
        if self.bytes.len() + used > self.most {
            self.over = true;
            self.bytes = Vec::new();
        } else if !self.over {
            self.bytes.extend_from_slice(input.get(..used).unwrap_or_default());
        }
        (used, done)
    }

    fn nested(&mut self, input: &[u8]) -> (usize, bool) {
        let mut at = 0;
        while let Some(byte) = input.get(at) {
            if self.text == Text::Escaped {
                self.text = Text::Inside;
                at += 1;
                continue;
            }
            if self.text == Text::Inside {
                let rest = input.get(at..).unwrap_or_default();
                let Some(mark) = memchr2(b'"', b'\\', rest) else { return (input.len(), false) };
                at += mark + 1;
                if rest.get(mark) == Some(&b'\\') {
                    self.text = Text::Escaped;
                } else {
                    self.text = Text::Outside;
                    if self.depth == 0 {
                        return (at, true);
                    }
                }
                continue;
            }
            at += 1;
            match byte {
                b'"' => self.text = Text::Inside,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return (at, true);
                    }
                }
                _ => {}
            }
        }
        (input.len(), false)
    }
}

fn bare(input: &[u8]) -> (usize, bool) {
    let end = input.iter().position(|byte| matches!(byte, b',' | b']' | b'}' | b' ' | b'\t' | b'\r' | b'\n'));
    (end.unwrap_or(input.len()), end.is_some())
}

const fn starts_value(byte: u8) -> bool {
    matches!(byte, b'{' | b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n')
}

#[cfg(test)]
mod tests;
