//! One call: resolve → reserve → attempts → a stream that settles itself.

use std::sync::Arc;

use futures_util::{StreamExt as _, stream};
use stoa_model::completion::{
    AnswerForm, CompletionError, CompletionEvent, CompletionRequest, CompletionStream, LocalOptions, Parameters,
    PromptMessage, Timers, Usage,
};
use stoa_model::conversation::Timings;
use stoa_model::embedding::{Embedded, EmbeddingRequest};
use stoa_model::own::admitted;
use stoa_model::provider::{Ability, AvailableModel};
use stoa_model::{GenerationId, Principal, Scope, UsageId};
use stoa_storage::UsageRow;

use crate::catalogue::Target;
use crate::settling::{Meter, Settling};
use crate::{Dispatch, Receipt};

/// What is asked of a model, by its public id.
#[derive(Clone, Debug)]
pub struct Call {
    /// `slug/name`.
    pub model: String,
    pub messages: Vec<PromptMessage>,
    pub parameters: Parameters,
    pub stop: Vec<String>,
    pub seed: Option<u32>,
    pub form: AnswerForm,
    pub timers: Timers,
    pub local: LocalOptions,
    /// The generation that this call writes, if any, for the ledger.
    pub generation: Option<GenerationId>,
    /// Where the rows of the ledger go when the caller writes them; otherwise the ledger writes them by itself.
    pub receipt: Option<Receipt>,
}

/// A call that has been taken.
pub struct Answering {
    /// The id (`slug/name`) of the model that answers in the place of the one that was asked.
    pub stand_in: Option<String>,
    pub events: CompletionStream,
}

impl Call {
    fn without_text(model: String) -> Self {
        Self {
            model,
            messages: Vec::new(),
            parameters: Parameters::default(),
            stop: Vec::new(),
            seed: None,
            form: AnswerForm::default(),
            timers: Timers::default(),
            local: LocalOptions::default(),
            generation: None,
            receipt: None,
        }
    }
}

impl Dispatch {
    /// Runs a model. Answers once the upstream has taken the call or, where another model could stand in, has said
    /// something; the stream settles the call when it ends or is dropped, which also cancels it upstream.
    pub async fn call(&self, principal: &Principal, call: Call) -> Result<Answering, CompletionError> {
        let (mut targets, mut meter) = self.admit(principal, &call)?;
        targets.retain(|target| target.id == call.model || self.may_stand_in(principal, target, &call));
        let rests = |target: &Target| self.shared.rests.rests(target.provider, self.shared.clock.now());
        // Stable: where all of them rest, or none, the one that was asked comes first.
        targets.sort_by_key(rests);
        let mut fault = None;
        let last = targets.len().saturating_sub(1);
        for (place, target) in targets.into_iter().enumerate() {
            meter.begin(self.row(principal, &call, &target), target.prices);
            let mut opened = match self.request(&call, &target, principal) {
                Ok(request) => Arc::clone(&target.upstream).open(request).await,
                Err(error) => Err(error),
            };
            if place < last
                && let Ok(stream) = opened
            {
                // What has said something is never repeated.
                opened = until_it_speaks(stream).await;
            }
            self.shared.rests.note(target.provider, opened.as_ref().err(), self.shared.clock.now());
            let asked = target.id == call.model;
            match opened {
                Ok(stream) => {
                    let stand_in = (!asked).then_some(target.id);
                    return Ok(Answering { stand_in, events: Box::pin(Settling::new(stream, meter)) });
                }
                Err(error) => {
                    meter.refused(&error);
                    // Whatever is wrong with a stand-in that was asked first, the model that was meant may answer.
                    let on = place < last && (!asked || error.another_may_answer());
                    if on {
                        tracing::warn!(model = target.id, %error, "a model cannot answer; another is asked");
                    }
                    // The fault of the model that was asked, and not of its stand-in, is what people can do something about.
                    if asked || fault.is_none() {
                        fault = Some(error);
                    }
                    if !on {
                        break;
                    }
                }
            }
        }
        Err(fault.unwrap_or_else(|| CompletionError::UnknownModel { model: call.model.clone() }))
    }

    /// Texts as vectors, by a provider's model. Nobody stands in: vectors of one model mean nothing beside those of another.
    pub async fn embed(
        &self,
        principal: &Principal,
        model: String,
        request: EmbeddingRequest,
    ) -> Result<Embedded, CompletionError> {
        let ask = |target: Target| async move {
            let request = EmbeddingRequest {
                model: target.model,
                tenant: principal.user_id(),
                depth: principal.depth(),
                ..request
            };
            target.upstream.embed(request).await.map(|embedded| (embedded.usage, embedded))
        };
        self.whole(principal, model, ask).await
    }

    /// A call of a local model that gives no text, such as one for vectors: `work` computes it and tells what it used. It
    /// is refused, reserved for and settled like any other.
    pub async fn compute<T>(
        &self,
        principal: &Principal,
        model: String,
        work: impl Future<Output = Result<(T, Usage), CompletionError>>,
    ) -> Result<T, CompletionError> {
        let work = |_| async { work.await.map(|(done, usage)| (usage, done)) };
        self.whole(principal, model, work).await
    }

    /// A call that is answered all at once.
    async fn whole<T, W: Future<Output = Result<(Usage, T), CompletionError>>>(
        &self,
        principal: &Principal,
        model: String,
        work: impl FnOnce(Target) -> W,
    ) -> Result<T, CompletionError> {
        let call = Call::without_text(model);
        let (targets, mut meter) = self.admit(principal, &call)?;
        let target = targets.into_iter().next();
        let target = target.ok_or_else(|| CompletionError::UnknownModel { model: call.model.clone() })?;
        meter.begin(self.row(principal, &call, &target), target.prices);
        match work(target).await {
            Ok((usage, done)) => {
                meter.computed(usage);
                Ok(done)
            }
            Err(error) => {
                meter.refused(&error);
                Err(error)
            }
        }
    }

    /// What stands before every attempt: the right to run models, the ranges of the parameters, the model's targets, and
    /// the budget.
    fn admit(&self, principal: &Principal, call: &Call) -> Result<(Vec<Target>, Meter), CompletionError> {
        if !principal.allows(Scope::Infer) {
            return Err(CompletionError::Invalid { detail: "this key may not run models".to_owned() });
        }
        let invalid = |error: &dyn std::fmt::Display| CompletionError::Invalid { detail: error.to_string() };
        call.parameters.check().and_then(|()| call.local.check()).map_err(|error| invalid(&error))?;
        call.form.tools.check().map_err(|error| invalid(&error))?;
        let targets = self.shared.catalogue.resolve(principal, &call.model)?;
        let reservation = self.shared.budget.reserve(principal, call).map_err(|error| invalid(&error))?;
        Ok((targets, Meter::new(self.clone(), call.receipt.clone(), reservation)))
    }

    pub(crate) fn settle(&self, row: UsageRow, receipt: Option<&Receipt>) {
        match receipt {
            Some(receipt) => receipt.add(row),
            None => self.shared.ledger.record(row),
        }
    }

    /// One that is known to take no pictures has no answer about them.
    fn may_stand_in(&self, principal: &Principal, target: &Target, call: &Call) -> bool {
        let blind = || self.model(principal, &target.id).is_some_and(|model| model.sees == Some(false));
        call.messages.iter().all(|message| message.images.is_empty()) || !blind()
    }

    fn request(
        &self,
        call: &Call,
        target: &Target,
        principal: &Principal,
    ) -> Result<CompletionRequest, CompletionError> {
        let mut form = call.form.clone();
        // How hard to think was said to the model that was asked.
        if form.think.is_some() && target.id != call.model {
            let thinks = |model: AvailableModel| model.abilities.contains(&Ability::Reasoning);
            form.think = form.think.filter(|_| self.model(principal, &target.id).is_some_and(thinks));
        }
        let mut parameters = call.parameters.clone();
        parameters.own = admitted(target.parameters.as_ref(), &parameters.own)
            .map_err(|fault| CompletionError::Invalid { detail: fault.to_string() })?;
        Ok(CompletionRequest {
            model: target.model.clone(),
            messages: call.messages.clone(),
            parameters,
            stop: call.stop.clone(),
            seed: call.seed,
            form,
            tenant: principal.user_id(),
            depth: principal.depth(),
            timers: call.timers,
            local: call.local.clone(),
        })
    }

    fn row(&self, principal: &Principal, call: &Call, target: &Target) -> UsageRow {
        let now = self.shared.clock.now();
        UsageRow {
            id: UsageId::generate(now),
            at: now,
            user: principal.user_id(),
            api_key: principal.api_key_id(),
            generation: call.generation,
            function: principal.function_id(),
            model: target.id.clone(),
            provider: target.provider,
            outcome: String::new(),
            usage: Usage::default(),
            timings: Timings::default(),
            by_browser: false,
        }
    }
}

/// The stream as it was, once its first words or its end are there; what went wrong, if something did before them.
async fn until_it_speaks(mut stream: CompletionStream) -> Result<CompletionStream, CompletionError> {
    let mut heard = Vec::new();
    loop {
        let event = stream.next().await.unwrap_or(Err(CompletionError::CutOff))?;
        let speaks = !matches!(event, CompletionEvent::Usage(_) | CompletionEvent::Local(_));
        heard.push(Ok(event));
        if speaks {
            return Ok(Box::pin(stream::iter(heard).chain(stream)));
        }
    }
}
