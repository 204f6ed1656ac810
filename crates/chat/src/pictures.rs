//! The pictures of a turn: whether the model may be shown any, which of them it is shown, and their bytes.

use std::collections::HashMap;
use std::sync::Arc;

use stoa_model::conversation::{Failure, Message, Part};
use stoa_model::personal::split_personal_id;
use stoa_model::{FileId, Image, MAX_IMAGES, Principal};
use stoa_objects::{Digest, ObjectsError};
use stoa_storage::{NewTurn, StorageError, StoredFile};

use crate::engine::{ChatError, Engine};

/// Bytes of all pictures that one call shows a model. A third more of them as base64 is what the strictest providers take
/// in a request.
pub const MAX_PICTURES_BYTES: usize = 14 * 1024 * 1024;

/// Refuses a turn whose question shows pictures to a model that is known to take none, before anything of it is written.
pub(crate) async fn check_sight(engine: &Engine, principal: &Principal, turn: &NewTurn) -> Result<(), ChatError> {
    let (model, shows) = match turn {
        NewTurn::Message { model, parts, .. } => (model.clone(), has_pictures(parts)),
        NewTurn::Regenerate { answer, model, .. } => {
            let answer = engine.database().message(principal, *answer).await?;
            let (Some(model), Some(question)) = (model.clone().or(answer.model), answer.parent_id) else {
                return Ok(());
            };
            if !is_blind(engine, principal, &model).await? {
                return Ok(());
            }
            (model, has_pictures(&engine.database().message(principal, question).await?.parts))
        }
        // It goes on with the model that began it; should that one see no more, it is told so in words.
        NewTurn::Continue { .. } => return Ok(()),
    };
    if shows && is_blind(engine, principal, &model).await? { Err(ChatError::CannotSee { model }) } else { Ok(()) }
}

/// Known to take none; of most models nothing is known.
async fn is_blind(engine: &Engine, principal: &Principal, id: &str) -> Result<bool, StorageError> {
    let Some((slug, _)) = split_personal_id(id) else {
        return Ok(engine.dispatch().model(principal, id).is_some_and(|model| model.sees == Some(false)));
    };
    let found = engine.database().personal_provider_by_slug(principal, slug).await?;
    let model = found.and_then(|found| found.provider.offered().find(|model| model.id == id));
    Ok(model.is_some_and(|model| model.sees == Some(false)))
}

fn has_pictures(parts: &[Part]) -> bool {
    parts.iter().any(|part| part.file_id().is_some())
}

/// The pictures that a model is shown. In the place of every other stand words.
#[derive(Default)]
pub(crate) struct Gallery {
    bytes: HashMap<FileId, Arc<[u8]>>,
    blind: bool,
}

impl Gallery {
    /// Reads the latest pictures of a path, as many as a call takes, each once.
    pub(crate) async fn load(
        engine: &Engine,
        principal: &Principal,
        blind: bool,
        history: &[Message],
    ) -> Result<Self, Failure> {
        let mut wanted = Vec::new();
        for id in history.iter().rev().flat_map(|message| message.parts.iter().filter_map(Part::file_id)) {
            if wanted.len() < MAX_IMAGES && !wanted.contains(&id) {
                wanted.push(id);
            }
        }
        let mut gallery = Self::default();
        if wanted.is_empty() {
            return Ok(gallery);
        }
        if blind {
            gallery.blind = true;
            return Ok(gallery);
        }
        let stored = engine.database().files(principal, &wanted).await.map_err(|error| unavailable(&error))?;
        let mut stored: HashMap<FileId, StoredFile> = stored.into_iter().map(|file| (file.file.id, file)).collect();
        let mut total = 0;
        for file in wanted.iter().filter_map(|id| stored.remove(id)) {
            total += usize::try_from(file.file.bytes).unwrap_or(usize::MAX);
            // What comes behind is older still.
            if total > MAX_PICTURES_BYTES {
                break;
            }
            if let Some(bytes) = read(engine, &file).await? {
                gallery.bytes.insert(file.file.id, bytes);
            }
        }
        Ok(gallery)
    }

    /// The text of a message, with the pictures at their places in it.
    pub(crate) fn show(&self, parts: &[Part]) -> (String, Vec<Image>) {
        let (mut text, mut images) = (String::new(), Vec::new());
        for part in parts {
            match part {
                Part::Text { text: piece } => text.push_str(piece),
                Part::Reasoning { .. } => {}
                Part::Image { file_id, name, .. } => {
                    let bytes = self.bytes.get(file_id);
                    match bytes.and_then(|bytes| Image::new(Arc::clone(bytes), text.len()).ok()) {
                        Some(image) => images.push(image),
                        None => text.push_str(&self.words(name)),
                    }
                }
            }
        }
        (text, images)
    }

    fn words(&self, name: &str) -> String {
        let why = if self.blind { "which this model cannot see" } else { "which is left out here" };
        format!("[a picture, {name:?}, {why}]\n")
    }
}

/// `None` for one that is lost: the conversation goes on without it.
async fn read(engine: &Engine, file: &StoredFile) -> Result<Option<Arc<[u8]>>, Failure> {
    let id = file.file.id;
    let Ok(digest) = file.digest.parse::<Digest>() else {
        let error = StorageError::Inconsistent { table: "files", column: "digest", row: id.to_string() };
        return Err(unavailable(&error));
    };
    match engine.objects().get(digest).await {
        Ok(bytes) => Ok(Some(Arc::from(&bytes[..]))),
        Err(error @ (ObjectsError::NotFound | ObjectsError::Damaged { .. })) => {
            tracing::error!(error = &error as &dyn std::error::Error, file = %id, "a picture is lost");
            Ok(None)
        }
        Err(error) => Err(unavailable(&error)),
    }
}

fn unavailable(error: &(dyn std::error::Error + 'static)) -> Failure {
    tracing::warn!(error, "the pictures of a turn cannot be read");
    Failure {
        code: "pictures_unavailable".to_owned(),
        detail: "the pictures of this conversation cannot be read now; try again in a moment".to_owned(),
        authority: None,
    }
}

#[cfg(test)]
mod tests {
    use stoa_model::Timestamp;

    use super::*;

    fn picture(id: FileId) -> Part {
        Part::Image { file_id: id, name: "cat.png".to_owned(), width: 2, height: 2 }
    }

    fn said(text: &str) -> Part {
        Part::Text { text: text.to_owned() }
    }

    #[test]
    fn pictures_stand_at_their_places_and_words_in_the_place_of_those_that_are_not_shown() {
        let (one, two) = (FileId::generate(Timestamp::from_millis(1)), FileId::generate(Timestamp::from_millis(2)));
        let png: Arc<[u8]> = Arc::from(&b"\x89PNG\r\n\x1a\nand so on"[..]);
        let gallery = Gallery { bytes: HashMap::from([(one, png)]), blind: false };
        let (text, images) = gallery.show(&[said("Before "), picture(one), said("after"), picture(two)]);
        assert_eq!(text, "Before after[a picture, \"cat.png\", which is left out here]\n");
        assert_eq!(images.iter().map(|image| image.at).collect::<Vec<_>>(), [7]);
        let blind = Gallery { blind: true, ..Gallery::default() };
        let (text, images) = blind.show(&[picture(one), said("What is it?")]);
        assert_eq!(text, "[a picture, \"cat.png\", which this model cannot see]\nWhat is it?");
        assert!(images.is_empty());
    }
}
