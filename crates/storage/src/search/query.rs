//! What somebody looks for: words that must all be there, phrases in quotes, and a last word that may go on.

use std::collections::BTreeSet;

use super::tokens::{Atom, Atoms};

/// Characters.
pub const MAX_QUERY: usize = 200;
/// Words and phrases of one query.
pub const MAX_TERMS: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    #[error("a query has at most {MAX_QUERY} characters")]
    TooLong,
    #[error("a query has at most {MAX_TERMS} words")]
    TooManyWords,
}

/// A query that was understood.
#[derive(Clone, Debug, Default)]
pub struct SearchQuery {
    pub(super) terms: Vec<Term>,
}

/// Atoms that have to follow one another.
#[derive(Clone, Debug)]
pub(super) struct Term {
    pub(super) atoms: Atoms,
    /// The last word may be the beginning of a longer one.
    pub(super) open: bool,
}

/// What the index is asked for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wanted {
    Token(String),
    Beginning(String),
}

impl SearchQuery {
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        if text.chars().count() > MAX_QUERY {
            return Err(QueryError::TooLong);
        }
        let mut terms = Vec::new();
        for (index, piece) in text.split(['"', '“', '”', '„', '＂']).enumerate() {
            if index % 2 == 1 {
                terms.push(Atoms::of(piece));
            } else {
                terms.extend(piece.split_whitespace().map(Atoms::of));
            }
        }
        terms.retain(|atoms| !atoms.all().is_empty());
        if terms.len() > MAX_TERMS {
            return Err(QueryError::TooManyWords);
        }
        let mut terms: Vec<Term> = terms.into_iter().map(|atoms| Term { atoms, open: false }).collect();
        // Whoever ends with a space or a quote has written the last word to its end.
        let goes_on = text.chars().next_back().is_some_and(char::is_alphanumeric);
        if let Some(last) = terms.last_mut().filter(|_| goes_on) {
            last.open = last.atoms.all().last().is_some_and(|atom| may_go_on(&last.atoms, atom));
        }
        Ok(Self { terms })
    }

    /// There is nothing in it to look for.
    pub fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// What a text must have to be looked at more closely. The index has no order; that is compared with the text itself.
    pub(super) fn wanted(&self) -> BTreeSet<Wanted> {
        let mut wanted = BTreeSet::new();
        for term in &self.terms {
            let atoms = term.atoms.all();
            for (index, atom) in atoms.iter().enumerate() {
                let paired = atoms.get(index + 1).is_some_and(|next| next.glued);
                if paired {
                    let pair = term.atoms.pair(atom, &atoms[index + 1]);
                    wanted.insert(Wanted::Token(pair.to_owned()));
                } else if !atom.glued {
                    let letters = term.atoms.letters(atom).to_owned();
                    let open = term.open && index + 1 == atoms.len();
                    wanted.insert(if open { Wanted::Beginning(letters) } else { Wanted::Token(letters) });
                }
            }
        }
        wanted
    }
}

/// One letter begins too many words to be of use; characters without spaces are found anywhere as they are.
fn may_go_on(atoms: &Atoms, atom: &Atom) -> bool {
    !atom.single && atoms.letters(atom).chars().nth(1).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(text: &str) -> Vec<String> {
        let query = SearchQuery::parse(text).unwrap();
        query
            .wanted()
            .into_iter()
            .map(|wanted| match wanted {
                Wanted::Token(token) => token,
                Wanted::Beginning(token) => format!("{token}*"),
            })
            .collect()
    }

    #[test]
    fn the_last_word_may_go_on_until_it_is_ended() {
        assert_eq!(wanted("Crème brûl"), ["creme", "brul*"]);
        assert_eq!(wanted("creme brulee "), ["brulee", "creme"]);
        assert_eq!(wanted("\"creme brulee\""), ["brulee", "creme"]);
        assert_eq!(wanted("\"creme bru"), ["creme", "bru*"]);
        assert_eq!(wanted("plan b"), ["b", "plan"]);
        assert_eq!(wanted("机器学习"), ["器学", "学习", "机器"]);
        assert_eq!(wanted("猫"), ["猫"]);
        assert_eq!(wanted("gpt模型"), ["gpt", "模型"]);
        assert_eq!(wanted("—\" \"!"), [""; 0]);
    }

    #[test]
    fn a_query_has_its_bounds() {
        assert_eq!(SearchQuery::parse(&"好".repeat(200)).map(|query| query.terms.len()), Ok(1));
        assert_eq!(SearchQuery::parse(&"a".repeat(201)).err(), Some(QueryError::TooLong));
        assert_eq!(SearchQuery::parse(&"ab ".repeat(16)).map(|query| query.terms.len()), Ok(16));
        assert_eq!(SearchQuery::parse(&"ab ".repeat(17)).err(), Some(QueryError::TooManyWords));
    }
}
