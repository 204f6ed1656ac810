//! Reads an imported file of any of the kinds that are known, and says what it holds.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use stoa_model::UserId;

use crate::archive::{Entry, FORMAT, VERSION};
use crate::formats::{chatgpt, lobechat, open_webui, stoa};
use crate::origin::Origins;
use crate::piece::{Kind, Piece, Why};
use crate::scan::{ENTRY_BYTES, Found, Scanner};

/// After so many entries of no known kind, no more are looked at.
const STRANGE_ENTRIES: u64 = 1_000;

/// Whose export a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    Stoa,
    Chatgpt,
    OpenWebui,
    Lobechat,
}

/// Takes bytes as they come, and hands out what they hold.
#[derive(Debug)]
pub struct Reader {
    scanner: Scanner,
    origins: Origins,
    source: Option<Source>,
    /// The format that the file names is Stoa's, of this version.
    version: Option<u32>,
    lobechat: lobechat::State,
    pieces: VecDeque<Piece>,
    /// How many entries there were, to name those that have no better name.
    entries: u64,
    /// How many of a list were nothing that is known.
    strange: u64,
    ended: bool,
    broken: bool,
    /// The last line of the archive has come.
    complete: bool,
}

impl Reader {
    /// `owner` is whose everything becomes.
    pub fn new(owner: UserId) -> Self {
        Self {
            scanner: Scanner::new(ENTRY_BYTES),
            origins: Origins(owner),
            source: None,
            version: None,
            lobechat: lobechat::State::default(),
            pieces: VecDeque::new(),
            entries: 0,
            strange: 0,
            ended: false,
            broken: false,
            complete: false,
        }
    }

    /// Reads on in `input` until there is a piece, and takes what was read off it.
    pub fn next(&mut self, input: &mut &[u8]) -> Option<Piece> {
        loop {
            if let Some(piece) = self.pieces.pop_front() {
                return Some(piece);
            }
            let found = self.scanner.next(input)?;
            self.take(found);
        }
    }

    /// The end of the file has come. To be called until there is nothing more.
    pub fn last(&mut self) -> Option<Piece> {
        if !self.ended && self.pieces.is_empty() {
            if let Some(found) = self.scanner.last() {
                self.take(found);
                return self.last();
            }
            self.ended = true;
            if !self.scanner.is_whole() || self.source == Some(Source::Stoa) && !self.complete {
                self.pieces.push_back(Piece::left_out(Kind::Other, Why::CutOff, ""));
            }
        }
        self.pieces.pop_front()
    }

    /// Which kind of file this is, once that is known.
    pub const fn source(&self) -> Option<Source> {
        self.source
    }

    /// The version of Stoa's format, where it is one that only a later Stoa reads.
    pub fn too_new(&self) -> Option<u32> {
        self.version.filter(|version| *version > VERSION)
    }

    /// Nothing in this file can be told apart, and nothing could before.
    pub const fn hopeless(&self) -> bool {
        self.source.is_none() && (self.broken || self.strange > STRANGE_ENTRIES)
    }

    fn take(&mut self, found: Found) {
        match found {
            Found::Field { name, json } => self.field(&name, &json),
            Found::Element { path, json } => {
                self.entries += 1;
                self.element(&path, &json);
            }
            Found::Line(json) => {
                self.entries += 1;
                self.line(&json);
            }
            Found::TooLarge { .. } => {
                self.entries += 1;
                self.pieces.push_back(Piece::left_out(Kind::Other, Why::TooLarge, self.place()));
            }
            Found::Broken => {
                self.broken = true;
                self.pieces.push_back(Piece::left_out(Kind::Other, Why::Unreadable, ""));
            }
        }
    }

    fn place(&self) -> String {
        format!("#{}", self.entries)
    }

    fn field(&mut self, name: &str, json: &[u8]) {
        match name {
            "format" if serde_json::from_slice::<&str>(json).is_ok_and(|format| format == FORMAT) => {
                self.source = Some(Source::Stoa);
            }
            "version" if self.source == Some(Source::Stoa) => self.version = serde_json::from_slice(json).ok(),
            _ => {}
        }
    }

    fn line(&mut self, json: &[u8]) {
        if self.source != Some(Source::Stoa) || self.too_new().is_some() {
            return;
        }
        match serde_json::from_slice::<Entry>(json) {
            Ok(Entry::End { .. }) => self.complete = true,
            Ok(entry) => self.pieces.push_back(stoa::piece(self.origins, entry)),
            Err(_) => self.pieces.push_back(Piece::left_out(Kind::Other, Why::Unreadable, self.place())),
        }
    }

    fn element(&mut self, path: &str, json: &[u8]) {
        if path.is_empty() {
            // Both are lists of conversations, told apart by how one is written.
            #[derive(Deserialize)]
            struct Look {
                #[serde(default)]
                mapping: Option<serde::de::IgnoredAny>,
                #[serde(default)]
                chat: Option<serde::de::IgnoredAny>,
            }
            let pieces = match serde_json::from_slice::<Look>(json) {
                Ok(Look { mapping: Some(_), .. }) => {
                    self.source = Some(Source::Chatgpt);
                    chatgpt::conversation(self.origins, json)
                }
                Ok(Look { chat: Some(_), .. }) => {
                    self.source = Some(Source::OpenWebui);
                    open_webui::conversation(self.origins, json)
                }
                _ => None,
            };
            if let Some(pieces) = pieces {
                self.pieces.extend(pieces);
            } else {
                self.strange += 1;
                self.pieces.push_back(Piece::left_out(Kind::Other, Why::Unreadable, self.place()));
            }
            return;
        }
        if path == "entries" {
            self.line(json);
            return;
        }
        let Some(table) = path.strip_prefix("state.").or_else(|| path.strip_prefix("data.")) else { return };
        if lobechat::is_table(table) {
            self.source = Some(Source::Lobechat);
            match self.lobechat.read(self.origins, table, json) {
                Some(pieces) => self.pieces.extend(pieces),
                None => self.pieces.push_back(Piece::left_out(Kind::Other, Why::Unreadable, self.place())),
            }
        }
    }
}
