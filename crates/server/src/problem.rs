//! The one error shape: problem details (RFC 9457). A handler answers a [`Problem`]; the outermost layer adds the request
//! id, logs it once and writes it.

use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;
use stoa_chat::ChatError;
use stoa_identity::{FieldError, IdentityError};
use stoa_model::completion::CompletionError;
use stoa_storage::StorageError;

/// What went wrong and what to do about it, as the client sees it.
#[derive(Clone, Debug)]
pub struct Problem {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) detail: String,
    pub(crate) more: Box<More>,
}

/// What only some problems have; apart, so that results stay small.
#[derive(Clone, Debug, Default)]
pub(crate) struct More {
    /// What to do next.
    pub(crate) hint: Option<String>,
    /// The `host:port` that an admin may allow.
    pub(crate) authority: Option<String>,
    pub(crate) errors: Vec<FieldError>,
    pub(crate) retry_after: Option<Duration>,
    /// The end of what a program wrote that did not start, for its owner.
    pub(crate) log: Option<String>,
    /// What the log says beside it and the client does not see.
    pub(crate) cause: Option<String>,
}

/// `application/problem+json`.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ProblemBody {
    /// `urn:stoa:problem:` and the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    pub status: u16,
    /// What happened.
    pub detail: String,
    /// Stable, for programs.
    pub code: String,
    /// Names the request in the server's log.
    pub request_id: String,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The private `host:port` that an admin may allow, where that is what stands in the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// The end of what a function wrote that did not start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// Fields that cannot be taken.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

pub(crate) type Result<T, E = Problem> = std::result::Result<T, E>;

impl Problem {
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), more: Box::default() }
    }

    pub(crate) fn bad_request(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// Also for what the caller may not see: nobody is told that it exists.
    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "There is nothing here that you may see.")
    }

    pub(crate) fn forbidden() -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "You may not do this.")
    }

    pub(crate) fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    pub(crate) fn fields(errors: Vec<FieldError>) -> Self {
        let detail = errors.iter().map(|error| format!("{}: {}", error.field, error.message)).collect::<Vec<_>>();
        let mut problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid_fields", detail.join("; "));
        problem.more.errors = errors;
        problem
    }

    pub(crate) fn field(field: &str, message: impl Into<String>) -> Self {
        Self::fields(vec![FieldError::new(field, message)])
    }

    pub(crate) fn internal(cause: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "Something went wrong on the server.")
            .hint("Try again; if it stays, give the request id to whoever runs this server.")
            .cause(cause)
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.more.hint = Some(hint.into());
        self
    }

    pub(crate) fn authority(mut self, authority: impl Into<String>) -> Self {
        self.more.authority = Some(authority.into());
        self
    }

    pub(crate) fn log(mut self, log: impl Into<String>) -> Self {
        self.more.log = Some(log.into()).filter(|log: &String| !log.is_empty());
        self
    }

    pub(crate) fn cause(mut self, cause: impl Into<String>) -> Self {
        self.more.cause = Some(cause.into());
        self
    }

    pub(crate) fn retry_after(mut self, after: Duration) -> Self {
        self.more.retry_after = Some(after);
        self
    }

    pub(crate) fn body(&self, request_id: &str) -> ProblemBody {
        ProblemBody {
            kind: format!("urn:stoa:problem:{}", self.code),
            title: self.status.canonical_reason().unwrap_or("Error").to_owned(),
            status: self.status.as_u16(),
            detail: self.detail.clone(),
            code: self.code.to_owned(),
            request_id: request_id.to_owned(),
            hint: self.more.hint.clone(),
            authority: self.more.authority.clone(),
            log: self.more.log.clone(),
            errors: self.more.errors.clone(),
        }
    }
}

impl IntoResponse for Problem {
    /// An empty answer that carries the problem to the outermost layer, which writes it.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// The whole chain of an error, for the log.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

impl From<StorageError> for Problem {
    fn from(error: StorageError) -> Self {
        match &error {
            StorageError::NotFound => Self::not_found(),
            StorageError::Forbidden => Self::forbidden(),
            StorageError::Taken(what) => {
                let code = match *what {
                    "email" => "email_taken",
                    "slug" => "slug_taken",
                    "name" => "name_taken",
                    _ => "taken",
                };
                Self::conflict(code, format!("This {what} is in use already."))
            }
            StorageError::Refused(why) => {
                let code = match *why {
                    "the last owner cannot leave" => "last_owner",
                    "the owner has been made already" => "already_set_up",
                    "too many answers are being written" => "too_many_generations",
                    "a message shows this file" => "file_in_use",
                    "there is nothing to share yet" => "nothing_to_share",
                    "links for everyone are switched off" => "public_links_off",
                    "the answer is being written" => "answer_running",
                    "a thread begins in no thread" => "thread_in_thread",
                    "a conversation has at most 200 threads" => "too_many_threads",
                    "the assistant is no longer shared" => "assistant_gone",
                    "a shared assistant is not handed to a browser" => "assistant_not_here",
                    "nobody here has this e-mail address" => "no_such_person",
                    "the function was changed meanwhile" => "function_changed",
                    "nothing has changed since the latest version" => "nothing_changed",
                    "there is no such version" => "no_such_version",
                    "the alias tries no version" => "nothing_tried",
                    "the alias was nothing else before" => "nothing_before",
                    "there is no such volume" => "no_such_volume",
                    "functions mount the volume" => "volume_in_use",
                    "the alias is in use" | "the alias `live` stays" => "alias_in_use",
                    _ => "refused",
                };
                let problem = Self::conflict(code, sentence(why));
                match code {
                    "no_such_volume" => problem.hint("Make a volume of that name again, or choose another version."),
                    "volume_in_use" => problem.hint("Take it out of their settings and of the versions that answer."),
                    "assistant_gone" => problem.hint("Go on without it, or ask whoever made it to share it again."),
                    "assistant_not_here" => problem.hint("Choose a model that this server reaches."),
                    "no_such_person" => {
                        problem.hint("Look at the address again, or have an administrator add the person.")
                    }
                    _ => problem,
                }
            }
            StorageError::Unavailable(_) => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "database_unavailable",
                "The database cannot be reached now.",
            )
            .hint("Nothing was changed. Try again in a moment.")
            .retry_after(Duration::from_secs(2))
            .cause(chain(&error)),
            StorageError::TooSlow => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "search_too_slow",
                "The search took too long and was given up.",
            )
            .hint("Search for longer or rarer words, or try again in a moment.")
            .retry_after(Duration::from_secs(5)),
            StorageError::Inconsistent { .. } | StorageError::Sealed(_) | StorageError::Database(_) => {
                Self::internal(chain(&error))
            }
        }
    }
}

impl From<IdentityError> for Problem {
    fn from(error: IdentityError) -> Self {
        match error {
            IdentityError::Unauthenticated => {
                Self::new(StatusCode::UNAUTHORIZED, "unauthenticated", "You are not signed in.").hint("Sign in again.")
            }
            IdentityError::WrongCredentials => {
                Self::new(StatusCode::UNAUTHORIZED, "wrong_credentials", "The e-mail address or the password is wrong.")
            }
            IdentityError::TooManyAttempts { retry_after } => Self::new(
                StatusCode::TOO_MANY_REQUESTS,
                "too_many_attempts",
                "There were too many attempts to sign in.",
            )
            .hint(format!("Wait {} seconds and try again.", retry_after.as_secs().max(1)))
            .retry_after(retry_after),
            IdentityError::Forbidden => Self::forbidden(),
            IdentityError::NoSuchLink => Self::not_found(),
            IdentityError::Invalid(errors) => Self::fields(errors),
            IdentityError::AlreadySetUp => Self::conflict("already_set_up", "The owner has been made already."),
            IdentityError::WrongSetupToken => {
                Self::new(StatusCode::FORBIDDEN, "wrong_setup_token", "The set-up token is missing or wrong.")
                    .hint("The server wrote the token to its log when it started.")
            }
            IdentityError::Busy => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "Too many people are signing in at once.")
                    .hint("Try again in a moment.")
                    .retry_after(Duration::from_secs(1))
            }
            IdentityError::Password(cause) => Self::internal(cause),
            IdentityError::Storage(error) => error.into(),
        }
    }
}

impl From<ChatError> for Problem {
    fn from(error: ChatError) -> Self {
        match error {
            ChatError::Storage(error) => error.into(),
            ChatError::Closing => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "shutting_down", "The server is about to restart.")
                    .hint("Try again in a moment.")
                    .retry_after(Duration::from_secs(2))
            }
            ChatError::TooManyStreams => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_streams", "Too many tabs are open.")
                    .hint("Close some of them.")
            }
            ChatError::CannotSee { model } => {
                let detail = format!("The model `{model}` takes no pictures.");
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "model_cannot_see", detail)
                    .hint("Choose a model that takes pictures, or send the message without them.")
            }
            ChatError::Call(error) => {
                let status = match &error {
                    CompletionError::UnknownModel { .. } => StatusCode::NOT_FOUND,
                    CompletionError::Invalid { .. } | CompletionError::TooLong { .. } => {
                        StatusCode::UNPROCESSABLE_ENTITY
                    }
                    CompletionError::TooMany { .. } => StatusCode::TOO_MANY_REQUESTS,
                    CompletionError::Busy { .. } | CompletionError::NoRoom { .. } => StatusCode::SERVICE_UNAVAILABLE,
                    _ => StatusCode::BAD_GATEWAY,
                };
                Self::new(status, error.code(), sentence(&error.to_string()))
            }
            ChatError::NothingUsable => {
                let detail = "The model wrote nothing that can be used.";
                Self::new(StatusCode::BAD_GATEWAY, "nothing_usable", detail)
                    .hint("Try again, or choose a larger model.")
            }
            ChatError::StreamGone => {
                Self::new(StatusCode::NOT_FOUND, "stream_gone", "The event stream is not open any more.")
                    .hint("Open a new one at /api/v1/events.")
            }
        }
    }
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => format!("{}{}.", first.to_uppercase(), letters.as_str()),
        None => String::new(),
    }
}
