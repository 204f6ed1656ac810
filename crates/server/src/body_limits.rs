//! How large a request's body may be and how long it may take, where that is more than elsewhere.

use std::time::Duration;

use stoa_listener::BodyLimits;

/// An export of everything that somebody has ever said, with pictures.
const IMPORT_BYTES: u64 = 4 * 1024 * 1024 * 1024;
const IMPORT_TIME: Duration = Duration::from_hours(6);
/// A picture; the endpoint says so itself.
const FILE_BYTES: u64 = 24 * 1024 * 1024;

/// A file for a volume of functions; the endpoint says so itself.
pub(crate) const VOLUME_FILE_BYTES: u64 = 4 * 1024 * 1024 * 1024;

/// The code of a function; the endpoints say so themselves.
const CODE_BYTES: u64 = 34 * 1024 * 1024;
/// What a function is sent. It goes through in pieces, and what it costs to take is the function's matter.
const CALL_BYTES: u64 = 256 * 1024 * 1024;

/// The caps of the listener for a request to `path`.
pub fn body_limits(path: &str) -> BodyLimits {
    let usual = BodyLimits::default();
    match path {
        "/api/v1/import" => BodyLimits { max_bytes: IMPORT_BYTES, total_timeout: IMPORT_TIME, ..usual },
        _ if path.starts_with("/api/v1/function-volumes/") => {
            BodyLimits { max_bytes: VOLUME_FILE_BYTES, total_timeout: IMPORT_TIME, ..usual }
        }
        "/api/v1/files" => BodyLimits { max_bytes: FILE_BYTES, ..usual },
        _ if path.starts_with("/api/v1/functions/") => BodyLimits { max_bytes: CODE_BYTES, ..usual },
        _ if path.starts_with("/fn/") => BodyLimits { max_bytes: CALL_BYTES, ..usual },
        _ => usual,
    }
}
