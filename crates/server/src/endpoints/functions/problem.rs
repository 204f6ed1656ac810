//! Why a function did not answer, in words for whoever called it. Only its owner is shown what it wrote.

use std::time::Duration;

use http::StatusCode;
use stoa_functions::activator::Refusal;
use stoa_functions::{CallError, EngineError, StopReason};
use stoa_functions_service::{CodeError, ServiceError};
use stoa_storage::StorageError;

use crate::problem::{Problem, chain};

impl From<CodeError> for Problem {
    fn from(error: CodeError) -> Self {
        match error {
            CodeError::Path(invalid) => invalid.into(),
            CodeError::NoFile(_) => Self::new(StatusCode::NOT_FOUND, "no_such_file", format!("{}.", sentence(&error))),
            CodeError::TooMany | CodeError::TooLarge => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "code_too_large", format!("{}.", sentence(&error)))
                    .hint("Leave out what is no part of the program, such as installed packages.")
            }
            CodeError::FileAndFolder(_) | CodeError::Archive(_) | CodeError::Link(_) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "code_not_taken", format!("{}.", sentence(&error)))
            }
        }
    }
}

/// What a caller who is not its owner is told.
pub(crate) fn refused(error: ServiceError) -> Problem {
    told(error, false)
}

/// With what the function wrote, where it did not start.
pub(super) fn to_its_owner(error: ServiceError) -> Problem {
    told(error, true)
}

fn told(error: ServiceError, owner: bool) -> Problem {
    let gateway = |status, code, detail: &str| Problem::new(status, code, detail);
    match error {
        ServiceError::NotFound | ServiceError::Storage(StorageError::NotFound) => Problem::not_found(),
        ServiceError::Unavailable(reason) => {
            let problem = gateway(
                StatusCode::SERVICE_UNAVAILABLE,
                "functions_unavailable",
                "Functions do not run on this server.",
            );
            let hint = if owner { reason.clone() } else { "Tell whoever runs this server.".to_owned() };
            problem.hint(hint).cause(reason)
        }
        ServiceError::Build { outcome, log } => {
            let problem = gateway(
                StatusCode::BAD_GATEWAY,
                "function_build_failed",
                "The function's packages could not be installed.",
            );
            if owner { problem.hint(format!("{}.", sentence(&outcome))).log(log) } else { problem }
        }
        ServiceError::Builder(error) => {
            let problem = gateway(
                StatusCode::BAD_GATEWAY,
                "function_build_failed",
                "The function's packages cannot be installed.",
            );
            if owner { problem.hint(format!("{}.", sentence(&error))) } else { problem }.cause(chain(&error))
        }
        ServiceError::VolumeMissing { volume } => of_volume(&StopReason::VolumeMissing { volume }, owner),
        ServiceError::Spec(error) => {
            let problem = gateway(StatusCode::BAD_GATEWAY, "function_start_failed", "The function does not start.");
            if owner { problem.hint(format!("{}.", sentence(&error))) } else { problem }
        }
        ServiceError::Refused(refusal) => of_refusal(refusal, owner),
        ServiceError::Storage(error) => error.into(),
        ServiceError::Objects(error) => {
            gateway(StatusCode::SERVICE_UNAVAILABLE, "files_unavailable", "The code cannot be read now.")
                .hint("Try again in a moment; if it stays, tell whoever runs this server.")
                .retry_after(Duration::from_secs(5))
                .cause(chain(&error))
        }
        ServiceError::Disk(error) => Problem::internal(chain(&error)),
        ServiceError::Internal(cause) => Problem::internal(cause),
    }
}

fn of_refusal(refusal: Refusal, owner: bool) -> Problem {
    let bad = |code, detail: String| Problem::new(StatusCode::BAD_GATEWAY, code, detail);
    match refusal {
        Refusal::QueueFull => {
            let detail = "Too many requests wait for this function already.";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "function_busy", detail)
                .hint("Try again in a moment.")
                .retry_after(Duration::from_secs(1))
        }
        Refusal::Deadline => {
            let detail = "No instance of the function took the request in time.";
            Problem::new(StatusCode::GATEWAY_TIMEOUT, "function_timeout", detail)
                .hint("Try again in a moment.")
                .retry_after(Duration::from_secs(1))
        }
        Refusal::StartFailed { reason, retry_after, .. } if reason.is_of_a_volume() => {
            of_volume(&reason, owner).retry_after(retry_after)
        }
        Refusal::Call(CallError::Ended(reason)) if reason.is_of_a_volume() => of_volume(&reason, owner),
        Refusal::StartFailed { reason, log, retry_after } => {
            let problem = bad("function_start_failed", "The function does not start.".to_owned());
            let problem = problem.retry_after(retry_after).cause(reason.to_string());
            if owner { problem.hint(format!("{}.", sentence(&reason))).log(log) } else { problem }
        }
        Refusal::Retired => {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "function_busy", "The function is being changed.")
                .hint("Try again in a moment.")
                .retry_after(Duration::from_secs(1))
        }
        Refusal::Engine(EngineError::Isolation { missing }) => {
            let problem = Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "functions_unavailable",
                "This server does not keep functions in as well as this one demands.",
            );
            problem.hint(format!("Missing: {}.", missing.join(", ")))
        }
        Refusal::Engine(error) => bad("function_start_failed", "The function does not start.".to_owned())
            .hint(if owner { format!("{}.", sentence(&error)) } else { "Tell its owner.".to_owned() })
            .cause(chain(&error)),
        Refusal::Call(CallError::NoAnswer | CallError::Silence | CallError::TooLong) => {
            Problem::new(StatusCode::GATEWAY_TIMEOUT, "function_timeout", "The function did not answer in time.")
        }
        Refusal::Call(error) => bad("function_broken", format!("{}.", sentence(&error)))
            .hint("What it wrote is in its log.")
            .cause(chain(&error)),
    }
}

/// Which one, only its owner is told.
fn of_volume(reason: &StopReason, owner: bool) -> Problem {
    let problem = match reason {
        StopReason::VolumeFull { .. } => Problem::new(
            StatusCode::INSUFFICIENT_STORAGE,
            "volume_full",
            "A volume that the function writes to is full.",
        ),
        _ => Problem::new(StatusCode::BAD_GATEWAY, "volume_missing", "A volume of the function is not there."),
    };
    let hint = if owner { format!("{}.", sentence(reason)) } else { "Tell its owner.".to_owned() };
    problem.hint(hint).cause(reason.to_string())
}

fn sentence(error: &dyn std::fmt::Display) -> String {
    let text = error.to_string();
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
