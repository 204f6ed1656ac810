//! One run: a call of the model whose events go into the live log, whoever is watching.

use std::sync::Arc;
use std::time::Instant;

use futures_util::StreamExt as _;
use stoa_dispatch::{Answering, Call, Receipt};
use stoa_model::assistant::{TemplateValues, fill_template};
use stoa_model::completion::{
    AnswerForm, CompletionError, CompletionEvent, FinishReason, LocalEvent, LocalOptions, PartKind, PromptMessage,
    Timers,
};
use stoa_model::conversation::{Failure, MessageRole, MessageStatus, Part, Timings};
use stoa_model::provider::Ability;
use stoa_model::{Image, Principal};
use stoa_storage::{History, InputTemplate, Outcome, TurnIds, UsageRow};

use crate::engine::Engine;
use crate::flusher::{Ending, Run};
use crate::live::EndReason;
use crate::pictures::Gallery;
use crate::{summary, title};

/// The longest answer that is kept, in bytes. Far beyond any model's; an upstream that sends for ever ends here.
pub(crate) const ANSWER_BYTES: usize = 8 * 1024 * 1024;

/// What stands above a summary.
const SUMMED_UP: &str = "A summary of our conversation so far:";

/// What stands above an answer that nothing leads to.
const EARLIER: &str = "Earlier you answered:";

/// What is asked of a model when an answer is to go on.
const GO_ON: &str = "Continue your previous answer exactly where it stopped. Do not repeat any of it.";

/// Writes one answer to its end. Never fails: whatever happens becomes the outcome of the generation.
pub(crate) async fn write(engine: Engine, principal: Principal, turn: TurnIds, run: Arc<Run>) {
    let mut clock = Stopwatch::start();
    let receipt = engine.dispatch().receipt();
    let reason = tokio::select! {
        biased;
        () = run.lost.cancelled() => None,
        () = run.stop.cancelled() => Some(EndReason::Stopped),
        () = engine.interrupted() => Some(EndReason::Interrupted),
        result = answer(&engine, &principal, &turn, &run, &receipt, &mut clock) => Some(match result {
            Ok(reason) => EndReason::Finished(reason),
            Err(failure) => EndReason::Failed(failure),
        }),
    };
    match reason {
        Some(reason) => {
            let finished = matches!(reason, EndReason::Finished(_));
            let outcome = outcome(&run, &reason, &clock, receipt.take());
            let parts = outcome.parts.clone();
            engine.flusher().finish(&run, Ending { outcome, reason });
            // It may have been taken over, or its conversation be gone, by the time its end is written.
            tokio::select! {
                biased;
                () = run.kept.cancelled() => {}
                () = run.lost.cancelled() => return engine.hand_over(&run).await,
            }
            if finished && turn.untitled {
                title::suggest(&engine, &principal, &turn, &parts).await;
            }
            if finished {
                summary::by_itself(&engine, &principal, &turn, &run).await;
            }
        }
        None => engine.hand_over(&run).await,
    }
}

async fn answer(
    engine: &Engine,
    principal: &Principal,
    turn: &TurnIds,
    run: &Arc<Run>,
    receipt: &Receipt,
    clock: &mut Stopwatch,
) -> Result<FinishReason, Failure> {
    let model = || engine.dispatch().model(principal, &turn.model);
    let thinks = || model().is_some_and(|model| model.abilities.contains(&Ability::Reasoning));
    let think = turn.parameters.think.filter(|_| thinks());
    let blind = model().is_some_and(|model| model.sees == Some(false));
    let gallery = Gallery::load(engine, principal, blind, &turn.history.messages).await?;
    let call = Call {
        model: turn.model.clone(),
        messages: prompt(&turn.role, turn.template.as_ref(), &turn.history, &turn.base, &gallery),
        parameters: turn.parameters.clone(),
        stop: Vec::new(),
        seed: None,
        form: AnswerForm { think, ..AnswerForm::default() },
        timers: Timers::default(),
        local: LocalOptions::default(),
        generation: Some(turn.generation),
        receipt: Some(receipt.clone()),
    };
    drop(gallery);
    let Answering { stand_in, mut events } =
        engine.dispatch().call(principal, call).await.map_err(|error| failure(&error))?;
    if let Some(model) = stand_in {
        run.live.set_stand_in(model);
    }
    while let Some(event) = events.next().await {
        match event.map_err(|error| failure(&error))? {
            CompletionEvent::Delta { part, text } if !text.is_empty() => {
                clock.token(part);
                let bytes = run.live.push(part, &text);
                engine.flusher().touch(run);
                if bytes > ANSWER_BYTES {
                    return Err(too_long());
                }
            }
            CompletionEvent::Local(LocalEvent::Queued { ahead }) => run.live.set_ahead(ahead),
            // Nothing here offers tools.
            CompletionEvent::Delta { .. } | CompletionEvent::ToolCall(_) | CompletionEvent::Local(_) => {}
            CompletionEvent::Usage(usage) => run.live.set_usage(usage),
            CompletionEvent::Finish(reason) => return Ok(reason),
        }
    }
    Err(failure(&CompletionError::CutOff))
}

/// The messages that the model gets. Reasoning of earlier answers is not sent back.
pub(crate) fn prompt(
    role: &str,
    template: Option<&InputTemplate>,
    history: &History,
    base: &[Part],
    gallery: &Gallery,
) -> Vec<PromptMessage> {
    let mut messages: Vec<PromptMessage> = Vec::with_capacity(history.messages.len() + 4);
    let mut say = |role: MessageRole, text: String, images: Vec<Image>| {
        if text.is_empty() && images.is_empty() {
            return;
        }
        let said = PromptMessage { images, ..PromptMessage::new(role, text) };
        // Where an answer was taken out, two questions follow one another, which many models do not take.
        match messages.last_mut() {
            Some(before) if role == MessageRole::User && before.role == said.role => join(before, said),
            _ => messages.push(said),
        }
    };
    say(MessageRole::System, role.to_owned(), Vec::new());
    if let Some(summary) = &history.summary {
        // Not in the role, for it holds what users and models said.
        say(MessageRole::User, format!("{SUMMED_UP}\n\n{}", summary.text), Vec::new());
    }
    // Many services take no talk that an answer begins.
    let earlier =
        history.messages.first().filter(|first| history.summary.is_none() && first.role == MessageRole::Assistant);
    for message in &history.messages {
        let (text, mut images) = gallery.show(&message.parts);
        match template.filter(|_| message.role == MessageRole::User) {
            // By the time of each message, so that what was sent before stays as it was.
            Some(template) => {
                let values = TemplateValues { text: &text, at: message.created_at, user: &template.user };
                // Where the text has gone, only the template knows.
                for image in &mut images {
                    image.at = 0;
                }
                say(message.role, fill_template(&template.text, values), images);
            }
            None if !text.is_empty() && earlier.is_some_and(|first| first.id == message.id) => {
                say(MessageRole::User, format!("{EARLIER}\n\n{text}"), images);
            }
            None => say(message.role, text, images),
        }
    }
    let begun = text_of(base);
    if !begun.is_empty() {
        say(MessageRole::Assistant, begun, Vec::new());
        say(MessageRole::User, GO_ON.to_owned(), Vec::new());
    }
    messages
}

/// Lets a message go on with what another says.
fn join(message: &mut PromptMessage, more: PromptMessage) {
    if !message.text.is_empty() && !more.text.is_empty() {
        message.text.push_str("\n\n");
    }
    let begin = message.text.len();
    message.text.push_str(&more.text);
    message.images.extend(more.images.into_iter().map(|mut image| {
        image.at += begin;
        image
    }));
}

fn text_of(parts: &[Part]) -> String {
    parts.iter().filter(|part| part.is_text()).map(Part::text).collect()
}

fn outcome(run: &Run, reason: &EndReason, clock: &Stopwatch, calls: Vec<UsageRow>) -> Outcome {
    let mut parts = run.live.parts();
    clock.note_reasoning(&mut parts);
    Outcome {
        status: match reason {
            EndReason::Finished(_) => MessageStatus::Complete,
            EndReason::Stopped => MessageStatus::Stopped,
            EndReason::Interrupted => MessageStatus::Interrupted,
            EndReason::Failed(_) => MessageStatus::Failed,
        },
        parts,
        usage: run.live.usage(),
        timings: Some(clock.timings()),
        error: match reason {
            EndReason::Failed(failure) => Some(failure.clone()),
            _ => None,
        },
        finish_reason: match reason {
            EndReason::Finished(reason) => Some(*reason),
            _ => None,
        },
        stand_in: run.live.stand_in(),
        last_seq: run.live.last_seq(),
        calls,
    }
}

pub(crate) fn failure(error: &CompletionError) -> Failure {
    let authority = match error {
        CompletionError::AddressRefused { authority } => Some(authority.clone()),
        _ => None,
    };
    Failure { code: error.code().to_owned(), detail: error.to_string(), authority }
}

pub(crate) fn too_long() -> Failure {
    Failure {
        code: "answer_too_long".to_owned(),
        detail: format!("the answer grew past {} MiB and was ended", ANSWER_BYTES >> 20),
        authority: None,
    }
}

/// Measures one answer.
struct Stopwatch {
    begun: Instant,
    first_token: Option<Instant>,
    first_reasoning: Option<Instant>,
    last_reasoning: Option<Instant>,
}

impl Stopwatch {
    fn start() -> Self {
        Self { begun: Instant::now(), first_token: None, first_reasoning: None, last_reasoning: None }
    }

    fn token(&mut self, part: PartKind) {
        if part == PartKind::Reasoning {
            let now = Instant::now();
            self.first_reasoning.get_or_insert(now);
            self.first_token.get_or_insert(now);
            self.last_reasoning = Some(now);
        } else if self.first_token.is_none() {
            self.first_token = Some(Instant::now());
        }
    }

    fn timings(&self) -> Timings {
        Timings {
            first_token_ms: self.first_token.map_or(0, |at| millis(at - self.begun)),
            total_ms: millis(self.begun.elapsed()),
        }
    }

    /// Writes how long the model thought into its last reasoning.
    fn note_reasoning(&self, parts: &mut [Part]) {
        let (Some(first), Some(last)) = (self.first_reasoning, self.last_reasoning) else { return };
        for part in parts.iter_mut().rev() {
            if let Part::Reasoning { duration_ms, .. } = part {
                *duration_ms = millis(last - first).max(1);
                return;
            }
        }
    }
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn questions_that_follow_one_another_are_one() {
        let png = [0x89, b'P', b'N', b'G', 0x0D, 0x0A, 0x1A, 0x0A, 0, 0, 0, 0];
        let image = Image::new(png.to_vec(), 3).unwrap();
        let mut first = PromptMessage::new(MessageRole::User, "One");
        let second = PromptMessage { images: vec![image], ..PromptMessage::new(MessageRole::User, "Two") };
        join(&mut first, second);
        assert_eq!((first.text.as_str(), first.images[0].at), ("One\n\nTwo", 8));
        let mut nothing = PromptMessage::new(MessageRole::User, "");
        join(&mut nothing, PromptMessage::new(MessageRole::User, "Two"));
        assert_eq!(nothing.text, "Two");
    }

    #[test]
    fn a_continued_answer_is_sent_as_its_beginning_and_a_request_to_go_on() {
        let base = [
            Part::Reasoning { text: "secret thought".to_owned(), duration_ms: 5 },
            Part::Text { text: "Once upon".to_owned() },
        ];
        let messages = prompt("Be brief.", None, &History::default(), &base, &Gallery::default());
        assert_eq!(
            messages,
            [
                PromptMessage::new(MessageRole::System, "Be brief."),
                PromptMessage::new(MessageRole::Assistant, "Once upon"),
                PromptMessage::new(MessageRole::User, GO_ON),
            ]
        );
    }
}
