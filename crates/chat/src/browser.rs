//! Answers that the user's own browser writes, because only it reaches the provider: what it has to call, and what it
//! uploads of the answer.

use stoa_model::completion::{AnswerForm, CompletionError, CompletionRequest, LocalOptions, PartKind, Timers, Usage};
use stoa_model::conversation::{Failure, MessageStatus, Part, Timings};
use stoa_model::own::admitted;
use stoa_model::personal::split_personal_id;
use stoa_model::provider::{Ability, Prices, sees};
use stoa_model::{GenerationId, Principal, UsageId};
use stoa_storage::{
    BrowserAppend, BrowserStep, Chunk, EndLog, LogSoFar, Outcome, StorageError, StoredPersonalProvider, TurnIds,
    UsageRow,
};

use crate::engine::{ChatError, Engine};
use crate::live::EndReason;
use crate::log;
use crate::pictures::Gallery;
use crate::run::{ANSWER_BYTES, failure, prompt, too_long};

/// What the browser is to ask, and whom.
#[derive(Clone, Debug)]
pub struct BrowserCall {
    pub provider: StoredPersonalProvider,
    pub request: CompletionRequest,
}

/// More of an answer, as its browser has it.
#[derive(Clone, Debug)]
pub struct Upload {
    /// The sequence number of the first delta. What is known already may come again.
    pub first_seq: u64,
    pub deltas: Vec<(PartKind, String)>,
    pub end: Option<UploadEnd>,
}

impl Upload {
    /// Nothing more but the end.
    pub(crate) const fn ending(end: UploadEnd) -> Self {
        Self { first_seq: 0, deltas: Vec::new(), end: Some(end) }
    }
}

/// How the browser says that an answer ended.
#[derive(Clone, Debug)]
pub struct UploadEnd {
    pub reason: EndReason,
    /// As the provider told the browser. Nobody can vouch for it.
    pub usage: Option<Usage>,
    pub timings: Timings,
    /// How long the model thought.
    pub reasoning_ms: u64,
}

/// What the browser has to call to write the answer of `turn`, and whom.
pub(crate) async fn call(
    engine: &Engine,
    principal: &Principal,
    turn: &TurnIds,
    provider: StoredPersonalProvider,
) -> Result<BrowserCall, Failure> {
    let name = split_personal_id(&turn.model).map_or("", |(_, name)| name);
    let model = provider.provider.model(name);
    let abilities = model.map_or(&[][..], |model| &model.abilities);
    let mut parameters = turn.parameters.clone();
    parameters.own = admitted(model.and_then(|model| model.parameters.as_ref()), &parameters.own)
        .map_err(|fault| failure(&CompletionError::Invalid { detail: fault.to_string() }))?;
    let gallery =
        Gallery::load(engine, principal, sees(abilities, false) == Some(false), &turn.history.messages).await?;
    let think = turn.parameters.think.filter(|_| abilities.contains(&Ability::Reasoning));
    let request = CompletionRequest {
        model: name.to_owned(),
        messages: prompt(&turn.role, turn.template.as_ref(), &turn.history, &turn.base, &gallery),
        parameters,
        stop: Vec::new(),
        seed: None,
        form: AnswerForm { think, ..AnswerForm::default() },
        tenant: None,
        depth: 0,
        timers: Timers::default(),
        local: LocalOptions::default(),
    };
    Ok(BrowserCall { provider, request })
}

/// Keeps what a browser uploads.
pub(crate) async fn take(
    engine: &Engine,
    principal: &Principal,
    id: GenerationId,
    upload: Upload,
) -> Result<BrowserAppend, ChatError> {
    let (first_seq, deltas) = (upload.first_seq, upload.deltas);
    let prices = match &upload.end {
        Some(end) if end.usage.is_some() => prices(engine, principal, id).await?,
        _ => None,
    };
    let (user, now) = (principal.user_id(), engine.now());
    let step = move |so_far: LogSoFar| {
        let chunk = fresh(so_far.last_seq, first_seq, &deltas)?;
        let grown = so_far.bytes.saturating_add(chunk.as_ref().map_or(0, |chunk| bytes(&chunk.data)));
        let end = if grown > bytes_of_an_answer() { Some(UploadEnd::overlong()) } else { upload.end };
        let row = UsageRow {
            id: UsageId::generate(now),
            at: so_far.started_at,
            user,
            api_key: None,
            generation: Some(id),
            function: None,
            model: so_far.model,
            provider: None,
            outcome: String::new(),
            usage: Usage::default(),
            timings: Timings::default(),
            by_browser: true,
        };
        Ok(BrowserStep { chunk, end: end.map(|end| end.folding(prices, row)) })
    };
    let appended = engine.database().append_by_browser(principal, id, now, step).await?;
    engine.nudge(id);
    Ok(appended)
}

/// What the deltas add to a log that ends with `last_seq`.
fn fresh(last_seq: u64, first_seq: u64, deltas: &[(PartKind, String)]) -> Result<Option<Chunk>, StorageError> {
    if deltas.is_empty() {
        return Ok(None);
    }
    if first_seq > last_seq + 1 {
        return Err(StorageError::Refused("what was written before this has not come yet"));
    }
    let known = usize::try_from(last_seq + 1 - first_seq).unwrap_or(usize::MAX);
    let fresh = deltas.get(known..).unwrap_or_default();
    let Some(added) = u64::try_from(fresh.len()).ok().filter(|added| *added > 0) else { return Ok(None) };
    let mut data = Vec::new();
    log::encode(&mut data, fresh.iter().map(|(part, text)| (*part, text.as_str())));
    Ok(Some(Chunk { first_seq: last_seq + 1, last_seq: last_seq + added, data }))
}

/// What the model's owner has written down of its prices.
async fn prices(engine: &Engine, principal: &Principal, id: GenerationId) -> Result<Option<Prices>, ChatError> {
    let model = engine.database().generation(principal, id).await?.model;
    let Some((slug, name)) = split_personal_id(&model) else { return Ok(None) };
    let found = engine.database().personal_provider_by_slug(principal, slug).await?;
    Ok(found.and_then(|found| found.provider.model(name).and_then(|model| model.prices)))
}

impl UploadEnd {
    pub(crate) fn stopped() -> Self {
        Self { reason: EndReason::Stopped, usage: None, timings: Timings::default(), reasoning_ms: 0 }
    }

    /// An answer that grew past all bounds.
    fn overlong() -> Self {
        Self { reason: EndReason::Failed(too_long()), ..Self::stopped() }
    }

    /// Makes the message of what was written; `row` is completed for the ledger.
    fn folding(self, prices: Option<Prices>, mut row: UsageRow) -> EndLog {
        let usage = self.usage.map(|usage| Usage { cost: prices.map(|prices| prices.cost(&usage)), ..usage });
        let (status, outcome) = match &self.reason {
            EndReason::Finished(reason) => (MessageStatus::Complete, reason.as_str()),
            EndReason::Stopped => (MessageStatus::Stopped, MessageStatus::Stopped.as_str()),
            EndReason::Interrupted => (MessageStatus::Interrupted, MessageStatus::Interrupted.as_str()),
            EndReason::Failed(failure) => (MessageStatus::Failed, failure.code.as_str()),
        };
        outcome.clone_into(&mut row.outcome);
        row.usage = usage.unwrap_or_default();
        row.timings = self.timings;
        Box::new(move |base, chunks| {
            let mut parts = log::fold(base, chunks);
            if let Some(Part::Reasoning { duration_ms, .. }) =
                parts.iter_mut().rev().find(|part| matches!(part, Part::Reasoning { .. }))
                && *duration_ms == 0
            {
                *duration_ms = self.reasoning_ms.max(1);
            }
            let (error, finish_reason) = match self.reason {
                EndReason::Finished(reason) => (None, Some(reason)),
                EndReason::Failed(failure) => (Some(failure), None),
                EndReason::Stopped | EndReason::Interrupted => (None, None),
            };
            Outcome {
                status,
                parts,
                usage,
                timings: Some(self.timings),
                error,
                finish_reason,
                stand_in: None,
                last_seq: chunks.last().map_or(0, |chunk| chunk.last_seq),
                calls: vec![row],
            }
        })
    }
}

fn bytes(data: &[u8]) -> u64 {
    u64::try_from(data.len()).unwrap_or(u64::MAX)
}

fn bytes_of_an_answer() -> u64 {
    u64::try_from(ANSWER_BYTES).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deltas(texts: &[&str]) -> Vec<(PartKind, String)> {
        texts.iter().map(|text| (PartKind::Text, (*text).to_owned())).collect()
    }

    #[test]
    fn what_comes_twice_is_kept_once_and_what_is_missing_is_told() {
        let chunk = fresh(0, 1, &deltas(&["a", "b"])).unwrap().unwrap();
        assert_eq!((chunk.first_seq, chunk.last_seq), (1, 2));
        // The answer to an upload was lost, and it came again with more.
        let chunk = fresh(2, 1, &deltas(&["a", "b", "c"])).unwrap().unwrap();
        assert_eq!((chunk.first_seq, chunk.last_seq), (3, 3));
        assert_eq!(log::decode(&chunk).unwrap(), [(PartKind::Text, "c")]);
        assert!(fresh(3, 1, &deltas(&["a", "b", "c"])).unwrap().is_none());
        assert!(fresh(9, 1, &deltas(&["a"])).unwrap().is_none());
        assert!(fresh(3, 9, &[]).unwrap().is_none(), "a sign of life says nothing");
        assert!(matches!(fresh(1, 3, &deltas(&["c"])), Err(StorageError::Refused(_))));
    }
}
