//! Why something about a volume did not come about, in words.

use std::time::Duration;

use http::StatusCode;
use stoa_functions_service::{VolumeError, VolumeTrouble};
use stoa_listener::BodyError;

use crate::problem::{Problem, chain};

impl From<VolumeTrouble> for Problem {
    fn from(trouble: VolumeTrouble) -> Self {
        match trouble {
            VolumeTrouble::Storage(error) => error.into(),
            VolumeTrouble::Volume(error) => of_volume(&error),
            VolumeTrouble::TooLargeTogether { most_mib } => {
                let detail = format!("Your volumes may have {most_mib} MiB together.");
                Self::conflict("volumes_too_large", detail)
                    .hint("Let another one be smaller, or remove one. Whoever runs this server can allow more.")
            }
            VolumeTrouble::Busy => {
                let detail = "Too many files are being sent and fetched.";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", detail)
                    .hint("Try again in a moment.")
                    .retry_after(Duration::from_secs(2))
            }
            VolumeTrouble::TooLarge { most } => {
                let detail = format!("A file has at most {} GiB.", most >> 30);
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail).hint("Send less at once.")
            }
            VolumeTrouble::BrokenOff(error) => match BodyError::find(error.as_ref()) {
                Some(error) => Self::new(error.status(), "body_unreadable", error.to_string()),
                None => Self::bad_request("body_unreadable", "The file did not come to its end."),
            },
            VolumeTrouble::Internal(cause) => Self::internal(cause),
        }
    }
}

fn of_volume(error: &VolumeError) -> Problem {
    let of = |status, code| Problem::new(status, code, format!("{}.", sentence(error)));
    match error {
        VolumeError::NotFound { .. } => of(StatusCode::NOT_FOUND, "no_such_file"),
        VolumeError::NotAFile { .. } => of(StatusCode::UNPROCESSABLE_ENTITY, "not_a_file")
            .hint("Links are not followed, and pipes, sockets and devices are not read."),
        VolumeError::Folder { .. } => of(StatusCode::UNPROCESSABLE_ENTITY, "is_a_folder"),
        VolumeError::Full { .. } => {
            of(StatusCode::INSUFFICIENT_STORAGE, "volume_full").hint("Remove files from it, or let it be larger.")
        }
        VolumeError::Busy => {
            of(StatusCode::CONFLICT, "volume_busy").hint("Stop the functions that write to it, and try again.")
        }
        VolumeError::Missing | VolumeError::Io(_) => {
            let detail = "The volume's files cannot be reached now.";
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "volume_unavailable", detail)
                .hint("Try again in a moment; if it stays, tell whoever runs this server.")
                .cause(chain(error))
        }
    }
}

fn sentence(error: &VolumeError) -> String {
    let text = error.to_string();
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
