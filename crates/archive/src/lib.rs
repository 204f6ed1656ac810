//! What people take with them and bring along: Stoa's own archive, and the exports of other chats. No I/O: bytes go in piece by
//! piece, and what is to be kept comes out one by one, so that no file is ever whole in memory.

mod archive;
mod formats;
mod markdown;
mod origin;
mod piece;
mod reader;
mod scan;

pub use archive::{
    ArchivedAssistant, ArchivedAssistantFolder, ArchivedConversation, ArchivedFile, ArchivedMessage, ArchivedProject,
    ArchivedPrompt, Entry, FORMAT, Header, VERSION,
};
pub use markdown::{front, message as message_as_markdown};
pub use piece::{ConversationPiece, Kind, LeftOut, MessagePiece, Piece, PiecePart, Why};
pub use reader::{Reader, Source};
pub use scan::ENTRY_BYTES;
