//! What a sequence is made of: tokens, and the parts of images that stand in their place.

use std::collections::HashMap;
use std::sync::Arc;

use llama_cpp_2::token::LlamaToken;

use super::eye::{Piece, Sight};

/// One place of a sequence. Two are equal when the same was computed there, so images are told apart by their content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unit {
    pub(super) kind: UnitKind,
    /// Where llama.cpp has it. Equal beginnings have equal positions.
    pub(super) position: i32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum UnitKind {
    Token(LlamaToken),
    Image {
        /// Its content, as a sum that nobody can make two images have.
        name: Arc<str>,
        /// Which of its tiles, over all times that it was shown.
        tile: usize,
        /// Which of the tile's vectors.
        place: usize,
    },
}

impl Unit {
    pub(super) const fn token(token: LlamaToken, position: i32) -> Self {
        Self { kind: UnitKind::Token(token), position }
    }

    pub(super) const fn as_token(&self) -> Option<LlamaToken> {
        match self.kind {
            UnitKind::Token(token) => Some(token),
            UnitKind::Image { .. } => None,
        }
    }
}

/// An image of a prompt, and the place of its first vector.
pub(super) struct Shown {
    pub(super) start: usize,
    pub(super) sight: Arc<Sight>,
}

impl Shown {
    pub(super) fn end(&self) -> usize {
        self.start + self.sight.tokens
    }
}

/// A prompt as it is computed.
#[derive(Default)]
pub(super) struct Units {
    pub(super) units: Vec<Unit>,
    /// In their order.
    pub(super) images: Vec<Shown>,
    /// The position of what follows.
    pub(super) next: i32,
}

impl Units {
    pub(super) fn of_tokens(tokens: impl IntoIterator<Item = LlamaToken>) -> Self {
        let mut units = Self::default();
        tokens.into_iter().for_each(|token| units.push(token));
        units
    }

    pub(super) fn of_pieces(before: impl IntoIterator<Item = LlamaToken>, pieces: Vec<Piece>) -> Self {
        let mut units = Self::of_tokens(before);
        let mut tiles: HashMap<Arc<str>, usize> = HashMap::new();
        for piece in pieces {
            match piece {
                Piece::Text(tokens) => tokens.into_iter().for_each(|token| units.push(token)),
                Piece::Sight(sight) => units.show(sight, &mut tiles),
            }
        }
        units
    }

    fn push(&mut self, token: LlamaToken) {
        self.units.push(Unit::token(token, self.next));
        self.next = self.next.saturating_add(1);
    }

    fn show(&mut self, sight: Sight, tiles: &mut HashMap<Arc<str>, usize>) {
        let name: Arc<str> = sight.name.as_str().into();
        let count = tiles.entry(Arc::clone(&name)).or_default();
        let tile = std::mem::replace(count, *count + 1);
        let start = self.units.len();
        // Whatever comes before the image's end is cut at its beginning, so that is the position of all of it.
        let position = self.next;
        self.units.extend(
            (0..sight.tokens)
                .map(|place| Unit { kind: UnitKind::Image { name: Arc::clone(&name), tile, place }, position }),
        );
        self.next = self.next.saturating_add(sight.advance);
        self.images.push(Shown { start, sight: Arc::new(sight) });
    }

    /// How many of the first `kept` places can be kept: all of an image, or nothing of it.
    pub(super) fn whole(&self, kept: usize) -> usize {
        let cut = self.images.iter().find(|image| image.start < kept && kept < image.end());
        cut.map_or(kept, |image| image.start)
    }

    pub(super) fn tokens(&self) -> Vec<LlamaToken> {
        self.units.iter().filter_map(Unit::as_token).collect()
    }
}
