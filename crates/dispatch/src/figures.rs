//! What calls of models are counted and measured by.

use std::time::{Duration, Instant};

use stoa_model::completion::Usage;
use stoa_model::provider::split_model_id;
use stoa_telemetry::metrics::prometheus_client::metrics::counter::Counter;
use stoa_telemetry::metrics::prometheus_client::registry::Registry;
use stoa_telemetry::metrics::{BoundedFamily, Distribution, Labels};

/// Provider and model. Only of models that the catalogue has: what somebody makes up is refused before anything is counted.
type Which = Labels<2>;

/// And the outcome.
type Ended = Labels<3>;

fn which(provider: &str, model: &str) -> Which {
    [("provider", provider.to_owned()), ("model", model.to_owned())]
}

fn ended(which: Which, outcome: &str) -> Ended {
    let [provider, model] = which;
    [provider, model, ("outcome", outcome.to_owned())]
}

/// The figures of all calls.
#[derive(Clone, Debug)]
pub(crate) struct Figures {
    calls: BoundedFamily<Ended, Counter>,
    first_token: BoundedFamily<Which, Distribution>,
    between_tokens: BoundedFamily<Which, Distribution>,
    tokens_in: BoundedFamily<Which, Counter>,
    tokens_out: BoundedFamily<Which, Counter>,
}

impl Default for Figures {
    fn default() -> Self {
        let other = || which("other", "other");
        Self {
            calls: BoundedFamily::new(ended(other(), "other")),
            first_token: BoundedFamily::new(other()),
            between_tokens: BoundedFamily::new(other()),
            tokens_in: BoundedFamily::new(other()),
            tokens_out: BoundedFamily::new(other()),
        }
    }
}

impl Figures {
    pub(crate) fn register(&self, registry: &mut Registry) {
        let Self { calls, first_token, between_tokens, tokens_in, tokens_out } = self.clone();
        registry.register("model_calls", "Calls of models that have ended, by how", calls);
        let name = "model_first_token_seconds";
        registry.register(name, "From the call to the first part of its answer", first_token);
        let name = "model_between_tokens_seconds";
        registry.register(name, "From one part of an answer to the next", between_tokens);
        registry.register("model_tokens_in", "Tokens of prompts", tokens_in);
        registry.register("model_tokens_out", "Tokens of answers", tokens_out);
    }

    /// Looks up, once for the call, what is counted with each of its tokens. `model` is a public id.
    pub(crate) fn attempt(&self, model: &str) -> Attempt {
        let (provider, model) = split_model_id(model).unwrap_or(("other", model));
        let which = which(provider, model);
        Attempt {
            figures: self.clone(),
            first_token: self.first_token.get(&which),
            between_tokens: self.between_tokens.get(&which),
            begun: Instant::now(),
            last: None,
            which,
        }
    }
}

/// One try of one upstream.
pub(crate) struct Attempt {
    figures: Figures,
    which: Which,
    first_token: Distribution,
    between_tokens: Distribution,
    begun: Instant,
    last: Option<Duration>,
}

impl Attempt {
    pub(crate) fn token(&mut self) {
        let now = self.begun.elapsed();
        match self.last.replace(now) {
            None => self.first_token.observe(now),
            Some(before) => self.between_tokens.observe(now.saturating_sub(before)),
        }
    }

    pub(crate) fn end(self, outcome: &str, usage: &Usage) {
        self.figures.tokens_in.get(&self.which).inc_by(usage.prompt_tokens);
        self.figures.tokens_out.get(&self.which).inc_by(usage.completion_tokens);
        self.figures.calls.get(&ended(self.which, outcome)).inc();
    }
}
