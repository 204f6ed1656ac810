//! Asks an instance how it is.

use std::time::Duration;

use http::StatusCode;
use stoa_functions::spec::HealthCheck;
use tokio::time::Instant;

use crate::sandbox::Sandbox;

/// How often an instance is asked that has not been well yet.
const OFTEN: Duration = Duration::from_millis(10);

/// Whether it answered in time with 200 to 399.
pub(crate) async fn is_well(sandbox: &Sandbox, check: &HealthCheck) -> bool {
    let asked = async {
        let connection = sandbox.link.connect().await.ok()?;
        stoa_functions::status_of(connection, &check.path).await.ok()
    };
    let limit = Duration::from_secs(check.timeout_seconds.into());
    let status = tokio::time::timeout(limit, asked).await.ok().flatten();
    status.is_some_and(|status| (StatusCode::OK..StatusCode::BAD_REQUEST).contains(&status))
}

/// Returns when it is well for the first time.
pub(crate) async fn until_well(sandbox: &Sandbox, check: &HealthCheck) {
    while !is_well(sandbox, check).await {
        tokio::time::sleep(OFTEN).await;
    }
}

/// Returns when it has failed too often in a row. `asks` says whether it is to be asked at all.
pub(crate) async fn until_unwell(sandbox: &Sandbox, check: &HealthCheck, asks: impl Fn() -> bool) {
    let period = Duration::from_secs(check.period_seconds.into());
    let mut failures = 0;
    let mut next = Instant::now() + period;
    while failures < check.failures {
        tokio::time::sleep_until(next).await;
        next = Instant::now() + period;
        if !asks() || is_well(sandbox, check).await {
            failures = 0;
        } else if asks() {
            failures += 1;
        }
    }
}
