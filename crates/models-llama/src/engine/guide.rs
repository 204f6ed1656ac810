//! Answers that must have a form: which tokens may come next, by a JSON Schema.
//!
//! What a model thinks is free; the form begins behind it.

use std::sync::{Arc, OnceLock};

use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::token::LlamaToken;
use llama_cpp_2::vocab::LlamaVocab;
use llguidance::api::TopLevelGrammar;
use llguidance::{JsonCompileOptions, Matcher, ParserFactory};
use stoa_model::json::Json;
use stoa_models::protocol::Refusal;
use toktrie::{ApproximateTokEnv, SimpleVob, TokEnv, TokRxInfo, TokTrie};

/// Between two marks of JSON: a small model may otherwise indent for ever.
const WHITE_SPACE: &str = r"[\x20\x0A\x0D\x09]{1,32}";

/// What closes the reasoning of models that think aloud.
const CLOSES_REASONING: &[u8] = b"</think>";

/// How much of a refusal is told.
const DETAIL_CHARS: usize = 300;

/// Makes guides for one vocabulary, which is looked through when the first is asked for.
pub(super) struct Guides<'engine> {
    model: &'engine LlamaModel,
    factory: OnceLock<Result<ParserFactory, String>>,
}

impl<'engine> Guides<'engine> {
    pub(super) const fn new(model: &'engine LlamaModel) -> Self {
        Self { model, factory: OnceLock::new() }
    }

    pub(super) fn guide(&self, schema: &Json, thoughts: Thoughts) -> Result<Guide, Refusal> {
        let refused = |error: &dyn std::fmt::Display| Refusal::Schema {
            detail: error.to_string().chars().take(DETAIL_CHARS).collect(),
        };
        let factory = self.factory.get_or_init(|| factory(self.model)).as_ref().map_err(|error| refused(error))?;
        let mut schema = serde_json::to_value(schema).map_err(|error| refused(&error))?;
        let options = JsonCompileOptions { whitespace_pattern: Some(WHITE_SPACE.to_owned()), ..Default::default() };
        options.apply_to(&mut schema);
        let parser =
            factory.create_parser(TopLevelGrammar::from_json_schema(schema)).map_err(|error| refused(&error))?;
        Ok(Guide { matcher: Matcher::new(Ok(parser)), thoughts })
    }
}

fn factory(model: &LlamaModel) -> Result<ParserFactory, String> {
    let mut factory = ParserFactory::new_simple(&vocabulary(model)).map_err(|error| error.to_string())?;
    factory.quiet();
    factory.limits_mut().verbose_errors = false;
    Ok(factory)
}

/// All tokens with their texts. Special ones are told from their text by the byte before it, which no text has.
fn vocabulary(model: &LlamaModel) -> TokEnv {
    const SPECIAL: u8 = 0xFF;
    let vocabulary = model.vocab();
    let tokens = || (0..model.n_vocab()).map(LlamaToken);
    let texts: Vec<Vec<u8>> = tokens()
        .map(|token| {
            let text = vocabulary.token_to_piece(token, false, None);
            if !text.is_empty() {
                return text;
            }
            let mark = vocabulary.token_to_piece(token, true, None);
            if mark.is_empty() { mark } else { [&[SPECIAL], mark.as_slice()].concat() }
        })
        .collect();
    let number = |token: LlamaToken| token.0.cast_unsigned();
    let ends: Vec<u32> = tokens().filter(|token| vocabulary.is_eog(*token)).map(number).collect();
    let end = if vocabulary.eot().0 < 0 { vocabulary.eos() } else { vocabulary.eot() };
    let info = TokRxInfo::new(model.n_vocab().cast_unsigned(), number(end));
    Arc::new(ApproximateTokEnv::new(TokTrie::from(&info, &texts).with_eos_tokens(&ends)))
}

/// Where a model is in its thoughts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Thoughts {
    /// It may begin to think, by this token.
    May(LlamaToken),
    /// It thinks. These are the last bytes that it wrote.
    Now(Vec<u8>),
    /// It has thought, or does not think.
    Over,
}

/// What one answer may look like.
pub(super) struct Guide {
    matcher: Matcher,
    thoughts: Thoughts,
}

/// The tokens that may come next.
pub(super) enum Allowed {
    /// All but those that end the answer.
    AnyButTheEnd,
    Only {
        mask: SimpleVob,
        also: Option<LlamaToken>,
    },
}

impl Allowed {
    pub(super) fn allows(&self, token: LlamaToken, vocabulary: &LlamaVocab<'_>) -> bool {
        match self {
            Self::AnyButTheEnd => !vocabulary.is_eog(token),
            Self::Only { mask, also } => mask.is_allowed(token.0.cast_unsigned()) || *also == Some(token),
        }
    }
}

impl Guide {
    pub(super) fn allowed(&mut self) -> Result<Allowed, String> {
        let also = match &self.thoughts {
            Thoughts::Now(_) => return Ok(Allowed::AnyButTheEnd),
            Thoughts::May(token) => Some(*token),
            Thoughts::Over => None,
        };
        let mask = self.matcher.compute_mask_or_eos().map_err(|error| error.to_string())?;
        Ok(Allowed::Only { mask, also })
    }

    /// Takes note of the token that was chosen; `piece` is its text.
    pub(super) fn accept(&mut self, token: LlamaToken, piece: &[u8]) -> Result<(), String> {
        match &mut self.thoughts {
            Thoughts::May(opens) if *opens == token => self.thoughts = Thoughts::Now(Vec::new()),
            Thoughts::Now(last) => {
                last.extend_from_slice(piece);
                if last.windows(CLOSES_REASONING.len()).any(|bytes| bytes == CLOSES_REASONING) {
                    self.thoughts = Thoughts::Over;
                } else {
                    last.drain(..last.len().saturating_sub(CLOSES_REASONING.len()));
                }
            }
            Thoughts::May(_) | Thoughts::Over => {
                self.thoughts = Thoughts::Over;
                self.matcher.consume_token(token.0.cast_unsigned()).map_err(|error| error.to_string())?;
            }
        }
        Ok(())
    }

    /// Nothing can follow any more.
    pub(super) fn is_complete(&self) -> bool {
        self.thoughts == Thoughts::Over && self.matcher.is_stopped()
    }
}
