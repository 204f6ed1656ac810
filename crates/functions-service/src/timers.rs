//! Calls at times: looks every second for timers that are due, and makes their calls. Of several servers one does.

use std::time::Duration;

use bytes::Bytes;
use croner::Cron;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderName, HeaderValue, Request};
use http_body_util::{BodyExt as _, Full, Limited};
use stoa_model::Timestamp;
use stoa_model::function::{TimerProfile, TimerRun};
use stoa_storage::DueTimer;
use tokio_util::sync::CancellationToken;

use crate::routing::Target;
use crate::service::{Caller, FunctionService, ServiceError, Whom};

const LOOK_EVERY: Duration = Duration::from_secs(1);
const AT_ONCE: u64 = 50;
/// As much of an answer as is read; nobody gets it.
const ANSWER_BYTES: usize = 16 * 1024 * 1024;

/// Says to the function that it is called by a timer.
const TIMER: HeaderName = HeaderName::from_static("x-stoa-timer");

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TimerError {
    #[error("these are not the five fields of a cron expression: {0}")]
    Cron(String),
    #[error("there is no time zone of that name")]
    TimeZone,
}

/// When a timer is due after a moment. Times that a clock change leaves out are skipped; those that come twice count once.
pub fn next_run(cron: &str, time_zone: &str, after: Timestamp) -> Result<Option<Timestamp>, TimerError> {
    let zone: chrono_tz::Tz = time_zone.parse().map_err(|_| TimerError::TimeZone)?;
    let cron: Cron = cron.parse().map_err(|error: croner::errors::CronError| TimerError::Cron(error.to_string()))?;
    let moment = chrono::DateTime::from_timestamp_millis(after.as_millis());
    let moment = moment.ok_or_else(|| TimerError::Cron("the time is out of range".to_owned()))?.with_timezone(&zone);
    // It is never due within a lifetime: 30 February.
    let next = cron.find_next_occurrence(&moment, false).ok();
    Ok(next.map(|next| Timestamp::from_millis(next.timestamp() * 1_000)))
}

pub(crate) async fn keep(service: FunctionService, shutdown: CancellationToken) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = shutdown.cancelled() => return,
        }
        let now = service.clock().now();
        match service.database().due_function_timers(now, AT_ONCE).await {
            Ok(due) => {
                for timer in due {
                    take(&service, timer, now).await;
                }
            }
            Err(error) => tracing::warn!(%error, "timers could not be read"),
        }
    }
}

async fn take(service: &FunctionService, due: DueTimer, now: Timestamp) {
    let profile = &due.timer.profile;
    // What was missed while no server ran is made up for once.
    let next = next_run(&profile.cron, &profile.time_zone, now).ok().flatten();
    match service.database().take_function_timer(&due, next).await {
        Ok(true) => {}
        Ok(false) => return,
        Err(error) => return tracing::warn!(%error, "a timer could not be taken"),
    }
    let task = service.clone();
    service.tracker().spawn(async move {
        let called = call(&task, &due).await;
        let (status, problem) = match called {
            Ok(status) => (Some(status), None),
            Err(error) => (None, Some(error.to_string())),
        };
        if let Err(error) = task.database().note_timer_run(due.timer.id, &TimerRun { at: now, status, problem }).await {
            tracing::warn!(%error, "the run of a timer could not be noted");
        }
    });
}

async fn call(service: &FunctionService, due: &DueTimer) -> Result<u16, ServiceError> {
    let TimerProfile { alias, path, body, .. } = &due.timer.profile;
    let kind =
        if serde_json::from_str::<serde::de::IgnoredAny>(body).is_ok() { "application/json" } else { "text/plain" };
    let id =
        HeaderValue::from_str(&due.timer.id.to_string()).map_err(|error| ServiceError::Internal(error.to_string()))?;
    let request = Request::post(path.as_str())
        .header(HOST, "localhost")
        .header(CONTENT_TYPE, kind)
        .header(TIMER, id)
        .body(Full::new(Bytes::from(body.clone())).map_err(|never| match never {}).boxed_unsync())
        .map_err(|error| ServiceError::Internal(error.to_string()))?;
    let function = service.callable(&Whom::Id(due.function)).await?;
    let caller = Caller { user: Some(function.owner), queue: "timers".to_owned(), ..Caller::default() };
    let response = service.call(&function, &Target::Alias(alias.clone()), &caller, request).await?;
    let status = response.status().as_u16();
    // To its end, as whoever works while it answers is not to be stopped.
    let read = Limited::new(response.into_body(), ANSWER_BYTES).collect().await;
    read.map(|_| status).map_err(|error| ServiceError::Internal(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::from_millis(chrono::DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis())
    }

    #[test]
    fn a_timer_is_due_by_the_clock_of_its_zone_summer_and_winter() {
        let next = |after: &str| next_run("0 7 * * *", "Europe/Berlin", at(after)).unwrap().unwrap();
        assert_eq!(next("2026-07-01T00:00:00Z"), at("2026-07-01T05:00:00Z"));
        assert_eq!(next("2026-12-01T00:00:00Z"), at("2026-12-01T06:00:00Z"));
        assert_eq!(next("2026-12-01T06:00:00Z"), at("2026-12-02T06:00:00Z"), "not again at once");
    }

    #[test]
    fn a_night_without_that_hour_and_one_with_two_of_them() {
        let next = |after: &str| next_run("30 2 * * *", "Europe/Berlin", at(after)).unwrap().unwrap();
        // On 29 March 2026, it is 3 o'clock after 2.
        let spring = next("2026-03-28T12:00:00Z");
        assert!(spring >= at("2026-03-29T01:00:00Z") && spring <= at("2026-03-30T00:30:00Z"), "{spring:?}");
        // On 25 October 2026, it is 2 o'clock twice.
        let first = next("2026-10-24T12:00:00Z");
        assert!(first == at("2026-10-25T00:30:00Z") || first == at("2026-10-25T01:30:00Z"), "{first:?}");
    }

    #[test]
    fn what_is_no_time_is_refused_and_what_never_comes_is_never_due() {
        let now = at("2026-01-01T00:00:00Z");
        assert!(matches!(next_run("every day", "UTC", now), Err(TimerError::Cron(_))));
        assert_eq!(next_run("* * * * *", "Mars/Olympus", now), Err(TimerError::TimeZone));
        assert_eq!(next_run("0 0 30 2 *", "UTC", now), Ok(None));
    }
}
