//! The stream that a caller reads: a job's events under the clocks of its request.

use std::time::Duration;

use futures_util::stream;
use stoa_model::completion::{CompletionError, CompletionEvent, CompletionStream, LocalEvent, TimedStep, Timers};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::{Instant, timeout_at};

pub(super) type Event = Result<CompletionEvent, CompletionError>;

struct Answer {
    events: UnboundedReceiver<Event>,
    timers: Timers,
    opened: Instant,
    /// When the last event came.
    last: Option<Instant>,
}

/// Dropping the stream drops the receiver, and that is how the lane learns that nobody wants the answer. The channel
/// has no bound of its own: an answer is never longer than the model's context.
pub(super) fn stream(events: UnboundedReceiver<Event>, timers: Timers, opened: Instant) -> CompletionStream {
    let answer = Answer { events, timers, opened, last: None };
    Box::pin(stream::unfold(Some(answer), |answer| async move {
        let mut answer = answer?;
        let event = answer.next().await;
        let ended = matches!(event, Ok(CompletionEvent::Finish(_)) | Err(_));
        Some((event, (!ended).then_some(answer)))
    }))
}

impl Answer {
    async fn next(&mut self) -> Event {
        let (step, after, deadline) = self.deadline();
        let received = timeout_at(deadline, self.events.recv()).await;
        // To wait in line is no part of the answer: its first token still has all of its time.
        if !matches!(received, Ok(Some(Ok(CompletionEvent::Local(LocalEvent::Queued { .. }))))) {
            self.last = Some(Instant::now());
        }
        match received {
            Ok(Some(event)) => event,
            // The lane always says how an answer ends, unless its task was torn down with the whole runtime.
            Ok(None) => Err(CompletionError::CutOff),
            Err(_) => Err(CompletionError::TimedOut { step, after }),
        }
    }

    fn deadline(&self) -> (TimedStep, Duration, Instant) {
        let total = (TimedStep::End, self.timers.total, self.opened + self.timers.total);
        let next = match self.last {
            None => (TimedStep::FirstToken, self.timers.first_token, self.opened + self.timers.first_token),
            Some(last) => (TimedStep::NextToken, self.timers.idle, last + self.timers.idle),
        };
        if next.2 < total.2 { next } else { total }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;
    use stoa_model::completion::{FinishReason, PartKind};
    use tokio::sync::mpsc::unbounded_channel;

    use super::*;

    fn delta() -> CompletionEvent {
        CompletionEvent::Delta { part: PartKind::Text, text: "a".to_owned() }
    }

    #[tokio::test(start_paused = true)]
    async fn each_step_has_its_time() {
        let timers = Timers {
            first_token: Duration::from_secs(5),
            idle: Duration::from_secs(3),
            total: Duration::from_secs(10),
            ..Timers::default()
        };
        let timed_out = |step, seconds| Err(CompletionError::TimedOut { step, after: Duration::from_secs(seconds) });

        let (_events, receiver) = unbounded_channel();
        let mut answer = stream(receiver, timers, Instant::now());
        assert_eq!(answer.next().await, Some(timed_out(TimedStep::FirstToken, 5)));
        assert_eq!(answer.next().await, None);

        let (events, receiver) = unbounded_channel();
        let mut answer = stream(receiver, timers, Instant::now());
        events.send(Ok(delta())).unwrap();
        assert_eq!(answer.next().await, Some(Ok(delta())));
        assert_eq!(answer.next().await, Some(timed_out(TimedStep::NextToken, 3)));
        assert_eq!(answer.next().await, None);
        assert!(events.is_closed(), "the lane learns of it");

        let (events, receiver) = unbounded_channel();
        let mut answer = stream(receiver, timers, Instant::now());
        for _ in 0..5 {
            events.send(Ok(delta())).unwrap();
            assert_eq!(answer.next().await, Some(Ok(delta())));
            tokio::time::sleep(Duration::from_millis(1_900)).await;
        }
        assert_eq!(answer.next().await, Some(timed_out(TimedStep::End, 10)));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_in_line_still_waits_for_the_first_token() {
        let timers = Timers { first_token: Duration::from_secs(5), idle: Duration::from_secs(1), ..Timers::default() };
        let queued = CompletionEvent::Local(LocalEvent::Queued { ahead: 1 });
        let (events, receiver) = unbounded_channel();
        events.send(Ok(queued.clone())).unwrap();
        let opened = Instant::now();
        let mut answer = stream(receiver, timers, opened);
        assert_eq!(answer.next().await, Some(Ok(queued)));
        let after = Duration::from_secs(5);
        assert_eq!(answer.next().await, Some(Err(CompletionError::TimedOut { step: TimedStep::FirstToken, after })));
        assert_eq!(opened.elapsed(), after);
    }

    #[tokio::test]
    async fn the_end_is_the_last_event() {
        let (events, receiver) = unbounded_channel();
        events.send(Ok(delta())).unwrap();
        events.send(Ok(CompletionEvent::Finish(FinishReason::Stop))).unwrap();
        events.send(Ok(delta())).unwrap();
        let answer = stream(receiver, Timers::default(), Instant::now());
        assert_eq!(answer.count().await, 2);
    }
}
