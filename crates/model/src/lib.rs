//! The words of the domain: ids, people, conversations, models, and the rules of who may see what. No I/O, no framework.

pub mod access;
pub mod assistant;
pub mod clock;
pub mod completion;
pub mod conversation;
pub mod embedding;
pub mod file;
pub mod format;
pub mod function;
pub mod ids;
pub mod image;
pub mod json;
pub mod own;
pub mod person;
pub mod personal;
pub mod project;
pub mod prompt;
pub mod provider;
pub mod search;
pub mod share;
pub mod think;
pub mod tokens;
pub mod tools;
pub mod usage;
pub mod volume;

pub use access::{Predicate, Principal, Scope, Sight, Usable, Via};
pub use clock::{Clock, SystemClock, Timestamp};
pub use ids::{
    AllowanceId, ApiKeyId, AssistantFolderId, AssistantId, AssistantShareId, ConversationId, FileId, FunctionId,
    FunctionTimerId, FunctionVolumeId, GenerationId, IdentityId, InstanceId, MessageId, PersonalProviderId, ProjectId,
    PromptId, ProviderId, PullId, SessionId, ShareId, StreamId, UsageId, UserId,
};
pub use image::{Image, ImageError, ImageKind, MAX_IMAGE_BYTES, MAX_IMAGES};
