//! What is the matter with a file that cannot be imported at all, or not to its end.

use http::StatusCode;
use stoa_listener::BodyError;

use crate::problem::Problem;

pub(super) fn unknown() -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "import_unknown",
        "This file is none of the exports that can be imported.",
    )
    .hint(
        "Choose an archive of Stoa, or the exported file of LobeChat, Open WebUI or ChatGPT (its conversations.json).",
    )
}

pub(super) fn broken_off(error: axum::Error) -> Problem {
    let error = error.into_inner();
    match BodyError::find(error.as_ref()) {
        Some(error) => Problem::new(error.status(), "body_unreadable", error.to_string()),
        None => Problem::bad_request("body_unreadable", "The body could not be read."),
    }
    .hint("What came before is imported. Import the same file again for the rest; nothing is made twice.")
}

pub(super) fn too_new() -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "import_too_new", "This file was written by a newer Stoa.")
        .hint("Update this Stoa, and try again.")
}
