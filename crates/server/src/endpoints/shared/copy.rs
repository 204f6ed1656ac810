//! `POST /api/v1/shared/{token}/copy`

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use stoa_model::conversation::{Conversation, MessageStatus, Part};
use stoa_model::share::SharedMessage;
use stoa_model::{ConversationId, FileId, MessageId, Principal};
use stoa_storage::{ImportEnd, ImportedConversation, ImportedMessage};

use crate::app::App;
use crate::extract::Visitor;
use crate::files::refused;
use crate::problem::{ProblemBody, Result};

/// Messages that are copied at once.
const AT_ONCE: u32 = 20;

/// Makes a conversation of the caller's with what a link shows, to go on with. It needs somebody who is signed in.
#[utoipa::path(
    post, path = "/shared/{token}/copy", tag = "sharing", params(("token" = String, Path)),
    responses(
        (status = 201, body = Conversation),
        (status = 401, body = ProblemBody, content_type = "application/problem+json"),
        (status = 404, body = ProblemBody, content_type = "application/problem+json"),
        (status = 409, description = "`no_room`: its pictures have no room among the caller's.",
            body = ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(super) async fn copy_shared(
    State(app): State<App>,
    Visitor { visitor, person }: Visitor,
) -> Result<(StatusCode, Json<Conversation>)> {
    let person = person.ok_or(stoa_identity::IdentityError::Unauthenticated)?;
    let shared = app.database.shared(&visitor).await?;
    let now = app.now();
    let id = ConversationId::generate(now);
    let new = ImportedConversation {
        id,
        original: None,
        title: shared.title,
        pinned: false,
        archived: false,
        project: Vec::new(),
        assistant: Vec::new(),
        thread: None,
        tags: Vec::new(),
        model: None,
        parameters: stoa_model::completion::Parameters::default(),
        role: String::new(),
        created_at: now,
        updated_at: now,
    };
    app.database.import_conversation(&person, new).await?;
    let copied = copy(&app, &visitor, &person, id).await;
    let leaf = match copied {
        Ok(leaf) => leaf,
        Err(problem) => {
            // Half of it is of no use to anybody.
            app.database.delete_conversation(&person, id, now).await?;
            return Err(problem);
        }
    };
    app.database.end_import(&person, id, ImportEnd { leaf, chain: false }).await?;
    app.database.announce_import(&person).await;
    Ok((StatusCode::CREATED, Json(app.database.conversation(&person, id).await?)))
}

/// Says which message is the last.
async fn copy(
    app: &App,
    visitor: &Principal,
    person: &Principal,
    conversation: ConversationId,
) -> Result<Option<MessageId>> {
    let (mut last, mut from) = (None, 0);
    let mut files = HashMap::new();
    loop {
        let page = app.database.shared_messages(visitor, from, u64::from(AT_ONCE)).await?;
        let Some(end) = page.last() else { return Ok(last) };
        from = end.place.saturating_add(1);
        let mut batch = Vec::with_capacity(page.len());
        for said in page {
            let parts = own_files(app, visitor, person, &said, &mut files).await?;
            let id = MessageId::generate(app.now());
            batch.push(message(said, id, last.replace(id), parts));
        }
        app.database.import_messages(person, conversation, batch, app.now()).await?;
    }
}

async fn own_files(
    app: &App,
    visitor: &Principal,
    person: &Principal,
    said: &SharedMessage,
    files: &mut HashMap<FileId, FileId>,
) -> Result<Vec<Part>> {
    let mut parts = said.parts.clone();
    for part in &mut parts {
        let Part::Image { file_id, .. } = part else { continue };
        let copy = if let Some(copy) = files.get(file_id) {
            *copy
        } else {
            let limits = app.files.limits();
            let copy = app.database.copy_shared_file(visitor, person, *file_id, limits, app.now()).await;
            let copy = copy.map_err(refused)?;
            files.insert(*file_id, copy);
            copy
        };
        *file_id = copy;
    }
    Ok(parts)
}

fn message(said: SharedMessage, id: MessageId, parent: Option<MessageId>, parts: Vec<Part>) -> ImportedMessage {
    ImportedMessage {
        id,
        parent,
        assistant: None,
        role: said.role,
        parts,
        status: MessageStatus::Complete,
        model: said.model,
        stand_in: None,
        parameters: None,
        finish_reason: None,
        usage: None,
        timings: None,
        error: None,
        translation: None,
        summary: None,
        created_at: said.created_at,
    }
}
