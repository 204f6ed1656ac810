//! One call: resolve → reserve → attempts → a stream that settles itself.

use std::sync::Arc;

use stoa_model::completion::{
    AnswerForm, CompletionError, CompletionRequest, CompletionStream, LocalOptions, Parameters, PromptMessage, Timers,
    Usage,
};
use stoa_model::conversation::Timings;
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
    /// Runs a model. Answers once the upstream has taken the call; the stream settles the call when it ends or is
    /// dropped, which also cancels it upstream.
    pub async fn call(&self, principal: &Principal, call: Call) -> Result<CompletionStream, CompletionError> {
        let (targets, mut meter) = self.admit(principal, &call)?;
        let mut last = CompletionError::UnknownModel { model: call.model.clone() };
        // An attempt that has given a token is never repeated: a second target is tried only when none was opened.
        for target in targets {
            meter.begin(self.row(principal, &call, &target));
            match Arc::clone(&target.upstream).open(request(&call, &target, principal)).await {
                Ok(stream) => return Ok(Box::pin(Settling::new(stream, meter))),
                Err(error) => {
                    meter.refused(&error);
                    last = error;
                }
            }
        }
        Err(last)
    }

    /// A call of a local model that gives no text, such as one for vectors: `work` computes it and tells what it used. It
    /// is refused, reserved for and settled like any other.
    pub async fn compute<T>(
        &self,
        principal: &Principal,
        model: String,
        work: impl Future<Output = Result<(T, Usage), CompletionError>>,
    ) -> Result<T, CompletionError> {
        let call = Call::without_text(model);
        let (targets, mut meter) = self.admit(principal, &call)?;
        let target = targets.first().ok_or_else(|| CompletionError::UnknownModel { model: call.model.clone() })?;
        meter.begin(self.row(principal, &call, target));
        match work.await {
            Ok((done, usage)) => {
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

    fn row(&self, principal: &Principal, call: &Call, target: &Target) -> UsageRow {
        let now = self.shared.clock.now();
        UsageRow {
            id: UsageId::generate(now),
            at: now,
            user: principal.user_id(),
            api_key: principal.api_key_id(),
            generation: call.generation,
            model: call.model.clone(),
            provider: target.provider,
            outcome: String::new(),
            usage: Usage::default(),
            timings: Timings::default(),
        }
    }
}

fn request(call: &Call, target: &Target, principal: &Principal) -> CompletionRequest {
    CompletionRequest {
        model: target.model.clone(),
        messages: call.messages.clone(),
        parameters: call.parameters.clone(),
        stop: call.stop.clone(),
        seed: call.seed,
        form: call.form.clone(),
        tenant: principal.user_id(),
        timers: call.timers,
        local: call.local.clone(),
    }
}
