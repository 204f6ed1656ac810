//! Entries of Stoa's own archive.

use stoa_model::conversation::Part;
use uuid::Uuid;

use crate::archive::{ArchivedConversation, ArchivedMessage, Entry};
use crate::origin::Origins;
use crate::piece::{ConversationPiece, Kind, MessagePiece, Piece, PiecePart, ThreadPiece, Why};

const SOURCE: &str = "stoa";

fn derived<T: From<Uuid>>(origins: Origins, kind: &str, original: Uuid) -> T {
    origins.id(kind, SOURCE, &original.to_string())
}

pub(crate) fn piece(origins: Origins, entry: Entry) -> Piece {
    match entry {
        Entry::Project(project) => Piece::Project {
            id: derived(origins, "project", project.id.into()),
            original: Some(project.id),
            profile: Box::new(project.profile),
            created_at: project.created_at,
            updated_at: project.updated_at,
        },
        Entry::AssistantFolder(folder) => Piece::AssistantFolder {
            id: derived(origins, "assistant_folder", folder.id.into()),
            original: Some(folder.id),
            name: folder.name,
            collapsed: folder.collapsed,
        },
        Entry::Assistant(assistant) => Piece::Assistant {
            id: derived(origins, "assistant", assistant.id.into()),
            original: Some(assistant.id),
            folder: assistant.folder_id.map(|id| (derived(origins, "assistant_folder", id.into()), Some(id))),
            pinned: assistant.pinned,
            created_at: Some(assistant.created_at),
            picture: assistant.picture(),
            profile: Box::new(assistant.profile),
        },
        Entry::Prompt(prompt) => Piece::Prompt {
            id: derived(origins, "prompt", prompt.id.into()),
            original: Some(prompt.id),
            profile: Box::new(prompt.profile),
            created_at: prompt.created_at,
            updated_at: prompt.updated_at,
        },
        Entry::Conversation(conversation) => Piece::Conversation(Box::new(head(origins, *conversation))),
        Entry::File(file) => match file.bytes() {
            Some(bytes) => Piece::File {
                id: derived(origins, "file", file.id.into()),
                original: Some(file.id),
                name: file.name,
                bytes,
            },
            None => Piece::left_out(Kind::Picture, Why::Unreadable, file.name),
        },
        Entry::Message(message) => Piece::Message(Box::new(self::message(origins, *message))),
        // Told apart by the reader.
        Entry::End { .. } => Piece::left_out(Kind::Other, Why::Empty, ""),
    }
}

fn head(origins: Origins, conversation: ArchivedConversation) -> ConversationPiece {
    let project = conversation.project_id;
    let assistant = conversation.assistant_id;
    ConversationPiece {
        id: derived(origins, "conversation", conversation.id.into()),
        original: Some(conversation.id),
        title: super::title(Some(&conversation.title)),
        pinned: conversation.pinned,
        archived: conversation.archived,
        project: project.map(|id| (derived(origins, "project", id.into()), Some(id))),
        assistant: assistant.map(|id| (derived(origins, "assistant", id.into()), Some(id))),
        thread: conversation.thread.map(|thread| ThreadPiece {
            conversation: (
                derived(origins, "conversation", thread.conversation_id.into()),
                Some(thread.conversation_id),
            ),
            message: (derived(origins, "message", thread.message_id.into()), Some(thread.message_id)),
            with_context: thread.with_context,
        }),
        tags: super::tags(conversation.tags),
        model: super::model(conversation.model),
        parameters: conversation.parameters,
        role: conversation.role,
        leaf: conversation.leaf_id.map(|id| derived(origins, "message", id.into())),
        created_at: Some(conversation.created_at),
        updated_at: Some(conversation.updated_at),
        chain: false,
    }
}

fn message(origins: Origins, message: ArchivedMessage) -> MessagePiece {
    let part = |part| match part {
        Part::Text { text } => PiecePart::Text(text),
        Part::Reasoning { text, duration_ms } => PiecePart::Reasoning { text, duration_ms },
        Part::Image { file_id, name, .. } => {
            PiecePart::Image { id: derived(origins, "file", file_id.into()), original: Some(file_id), name }
        }
    };
    MessagePiece {
        id: derived(origins, "message", message.id.into()),
        conversation: derived(origins, "conversation", message.conversation_id.into()),
        parent: message.parent_id.map(|id| derived(origins, "message", id.into())),
        role: message.role,
        parts: message.parts.into_iter().map(part).collect(),
        status: message.status,
        model: super::model(message.model),
        stand_in: super::model(message.stand_in),
        assistant: message.assistant_id.map(|id| (derived(origins, "assistant", id.into()), Some(id))),
        parameters: message.parameters,
        finish_reason: message.finish_reason,
        usage: message.usage,
        timings: message.timings,
        error: message.error,
        translation: message.translation,
        summary: message.summary,
        created_at: Some(message.created_at),
    }
}
