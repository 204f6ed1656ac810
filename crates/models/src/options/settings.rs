//! What options mean for a call.

use stoa_model::completion::{CompletionRequest, LocalOptions, ParameterOutOfRange, Parameters};
use stoa_model::own::OwnValues;

use super::ModelOptions;

/// No answer is longer, so a larger bound is the same bound.
const LONGEST_ANSWER: u32 = 1_048_576;

/// The fields of a call that options set.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    pub parameters: Parameters,
    pub local: LocalOptions,
    pub stop: Vec<String>,
    pub seed: Option<u32>,
}

impl From<&ModelOptions> for Settings {
    fn from(options: &ModelOptions) -> Self {
        let sampling = &options.sampling;
        // Below zero: as long as the model likes, but not past the context that was asked for.
        let asked = sampling.num_predict.and_then(|tokens| u32::try_from(tokens).ok()).filter(|tokens| *tokens > 0);
        let longest = asked.or(options.load.num_ctx);
        Self {
            parameters: Parameters {
                temperature: sampling.temperature.map(f64::from),
                top_p: sampling.top_p.map(f64::from),
                presence_penalty: sampling.presence_penalty.map(f64::from),
                frequency_penalty: sampling.frequency_penalty.map(f64::from),
                max_tokens: longest.map(|tokens| tokens.min(LONGEST_ANSWER)),
                // Ollama's protocol says it beside the options.
                think: None,
                own: OwnValues::default(),
            },
            local: LocalOptions {
                top_k: sampling.top_k,
                min_p: sampling.min_p.map(f64::from),
                typical_p: sampling.typical_p.map(f64::from),
                repeat_penalty: sampling.repeat_penalty.map(f64::from),
                repeat_last_n: sampling.repeat_last_n,
                ..LocalOptions::default()
            },
            stop: sampling.stop.clone().unwrap_or_default(),
            seed: sampling.seed.filter(|seed| *seed >= 0).map(seed),
        }
    }
}

impl Settings {
    /// Refuses what the sampler does not take: the ranges of Ollama's protocol are wider in places.
    pub(crate) fn check(&self) -> Result<(), ParameterOutOfRange> {
        self.parameters.check().and_then(|()| self.local.check())
    }

    /// Lays these under a request: they hold where it says nothing.
    pub(crate) fn lay_under(&self, request: &mut CompletionRequest) {
        let (own, asked) = (&self.parameters, &mut request.parameters);
        asked.temperature = asked.temperature.or(own.temperature);
        asked.top_p = asked.top_p.or(own.top_p);
        asked.presence_penalty = asked.presence_penalty.or(own.presence_penalty);
        asked.frequency_penalty = asked.frequency_penalty.or(own.frequency_penalty);
        asked.max_tokens = asked.max_tokens.or(own.max_tokens);
        let (own, asked) = (&self.local, &mut request.local);
        asked.top_k = asked.top_k.or(own.top_k);
        asked.min_p = asked.min_p.or(own.min_p);
        asked.typical_p = asked.typical_p.or(own.typical_p);
        asked.repeat_penalty = asked.repeat_penalty.or(own.repeat_penalty);
        asked.repeat_last_n = asked.repeat_last_n.or(own.repeat_last_n);
        if request.stop.is_empty() {
            request.stop.clone_from(&self.stop);
        }
        request.seed = request.seed.or(self.seed);
    }
}

/// The sampler takes 32 bits; larger seeds are folded, so that each still means one text.
fn seed(seed: i64) -> u32 {
    let bits = seed.cast_unsigned();
    u32::try_from((bits ^ (bits >> 32)) & u64::from(u32::MAX)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use stoa_model::completion::{AnswerForm, Timers};
    use stoa_model::json::Json;

    use super::*;

    fn settings(options: &str) -> Settings {
        Settings::from(&ModelOptions::parse(&Json::parse(options).unwrap()).unwrap().0)
    }

    fn request(asked: Settings) -> CompletionRequest {
        CompletionRequest {
            model: "m".to_owned(),
            messages: Vec::new(),
            parameters: asked.parameters,
            stop: asked.stop,
            seed: asked.seed,
            form: AnswerForm::default(),
            tenant: None,
            depth: 0,
            timers: Timers::default(),
            local: asked.local,
        }
    }

    #[test]
    fn the_longest_answer_is_what_was_asked_for_or_the_context() {
        for (options, longest) in [
            ("{}", None),
            (r#"{"num_predict":9,"num_ctx":4096}"#, Some(9)),
            (r#"{"num_predict":-1,"num_ctx":4096}"#, Some(4_096)),
            (r#"{"num_predict":-2}"#, None),
            (r#"{"num_predict":0,"num_ctx":8}"#, Some(8)),
            (r#"{"num_ctx":4000000}"#, Some(LONGEST_ANSWER)),
        ] {
            let settings = settings(options);
            assert_eq!(settings.parameters.max_tokens, longest, "{options}");
            assert_eq!(settings.check(), Ok(()), "{options}");
        }
    }

    #[test]
    fn what_the_sampler_does_not_take_is_told_by_name() {
        for (options, name) in [(r#"{"top_k":2000}"#, "top_k"), (r#"{"repeat_penalty":0.05}"#, "repeat_penalty")] {
            assert_eq!(settings(options).check().unwrap_err().name, name);
        }
    }
    #[test]
    fn a_request_holds_and_the_model_says_the_rest() {
        let asked = settings(r#"{"temperature":1,"num_predict":10,"top_k":5}"#);
        let mut request = request(asked);
        let own = r#"{"temperature":0.5,"top_p":0.25,"num_ctx":8192,"top_k":9,"min_p":0.5,"seed":3,"stop":["</s>"]}"#;
        settings(own).lay_under(&mut request);
        let both = settings(
            r#"{"temperature":1,"num_predict":10,"top_k":5,"top_p":0.25,"min_p":0.5,"seed":3,"stop":["</s>"]}"#,
        );
        let laid = (request.parameters, request.local, request.stop, request.seed);
        assert_eq!(laid, (both.parameters, both.local, both.stop, both.seed));

        let mut request = self::request(settings(r#"{"stop":["x"]}"#));
        settings(own).lay_under(&mut request);
        assert_eq!(request.stop, ["x"], "strings are replaced, not gathered");
    }
}
