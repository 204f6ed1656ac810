//! A query and a document as one text, the way a ranking model was trained: put together as llama.cpp's own server does.

use std::sync::atomic::Ordering;

use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::token::LlamaToken;
use stoa_models::protocol::{MAX_PROMPT_BYTES, MAX_RERANK_DOCUMENTS, Refusal};

use super::Rerank;
use super::model::Pooling;
use super::prepare::{PreparedText, Preparer, SLICE_BYTES, Watch};

/// Where the files of ranking models keep their template, if they have one.
const TEMPLATE_KEY: &str = "tokenizer.chat_template.rerank";

/// How a query and a document are put together.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum PairForm {
    /// Between the vocabulary's marks.
    Marks,
    Template(Vec<Piece>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Text(String),
    Query,
    Document,
}

/// All of a pair but its document.
enum Frame<'rerank> {
    Marks { before: Vec<LlamaToken>, behind: Option<LlamaToken> },
    Template { pieces: &'rerank [Piece], query: &'rerank str },
}

impl PairForm {
    pub(super) fn of(model: &LlamaModel) -> Self {
        model.meta_val_str(TEMPLATE_KEY).map_or(Self::Marks, |template| Self::Template(pieces(&template)))
    }
}

fn pieces(template: &str) -> Vec<Piece> {
    let places = [("{query}", Piece::Query), ("{document}", Piece::Document)];
    let mut pieces = Vec::new();
    let (mut written, mut looked) = (0, 0);
    while let Some(brace) = template[looked..].find('{').map(|brace| looked + brace) {
        looked = brace + 1;
        if let Some((mark, piece)) = places.iter().find(|(mark, _)| template[brace..].starts_with(mark)) {
            pieces.extend([Piece::Text(template[written..brace].to_owned()), piece.clone()]);
            written = brace + mark.len();
        }
    }
    pieces.push(Piece::Text(template[written..].to_owned()));
    pieces.retain(|piece| !matches!(piece, Piece::Text(text) if text.is_empty()));
    pieces
}

/// The text of a pair, unless it is too long to be taken apart.
fn write(pieces: &[Piece], query: &str, document: &str) -> Result<String, Refusal> {
    let texts = || {
        pieces.iter().map(|piece| match piece {
            Piece::Text(text) => text,
            Piece::Query => query,
            Piece::Document => document,
        })
    };
    // A template may name both as often as it likes.
    let bytes = texts().fold(0_usize, |bytes, text| bytes.saturating_add(text.len()));
    if bytes > MAX_PROMPT_BYTES {
        return Err(Refusal::TooManyBytes { bytes: bytes as u64, maximum: MAX_PROMPT_BYTES as u64 });
    }
    Ok(texts().collect())
}

impl Preparer<'_> {
    /// The tokens of each document beside the query; `None` when nobody wants them any more.
    pub(crate) fn pairs(&self, rerank: &Rerank, watch: &Watch<'_>) -> Result<Option<Vec<PreparedText>>, Refusal> {
        if self.traits.pooling != Pooling::Rank {
            return Err(Refusal::NoRanking);
        }
        let refused = |detail: String| Refusal::Sampling { detail };
        if rerank.documents.len() > MAX_RERANK_DOCUMENTS {
            return Err(refused(format!("at most {MAX_RERANK_DOCUMENTS} documents are taken at once")));
        }
        let bytes = rerank.query.len() + rerank.documents.iter().map(String::len).sum::<usize>();
        if bytes > MAX_PROMPT_BYTES {
            return Err(Refusal::TooManyBytes { bytes: bytes as u64, maximum: MAX_PROMPT_BYTES as u64 });
        }
        let Some(count) = self.count(&rerank.query, watch) else { return Ok(None) };
        if count > self.most() {
            return Err(self.too_long(count));
        }
        let frame = self.frame(&rerank.query);
        let mut texts = Vec::with_capacity(rerank.documents.len());
        for (index, document) in rerank.documents.iter().enumerate() {
            let Some(start) = self.start(document, rerank.truncate, watch)? else { return Ok(None) };
            let pair = match &frame {
                Frame::Marks { before, behind } => self.between(before, *behind, start, rerank.truncate)?,
                Frame::Template { pieces, query } => {
                    let write = |document: &str| write(pieces, query, document);
                    match self.written(write, start, rerank.truncate, watch)? {
                        None => return Ok(None),
                        Some(pair) => pair,
                    }
                }
            };
            watch.vitals.step();
            if pair.tokens.is_empty() {
                return Err(refused(format!("the query and document {index} are empty")));
            }
            texts.push(PreparedText { truncated: pair.truncated || start.len() < document.len(), ..pair });
        }
        Ok(Some(texts))
    }

    /// Tokens that a pair may have.
    fn most(&self) -> usize {
        usize::try_from(self.window).unwrap_or(usize::MAX)
    }

    fn frame<'rerank>(&'rerank self, query: &'rerank str) -> Frame<'rerank> {
        if let PairForm::Template(pieces) = &self.pair_form {
            return Frame::Template { pieces, query };
        }
        let vocabulary = self.model.vocab();
        let mark = |asked: bool, token: LlamaToken| Some(token).filter(|token| asked && token.0 >= 0);
        // Vocabularies without a mark of the end have the separator for it.
        let end = Some(vocabulary.eos()).filter(|end| end.0 >= 0).unwrap_or_else(|| vocabulary.sep());
        let end = mark(vocabulary.should_add_eos(), end);
        let mut before = Vec::from_iter(mark(vocabulary.should_add_bos(), vocabulary.bos()));
        before.extend(vocabulary.tokenize(query.as_bytes(), false, false));
        before.extend(end);
        before.extend(mark(vocabulary.should_add_sep(), vocabulary.sep()));
        Frame::Marks { before, behind: end }
    }

    /// As much of a document as is worth taking apart.
    fn start<'text>(&self, text: &'text str, truncate: bool, watch: &Watch<'_>) -> Result<Option<&'text str>, Refusal> {
        let Some(count) = self.count(text, watch) else { return Ok(None) };
        if count <= self.most() {
            return Ok(Some(text));
        }
        if !truncate {
            return Err(self.too_long(count));
        }
        // A token has at least one byte, but what it was made of may have had many: spaces, for one.
        Ok(Some(&text[..text.floor_char_boundary(SLICE_BYTES.max(self.most().saturating_mul(32)))]))
    }

    fn between(
        &self,
        before: &[LlamaToken],
        behind: Option<LlamaToken>,
        document: &str,
        truncate: bool,
    ) -> Result<PreparedText, Refusal> {
        let mut document = self.model.vocab().tokenize(document.as_bytes(), false, false);
        let marks = before.len() + usize::from(behind.is_some());
        let room = self.most().saturating_sub(marks);
        let truncated = document.len() > room;
        // The query is never cut, so there may be room for none of the document.
        if marks > self.most() || (truncated && (!truncate || room == 0)) {
            return Err(self.too_long(marks + document.len()));
        }
        document.truncate(room);
        let tokens = before.iter().copied().chain(document).chain(behind).collect();
        Ok(PreparedText { tokens, truncated })
    }

    /// The pair as a template writes it, with as much of the document as there is room for.
    fn written(
        &self,
        write: impl Fn(&str) -> Result<String, Refusal>,
        document: &str,
        truncate: bool,
        watch: &Watch<'_>,
    ) -> Result<Option<PreparedText>, Refusal> {
        let mut kept = document;
        while !watch.cancelled.load(Ordering::Relaxed) {
            let tokens = self.model.vocab().tokenize(write(kept)?.as_bytes(), false, true);
            watch.vitals.step();
            if tokens.len() <= self.most() {
                return Ok(Some(PreparedText { tokens, truncated: kept.len() < document.len() }));
            }
            if !truncate || kept.is_empty() {
                return Err(self.too_long(tokens.len()));
            }
            kept = self.without_last(kept, tokens.len() - self.most());
        }
        Ok(None)
    }

    /// `text` without about so many of its last tokens, and at least one character shorter.
    fn without_last<'text>(&self, text: &'text str, tokens: usize) -> &'text str {
        let vocabulary = self.model.vocab();
        let all = vocabulary.tokenize(text.as_bytes(), false, true);
        let kept = &all[..all.len().saturating_sub(tokens)];
        let bytes = kept.iter().map(|token| vocabulary.token_to_piece(*token, true, None).len()).sum::<usize>();
        &text[..text.floor_char_boundary(bytes.min(text.len() - 1))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_filled_in_one_go() {
        let pieces = pieces("Q: {query}\nD: {document}{end}{query}");
        assert_eq!(pieces.len(), 6, "{pieces:?}");
        // What somebody asks is no template.
        assert_eq!(write(&pieces, "{document}?", "{query}").unwrap(), "Q: {document}?\nD: {query}{end}{document}?");
    }

    #[test]
    fn a_template_that_names_its_parts_too_often_writes_nothing() {
        let often = pieces(&"{document}".repeat(1_000_000));
        assert!(matches!(write(&often, "", "twelve bytes"), Err(Refusal::TooManyBytes { bytes: 12_000_000, .. })));
    }
}
