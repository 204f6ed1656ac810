//! Imported messages under the same caps as typed ones.

use std::collections::HashMap;

use stoa_archive::{MessagePiece, PiecePart};
use stoa_model::conversation::{Failure, MessageRole, Part};
use stoa_model::file::File;
use stoa_model::{AssistantId, FileId, MessageId, Timestamp};
use stoa_storage::ImportedMessage;

use crate::endpoints::messages::{IMAGES, PARTS, TEXT_BYTES, clean_model};

/// Bytes of a summary.
const SUMMARY_BYTES: usize = 32 * 1024;
/// Characters of what went wrong with an answer.
const FAILURE: usize = 2_000;

/// What is the matter with a message that cannot be taken.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unfit(pub(super) stoa_archive::Why);

/// The message as it is kept. `files` has the pictures that are there; `assistant`, `parent` and `created_at` are known by now.
pub(super) fn message(
    piece: MessagePiece,
    files: &HashMap<FileId, File>,
    assistant: Option<AssistantId>,
    parent: Option<MessageId>,
    created_at: Timestamp,
) -> Result<ImportedMessage, Unfit> {
    let bytes: usize = piece.parts.iter().map(|part| part.text().len()).sum();
    if bytes > TEXT_BYTES {
        return Err(Unfit(stoa_archive::Why::TooLarge));
    }
    let parts = parts(piece.parts, files);
    // What was to be answered may be nothing that was said; an answer that failed says nothing either.
    if parts.is_empty() && piece.role == MessageRole::User {
        return Err(Unfit(stoa_archive::Why::Empty));
    }
    let short = |text: String| text.chars().take(FAILURE).collect::<String>();
    Ok(ImportedMessage {
        id: piece.id,
        parent,
        role: piece.role,
        parts,
        status: piece.status,
        model: piece.model,
        stand_in: piece.stand_in,
        assistant,
        parameters: piece.parameters.filter(|parameters| parameters.check().is_ok()),
        finish_reason: piece.finish_reason,
        usage: piece.usage,
        timings: piece.timings,
        error: piece.error.map(|error| Failure {
            code: error.code.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(60).collect(),
            detail: short(error.detail),
            authority: None,
        }),
        translation: piece
            .translation
            .filter(|kept| kept.text.len() <= TEXT_BYTES && clean_model(kept.model.clone()).is_ok()),
        summary: piece.summary.filter(|kept| {
            piece.role == MessageRole::Assistant
                && kept.text.len() <= SUMMARY_BYTES
                && clean_model(kept.model.clone()).is_ok()
        }),
        created_at,
    })
}

fn parts(pieces: Vec<PiecePart>, files: &HashMap<FileId, File>) -> Vec<Part> {
    let many = pieces.len() > PARTS;
    let mut images = 0;
    let mut parts: Vec<Part> = Vec::with_capacity(pieces.len());
    for piece in pieces {
        let part = match piece {
            PiecePart::Text(text) => Part::Text { text },
            PiecePart::Reasoning { text, duration_ms } => Part::Reasoning { text, duration_ms },
            PiecePart::Image { id, name, .. } => match files.get(&id).filter(|_| images < IMAGES) {
                Some(file) => {
                    images += 1;
                    Part::image(file)
                }
                // That there was a picture is part of what was said.
                None => Part::Text { text: format!("[{}]", if name.is_empty() { "…" } else { &name }) },
            },
        };
        match (parts.last_mut(), part) {
            (Some(Part::Text { text: before }), Part::Text { text }) if many => {
                before.push_str("\n\n");
                before.push_str(&text);
            }
            (Some(Part::Reasoning { text: before, duration_ms: time }), Part::Reasoning { text, duration_ms })
                if many =>
            {
                before.push_str("\n\n");
                before.push_str(&text);
                *time = time.saturating_add(duration_ms);
            }
            (_, Part::Text { text } | Part::Reasoning { text, .. }) if text.is_empty() => {}
            (_, part) => parts.push(part),
        }
    }
    parts
}
