//! Brings an exported file in while it is being sent: what it holds is written as it comes, each thing by itself, and nothing
//! of it is kept but what is being written.

mod clean;
mod report;
mod trouble;

use std::collections::{HashMap, HashSet};

use axum::body::Body;
use bytes::Bytes;
use futures_util::StreamExt as _;
use stoa_archive::{ConversationPiece, Kind, LeftOut, MessagePiece, Piece, PiecePart, Reader, Why};
use stoa_model::assistant::{AssistantProfile, folder_name};
use stoa_model::completion::Parameters;
use stoa_model::file::File;
use stoa_model::project::ProjectProfile;
use stoa_model::prompt::PromptProfile;
use stoa_model::{
    AssistantFolderId, AssistantId, ConversationId, FileId, MessageId, Principal, ProjectId, PromptId, Timestamp,
};
use stoa_storage::{
    Brought, ImportEnd, ImportedAssistant, ImportedConversation, ImportedMessage, ImportedThread, NewAssistant,
    StorageError,
};

pub(crate) use self::report::ImportReport;
use self::report::Tally;
use self::trouble::{broken_off, too_new, unknown};
use crate::app::App;
use crate::endpoints::conversations::ROLE_BYTES;
use crate::endpoints::messages::clean_model;
use crate::problem::{Problem, Result};

/// Messages that are written at once, and their bytes.
const BATCH: usize = 100;
const BATCH_BYTES: usize = 4 * 1024 * 1024;
/// Messages that wait for the one that they follow. Past this they follow none.
const WAITING: usize = 1_000;
/// Conversations of one file whose order is only known at its end.
const CHAINS: usize = 200_000;

/// Reads `body` to its end.
pub(crate) async fn import(app: &App, principal: &Principal, body: Body) -> Result<ImportReport> {
    let user = principal.user_id().ok_or_else(Problem::forbidden)?;
    let _admitted = app.files.admit_import(user)?;
    let mut import = Import {
        app,
        principal,
        now: app.now(),
        tally: Tally::default(),
        open: HashMap::new(),
        chains: HashSet::new(),
        pending: (0, 0),
        lost: HashMap::new(),
        assistants: HashMap::new(),
    };
    let done = import.read(Reader::new(user), body).await;
    // Also what was taken before something went wrong is to be seen.
    app.database.announce_import(principal).await;
    let source = done?;
    Ok(import.tally.report(source))
}

struct Import<'a> {
    app: &'a App,
    principal: &'a Principal,
    now: Timestamp,
    tally: Tally,
    /// Conversations that messages still come for.
    open: HashMap<ConversationId, Open>,
    /// Those whose messages have no order yet.
    chains: HashSet<ConversationId>,
    /// Messages in all of `open`, and their bytes.
    pending: (usize, usize),
    /// Messages of the open conversation that are not taken, and what they follow.
    lost: HashMap<MessageId, Option<MessageId>>,
    /// Which of the assistants that answers name are there, and as what.
    assistants: HashMap<AssistantId, Option<AssistantId>>,
}

struct Open {
    /// It is here already, whole.
    own: bool,
    chain: bool,
    leaf: Option<MessageId>,
    batch: Vec<ImportedMessage>,
    last_at: Timestamp,
}

impl Open {
    const fn chained(last_at: Timestamp) -> Self {
        Self { own: false, chain: true, leaf: None, batch: Vec::new(), last_at }
    }
}

/// Why a picture is left out. The store is away, or nobody has time: then it is worth trying the whole of it again.
fn unreadable(problem: Problem) -> Result<Why> {
    match problem.code {
        "no_room" => Ok(Why::NoRoom),
        "picture_too_large" => Ok(Why::TooLarge),
        "not_a_picture" | "picture_damaged" | "picture_empty" => Ok(Why::Unreadable),
        _ => Err(problem),
    }
}

impl Import<'_> {
    async fn read(&mut self, mut reader: Reader, body: Body) -> Result<stoa_archive::Source> {
        let mut body = body.into_data_stream();
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(broken_off)?;
            // Taking JSON apart is work for a thread that nobody waits for.
            let (back, pieces) = on_a_thread(move || {
                let (mut input, mut pieces) = (&chunk[..], Vec::new());
                while let Some(piece) = reader.next(&mut input) {
                    pieces.push(piece);
                }
                (reader, pieces)
            })
            .await?;
            reader = back;
            if reader.too_new().is_some() {
                return Err(too_new());
            }
            if reader.hopeless() {
                return Err(unknown());
            }
            for piece in pieces {
                self.take(piece).await?;
            }
        }
        while let Some(piece) = reader.last() {
            self.take(piece).await?;
        }
        self.end().await?;
        reader.source().ok_or_else(unknown)
    }

    async fn take(&mut self, piece: Piece) -> Result<()> {
        match piece {
            Piece::Project { id, original, profile, created_at, updated_at } => {
                let times = (self.past(created_at), self.past(updated_at));
                self.project((id, original), *profile, times).await
            }
            Piece::AssistantFolder { id, original, name, collapsed } => {
                self.assistant_folder((id, original), &name, collapsed).await
            }
            Piece::Assistant { id, original, profile, picture, folder, pinned, created_at } => {
                let assistant = ImportedAssistant {
                    id,
                    original,
                    folder: folder.map(both).unwrap_or_default(),
                    pinned,
                    created_at: created_at.map_or(self.now, |at| self.past(at)),
                };
                self.assistant(assistant, *profile, picture).await
            }
            Piece::Prompt { id, original, profile, created_at, updated_at } => {
                let times = (self.past(created_at), self.past(updated_at));
                self.prompt((id, original), *profile, times).await
            }
            Piece::File { id, original, name, bytes } => self.file(id, original, &name, bytes.into()).await,
            Piece::Conversation(head) => self.conversation(*head).await,
            Piece::Message(message) => self.message(*message).await,
            Piece::LeftOut(left) => {
                self.tally.leave_out(left);
                Ok(())
            }
        }
    }

    async fn project(
        &mut self,
        ids: (ProjectId, Option<ProjectId>),
        profile: ProjectProfile,
        times: (Timestamp, Timestamp),
    ) -> Result<()> {
        let name = profile.name.clone();
        let Ok(profile) = profile.checked() else {
            self.leave_out(Kind::Project, Why::NotAllowed, &name);
            return Ok(());
        };
        match self.app.database.import_project(self.principal, ids, &profile, times).await {
            Ok(Brought::Made) => self.tally.made.projects += 1,
            Ok(Brought::Known | Brought::Own) => self.tally.known.projects += 1,
            Err(StorageError::Refused(_)) => self.leave_out(Kind::Project, Why::NoRoom, &name),
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    async fn prompt(
        &mut self,
        ids: (PromptId, Option<PromptId>),
        profile: PromptProfile,
        times: (Timestamp, Timestamp),
    ) -> Result<()> {
        let name = profile.name.clone();
        let Ok(profile) = profile.checked() else {
            self.leave_out(Kind::Prompt, Why::NotAllowed, &name);
            return Ok(());
        };
        match self.app.database.import_prompt(self.principal, ids, &profile, times).await {
            Ok(Brought::Made) => self.tally.made.prompts += 1,
            Ok(Brought::Known | Brought::Own) => self.tally.known.prompts += 1,
            Err(StorageError::Refused(_)) => self.leave_out(Kind::Prompt, Why::NoRoom, &name),
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    async fn assistant_folder(
        &mut self,
        ids: (AssistantFolderId, Option<AssistantFolderId>),
        name: &str,
        collapsed: bool,
    ) -> Result<()> {
        let Ok(checked) = folder_name(name) else {
            self.leave_out(Kind::AssistantFolder, Why::NotAllowed, name);
            return Ok(());
        };
        match self.app.database.import_assistant_folder(self.principal, ids, checked, collapsed).await {
            Ok(Brought::Made) => self.tally.made.assistant_folders += 1,
            Ok(Brought::Known | Brought::Own) => self.tally.known.assistant_folders += 1,
            Err(StorageError::Refused(_)) => self.leave_out(Kind::AssistantFolder, Why::NoRoom, name),
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    async fn assistant(
        &mut self,
        assistant: ImportedAssistant,
        profile: AssistantProfile,
        picture: Option<Vec<u8>>,
    ) -> Result<()> {
        let name = profile.name.clone();
        let Ok(profile) = profile.checked() else {
            self.leave_out(Kind::Assistant, Why::NotAllowed, &name);
            return Ok(());
        };
        let picture = match picture {
            Some(bytes) => self.face(bytes, &name).await?,
            None => None,
        };
        let new = NewAssistant { profile, picture };
        match self.app.database.import_assistant(self.principal, assistant, new, self.now).await {
            Ok(Brought::Made) => self.tally.made.assistants += 1,
            Ok(Brought::Known | Brought::Own) => self.tally.known.assistants += 1,
            Err(StorageError::Refused(_)) => self.leave_out(Kind::Assistant, Why::NoRoom, &name),
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// The face of an assistant. Without one that can be read, it comes without.
    async fn face(&mut self, bytes: Vec<u8>, name: &str) -> Result<Option<String>> {
        match self.app.files.keep_face(self.app, bytes.into()).await {
            Ok(digest) => Ok(Some(digest)),
            Err(problem) => {
                let why = unreadable(problem)?;
                self.leave_out(Kind::Picture, why, name);
                Ok(None)
            }
        }
    }

    async fn file(&mut self, id: FileId, original: Option<FileId>, name: &str, bytes: Bytes) -> Result<()> {
        if self.app.database.imported_file(self.principal, id, original).await?.is_some() {
            self.tally.known.pictures += 1;
            return Ok(());
        }
        match self.app.files.keep_imported(self.app, self.principal, id, name, bytes).await {
            Ok(_) => self.tally.made.pictures += 1,
            Err(problem) => {
                let why = unreadable(problem)?;
                self.leave_out(Kind::Picture, why, name);
            }
        }
        Ok(())
    }

    async fn conversation(&mut self, head: ConversationPiece) -> Result<()> {
        let chain = head.chain;
        if !chain {
            // In these files a conversation is whole before the next begins.
            self.end().await?;
        }
        let created_at = head.created_at.map_or(self.now, |at| self.past(at));
        let updated_at = head.updated_at.map_or(created_at, |at| self.past(at));
        let (id, original) = (head.id, head.original);
        let role = if head.role.len() > ROLE_BYTES {
            self.leave_out(Kind::Other, Why::TooLarge, &head.title);
            String::new()
        } else {
            head.role.replace('\0', "")
        };
        let new = ImportedConversation {
            id,
            original,
            title: head.title,
            pinned: head.pinned,
            archived: head.archived,
            project: head.project.map(both).unwrap_or_default(),
            assistant: head.assistant.map(both).unwrap_or_default(),
            thread: head.thread.map(|thread| ImportedThread {
                conversation: both(thread.conversation),
                message: both(thread.message),
                with_context: thread.with_context,
            }),
            tags: head.tags,
            model: head.model.and_then(|model| clean_model(model).ok()),
            parameters: if head.parameters.check().is_ok() { head.parameters } else { Parameters::default() },
            role,
            created_at,
            updated_at,
        };
        let brought = self.app.database.import_conversation(self.principal, new).await?;
        let begun = chain && !self.chains.contains(&id);
        if begun && self.chains.len() < CHAINS {
            self.chains.insert(id);
        }
        match brought {
            Brought::Made => self.tally.made.conversations += 1,
            // Begun by a message that came before it.
            _ if chain && !begun => {}
            Brought::Known | Brought::Own => self.tally.known.conversations += 1,
        }
        let open =
            Open { own: brought == Brought::Own, chain, leaf: head.leaf, batch: Vec::new(), last_at: created_at };
        self.open.entry(id).or_insert(open);
        Ok(())
    }

    async fn message(&mut self, piece: MessagePiece) -> Result<()> {
        if self.chains.contains(&piece.conversation) {
            // Written out and closed meanwhile.
            self.open.entry(piece.conversation).or_insert_with(|| Open::chained(self.now));
        }
        let Some(open) = self.open.get_mut(&piece.conversation) else {
            self.leave_out(Kind::Message, Why::NotInFile, "");
            return Ok(());
        };
        if open.own {
            self.tally.known.messages += 1;
            return Ok(());
        }
        // Without a time of its own it came right after the one before.
        let at = piece.created_at.unwrap_or(Timestamp::from_millis(open.last_at.as_millis() + 1));
        let at = Timestamp::from_millis(at.as_millis().clamp(0, self.now.as_millis()));
        open.last_at = at;
        let parent = taken(&self.lost, piece.parent);
        let (id, conversation) = (piece.id, piece.conversation);
        let files = self.pictures(&piece).await?;
        let assistant = self.answered_by(piece.assistant).await?;
        match clean::message(piece, &files, assistant, parent, at) {
            Ok(message) => {
                let bytes: usize = message.parts.iter().map(|part| part.text().len()).sum();
                self.pending = (self.pending.0 + 1, self.pending.1 + bytes);
                if let Some(open) = self.open.get_mut(&conversation) {
                    open.batch.push(message);
                }
                if self.pending.0 >= BATCH || self.pending.1 >= BATCH_BYTES {
                    self.flush().await?;
                }
            }
            Err(clean::Unfit(why)) => {
                self.leave_out(Kind::Message, why, "");
                if self.lost.len() < WAITING && parent != Some(id) {
                    self.lost.insert(id, parent);
                }
            }
        }
        Ok(())
    }

    /// Who answered, if they are there.
    async fn answered_by(&mut self, ids: Option<(AssistantId, Option<AssistantId>)>) -> Result<Option<AssistantId>> {
        let Some(ids) = ids else { return Ok(None) };
        if let Some(known) = self.assistants.get(&ids.0) {
            return Ok(*known);
        }
        let mut found = None;
        for id in both(ids) {
            match self.app.database.assistant(self.principal, id).await {
                Ok(_) => {
                    found = Some(id);
                    break;
                }
                Err(StorageError::NotFound) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if self.assistants.len() < WAITING {
            self.assistants.insert(ids.0, found);
        }
        Ok(found)
    }

    /// The pictures that a message shows, by the ids that the file has for them.
    async fn pictures(&self, piece: &MessagePiece) -> Result<HashMap<FileId, File>> {
        let mut files = HashMap::new();
        for part in &piece.parts {
            let PiecePart::Image { id, original, .. } = part else { continue };
            let there = self.app.database.imported_file(self.principal, *id, *original).await?;
            if let Some(there) = there
                && let Some(stored) = self.app.database.files(self.principal, &[there]).await?.pop()
            {
                files.insert(*id, stored.file);
            }
        }
        Ok(files)
    }

    /// Writes what has come. What follows something that is still to come waits on.
    async fn flush(&mut self) -> Result<()> {
        self.pending = (0, 0);
        for (id, open) in &mut self.open {
            let mut batch = std::mem::take(&mut open.batch);
            let crowded = batch.len() > WAITING;
            for message in &mut batch {
                // What it follows may have come after it, and not have been taken.
                message.parent = taken(&self.lost, message.parent).filter(|_| !crowded);
            }
            if batch.is_empty() {
                continue;
            }
            let done = self.app.database.import_messages(self.principal, *id, batch, self.now).await?;
            self.tally.made.messages += done.made;
            self.tally.known.messages += done.known;
            open.batch = done.waiting;
        }
        // Chains are opened again when more of them comes.
        self.open.retain(|_, open| !open.chain || !open.batch.is_empty());
        Ok(())
    }

    /// Ends all conversations that are open, and at the end of the file those whose order is known only then.
    async fn end(&mut self) -> Result<()> {
        self.flush().await?;
        for open in self.open.values_mut() {
            // What they follow never came: they begin a branch of their own.
            for message in &mut open.batch {
                message.parent = None;
            }
        }
        self.flush().await?;
        self.lost.clear();
        for (id, open) in std::mem::take(&mut self.open) {
            if !open.own && !open.chain {
                let end = ImportEnd { leaf: open.leaf, chain: false };
                self.app.database.end_import(self.principal, id, end).await?;
            }
        }
        for id in std::mem::take(&mut self.chains) {
            let end = ImportEnd { leaf: None, chain: true };
            if !self.app.database.end_import(self.principal, id, end).await? {
                self.tally.made.conversations = self.tally.made.conversations.saturating_sub(1);
                self.leave_out(Kind::Conversation, Why::Empty, "");
            }
        }
        Ok(())
    }

    fn leave_out(&mut self, what: Kind, why: Why, name: &str) {
        self.tally.leave_out(LeftOut { what, why, name: name.chars().take(80).collect() });
    }

    /// Nothing was written in the future.
    fn past(&self, at: Timestamp) -> Timestamp {
        Timestamp::from_millis(at.as_millis().clamp(0, self.now.as_millis()))
    }
}

/// The nearest message above that is taken.
fn taken(lost: &HashMap<MessageId, Option<MessageId>>, mut parent: Option<MessageId>) -> Option<MessageId> {
    // As many steps as there are: what leads in a circle leads nowhere.
    for _ in 0..=lost.len() {
        match parent.and_then(|parent| lost.get(&parent)) {
            Some(above) => parent = *above,
            None => return parent,
        }
    }
    None
}

/// The ids that something may have here, the more likely first.
fn both<T>((derived, original): (T, Option<T>)) -> Vec<T> {
    original.into_iter().chain([derived]).collect()
}

async fn on_a_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Problem::internal(error.to_string()))
}
