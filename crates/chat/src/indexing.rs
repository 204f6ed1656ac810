//! Indexes for search what was written before there was an index, or by a replica of an earlier version.

use std::time::Duration;

use crate::engine::Engine;

/// Texts of one transaction: on SQLite nobody else writes meanwhile.
const AT_ONCE: u64 = 100;
/// Between two transactions there is room for others.
const PAUSE: Duration = Duration::from_millis(10);
const EVERY: Duration = Duration::from_secs(15);

pub(crate) async fn keep(engine: Engine) {
    let mut done = 0;
    loop {
        let indexed = engine.database().index_pending(AT_ONCE).await;
        let pause = match indexed {
            Ok(indexed) if indexed == AT_ONCE => PAUSE,
            Ok(_) => EVERY,
            Err(ref error) => {
                tracing::warn!(%error, "indexing for search is put off");
                EVERY
            }
        };
        done += indexed.unwrap_or(0);
        if pause == EVERY && done > 0 {
            tracing::info!(texts = done, "what waited for the search index is indexed");
            done = 0;
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = engine.closed() => return,
        }
    }
}
