//! What somebody takes with them, written page by page while it is sent: no conversation, let alone all of them, is ever whole
//! in memory.

use std::collections::{HashSet, VecDeque};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use http::HeaderValue;
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use stoa_archive::{ArchivedAssistant, ArchivedFile, Entry, Header, front, message_as_markdown};
use stoa_identity::Revocation;
use stoa_model::conversation::{Conversation, Message, Part};
use stoa_model::{AssistantId, ConversationId, FileId, MessageId, Principal, ProjectId, PromptId};
use stoa_storage::{Cursor, StorageError};

use crate::app::App;
use crate::problem::{Problem, Result};

/// Rows that are held at once. A message may have two MiB.
const CONVERSATIONS: u64 = 20;
const MESSAGES: u64 = 10;
const BRANCH: u32 = 10;

/// What is to be written next.
enum Next {
    Projects(VecDeque<ProjectId>),
    /// All at once: there are few, and short.
    AssistantFolders,
    Assistants(VecDeque<AssistantId>),
    Prompts(VecDeque<PromptId>),
    Heads(Option<ConversationId>),
    /// The messages of the first of these, after the cursor.
    Messages {
        rest: VecDeque<Conversation>,
        after: Option<Cursor>,
        shown: HashSet<FileId>,
    },
    End,
    Nothing,
}

/// How entries stand in the file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// One a line.
    Lines,
    /// In the list of a document.
    Document { begun: bool },
}

/// Writes an archive piece by piece.
pub(crate) struct Archive {
    app: App,
    principal: Principal,
    revoked: Revocation,
    next: Next,
    form: Form,
    /// Only this one, and nothing beside it.
    alone: bool,
    /// The last conversation that was begun, of those that are no threads.
    last: Option<ConversationId>,
    conversations: u64,
    messages: u64,
    files: u64,
    head: Option<Bytes>,
}

impl Archive {
    /// Of everything.
    pub(crate) async fn of_all(app: App, principal: Principal, name: String) -> Result<Self> {
        let projects = app.database.project_ids(&principal).await?;
        let head = Header::new(app.now(), name).line();
        Ok(Self::new(app, principal, Next::Projects(projects.into()), Form::Lines, head))
    }

    /// Of one conversation.
    pub(crate) fn of_one(app: App, principal: Principal, name: String, conversation: Conversation) -> Self {
        let mut head = Header::new(app.now(), name).line();
        // The list goes on where the object ended.
        head.truncate(head.len().saturating_sub(2));
        head.extend_from_slice(b",\"entries\":[\n");
        let next = Next::Heads(Some(conversation.id));
        let mut archive = Self::new(app, principal, next, Form::Document { begun: false }, head);
        archive.alone = true;
        archive.next = Next::Messages { rest: VecDeque::from([conversation]), after: None, shown: HashSet::new() };
        archive
    }

    fn new(app: App, principal: Principal, next: Next, form: Form, head: Vec<u8>) -> Self {
        let revoked = app.door.watch(&principal);
        Self {
            revoked,
            app,
            principal,
            next,
            form,
            alone: false,
            last: None,
            conversations: 0,
            messages: 0,
            files: 0,
            head: Some(head.into()),
        }
    }

    /// As the body of an answer. An error cuts it off, so that nobody takes it for whole.
    pub(crate) fn into_body(self) -> Body {
        let pieces = stream::try_unfold(self, |mut archive| async move {
            match archive.piece().await {
                Ok(Some(piece)) => Ok(Some((piece, archive))),
                Ok(None) => Ok(None),
                Err(problem) => {
                    tracing::warn!(code = problem.code, cause = ?problem.more.cause, "an export was cut off");
                    Err(std::io::Error::other(problem.detail))
                }
            }
        });
        Body::from_stream(pieces)
    }

    async fn piece(&mut self) -> Result<Option<Bytes>> {
        if let Some(head) = self.head.take() {
            return Ok(Some(head));
        }
        if self.revoked.is_revoked() {
            return Err(Problem::forbidden());
        }
        loop {
            let mut out = Vec::new();
            match std::mem::replace(&mut self.next, Next::Nothing) {
                Next::Projects(mut ids) => {
                    if let Some(id) = ids.pop_front() {
                        if let Some(project) = there(self.app.database.project(&self.principal, id).await)? {
                            self.write(&mut out, &Entry::Project(Box::new(project.into())));
                        }
                        self.next = Next::Projects(ids);
                    } else {
                        self.next = Next::AssistantFolders;
                    }
                }
                Next::AssistantFolders => {
                    for folder in self.app.database.assistant_folders(&self.principal).await? {
                        self.write(&mut out, &Entry::AssistantFolder(folder.into()));
                    }
                    let ids = self.app.database.assistant_ids(&self.principal).await?;
                    self.next = Next::Assistants(ids.into());
                }
                Next::Assistants(mut ids) => {
                    if let Some(id) = ids.pop_front() {
                        if let Some(assistant) = there(self.app.database.assistant(&self.principal, id).await)? {
                            let face = self.app.files.face(&self.app, &self.principal, &assistant).await?;
                            let archived = ArchivedAssistant::new(assistant, face.as_deref());
                            self.write(&mut out, &Entry::Assistant(Box::new(archived)));
                        }
                        self.next = Next::Assistants(ids);
                    } else {
                        let ids = self.app.database.prompt_ids(&self.principal).await?;
                        self.next = Next::Prompts(ids.into());
                    }
                }
                Next::Prompts(mut ids) => {
                    if let Some(id) = ids.pop_front() {
                        if let Some(prompt) = there(self.app.database.prompt(&self.principal, id).await)? {
                            self.write(&mut out, &Entry::Prompt(Box::new(prompt.into())));
                        }
                        self.next = Next::Prompts(ids);
                    } else {
                        self.next = Next::Heads(None);
                    }
                }
                Next::Heads(after) => {
                    let page = self.app.database.conversations_by_id(&self.principal, after, CONVERSATIONS).await?;
                    self.next = if page.is_empty() {
                        Next::End
                    } else {
                        Next::Messages { rest: page.into(), after: None, shown: HashSet::new() }
                    };
                }
                Next::Messages { rest, after, shown } => self.messages(rest, after, shown, &mut out).await?,
                Next::End => {
                    let (conversations, messages, files) = (self.conversations, self.messages, self.files);
                    self.write(&mut out, &Entry::End { conversations, messages, files });
                    if self.form != Form::Lines {
                        out.extend_from_slice(b"]}\n");
                    }
                }
                Next::Nothing => return Ok(None),
            }
            if !out.is_empty() {
                return Ok(Some(out.into()));
            }
        }
    }

    async fn messages(
        &mut self,
        mut rest: VecDeque<Conversation>,
        after: Option<Cursor>,
        mut shown: HashSet<FileId>,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let Some(conversation) = rest.front() else {
            self.next = Next::End;
            return Ok(());
        };
        let id = conversation.id;
        if after.is_none() {
            self.conversations += 1;
            if conversation.thread.is_none() {
                self.last = Some(id);
            }
            let head = Entry::Conversation(Box::new(conversation.clone().into()));
            self.write(out, &head);
        }
        let page = self.app.database.messages_by_time(&self.principal, id, after, MESSAGES).await;
        // Deleted while this was written: what was written of it stays.
        let page = there(page)?;
        let next = page.as_ref().and_then(|page| page.next);
        for message in page.map(|page| page.items).unwrap_or_default() {
            self.pictures(&message, &mut shown, out).await?;
            self.messages += 1;
            self.write(out, &Entry::Message(Box::new(message.into())));
        }
        self.next = if next.is_some() {
            Next::Messages { rest, after: next, shown }
        } else {
            let done = rest.pop_front();
            if done.is_some_and(|done| done.thread.is_none()) {
                let threads = there(self.app.database.threads(&self.principal, id).await)?.unwrap_or_default();
                for thread in threads {
                    rest.push_front(thread);
                }
            }
            match rest.is_empty() {
                true if self.alone => Next::End,
                true => Next::Heads(self.last),
                false => Next::Messages { rest, after: None, shown: HashSet::new() },
            }
        };
        Ok(())
    }

    /// The pictures that a message shows, before it. One whose bytes are lost is passed over.
    async fn pictures(&mut self, message: &Message, shown: &mut HashSet<FileId>, out: &mut Vec<u8>) -> Result<()> {
        for id in message.parts.iter().filter_map(Part::file_id) {
            if !shown.insert(id) {
                continue;
            }
            let Some(stored) = there(self.app.database.file(&self.principal, id).await)? else { continue };
            match self.app.files.read(&stored.digest).await {
                Ok(bytes) => {
                    self.files += 1;
                    self.write(out, &Entry::File(ArchivedFile::new(stored.file, &bytes)));
                }
                Err(problem) if problem.status.as_u16() == 503 => return Err(problem),
                Err(problem) => tracing::warn!(file = %id, cause = ?problem.more.cause, "a picture is lost"),
            }
        }
        Ok(())
    }

    fn write(&mut self, out: &mut Vec<u8>, entry: &Entry) {
        if let Form::Document { begun } = &mut self.form
            && std::mem::replace(begun, true)
        {
            out.push(b',');
        }
        out.extend_from_slice(&entry.line());
    }
}

/// A branch as Markdown.
pub(crate) struct Markdown {
    pub(crate) app: App,
    pub(crate) principal: Principal,
    pub(crate) name: String,
    pub(crate) conversation: Conversation,
    pub(crate) end: Option<MessageId>,
}

impl Markdown {
    pub(crate) fn into_body(self) -> Body {
        let head = Bytes::from(front(&self.conversation.title));
        let pieces = stream::try_unfold((self, 0_u32, Some(head)), |(branch, done, mut head)| async move {
            if let Some(head) = head.take() {
                return Ok(Some((head, (branch, done, None))));
            }
            let Some(end) = branch.end else { return Ok(None) };
            let id = branch.conversation.id;
            let page = branch.app.database.branch(&branch.principal, id, end, done, BRANCH).await;
            let page = page.map_err(std::io::Error::other)?;
            if page.is_empty() {
                return Ok::<_, std::io::Error>(None);
            }
            let text: String = page.iter().map(|message| message_as_markdown(message, &branch.name)).collect();
            let done = done + u32::try_from(page.len()).unwrap_or(u32::MAX);
            Ok(Some((Bytes::from(text), (branch, done, None))))
        });
        Body::from_stream(pieces)
    }
}

/// Nothing, for what went meanwhile.
fn there<T>(found: Result<T, StorageError>) -> Result<Option<T>, StorageError> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(StorageError::NotFound) => Ok(None),
        Err(error) => Err(error),
    }
}

/// An answer that is kept as a file.
pub(crate) fn download(body: Body, kind: &'static str, name: HeaderValue) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response.headers_mut().insert(CONTENT_DISPOSITION, name);
    response
}
