//! How often what a folder takes is measured while somebody writes to it. No quota of the file system is there on every host,
//! so it is counted, file by file, and that takes its time.

use std::time::Duration;

/// Between two looks at least, and so many times as long as a look took: a tenth of the time goes into it at most.
const PAUSE: Duration = Duration::from_millis(250);
const REST: u32 = 10;

/// Whether another look costs next to nothing.
pub(crate) fn is_cheap(took: Duration) -> bool {
    took * REST <= PAUSE
}

/// How long a look that took so long is good for.
pub(crate) fn good_for(took: Duration) -> Duration {
    PAUSE.max(took * REST)
}
