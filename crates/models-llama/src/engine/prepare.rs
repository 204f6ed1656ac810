//! From what is asked to tokens: templates and the tokenizer, which need no context and so hold up nobody's answer.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::token::LlamaToken;
use stoa_model::Timestamp;
use stoa_models::protocol::{
    Layer, MAX_EMBED_INPUTS, MAX_LOGPROBS, MAX_PROMPT_BYTES, MAX_STOP_BYTES, MAX_STOPS, Prompt, Refusal, Submission,
};
use stoa_models::template::{PromptTemplate, TemplateInput, TemplateSources};
use stoa_models::text::ToolFormat;

use super::eye::Piece;
use super::gallery::{Gallery, Marks};
use super::guide::{Guide, Guides, Thoughts};
use super::model::{Pooling, Traits};
use super::pair::PairForm;
use super::unit::Units;
use super::{Embed, Request};
use crate::link::Vitals;

/// A longer prompt is counted in slices of this many bytes before it is taken apart whole: llama.cpp's way of splitting
/// text needs memory, and for some models stack, in proportion to its length.
pub(super) const SLICE_BYTES: usize = 64 * 1024;

/// What opens the reasoning of models that think aloud.
const OPENS_REASONING: &str = "<think>";

/// What makes models think aloud. They may be special tokens, which otherwise have no text.
const VISIBLE_MARKS: [&str; 2] = [OPENS_REASONING, "</think>"];

/// Templates that were read and are kept.
const MOST_TEMPLATES: usize = 16;

/// A prompt taken apart.
pub(crate) struct Prepared {
    pub(super) units: Units,
    pub(super) in_reasoning: bool,
    pub(super) tool_format: Option<ToolFormat>,
    /// Tokens whose text is shown although they are special.
    pub(super) marks: Vec<LlamaToken>,
    pub(super) guide: Option<Box<Guide>>,
}

/// A text to embed or to score, taken apart.
#[derive(Debug)]
pub(crate) struct PreparedText {
    pub(super) tokens: Vec<LlamaToken>,
    pub(super) truncated: bool,
}

/// Shared by all threads that prepare something.
pub(crate) struct Preparer<'engine> {
    pub(super) model: &'engine LlamaModel,
    pub(super) traits: Traits,
    /// What the model's file brings.
    pub(super) sources: TemplateSources,
    pub(super) templates: Mutex<HashMap<Layer, Arc<PromptTemplate>>>,
    pub(super) guides: Guides<'engine>,
    pub(super) window: u32,
    /// How a query and a document are put together.
    pub(super) pair_form: PairForm,
    pub(super) gallery: Gallery<'engine>,
}

/// A prompt as text, and what its template tells of the answer.
struct Written {
    text: String,
    /// The template that made it, and whether the model is offered tools.
    template: Option<(Arc<PromptTemplate>, bool)>,
    /// Whether the model may think, if its template does not already make it.
    may_think: bool,
}

/// What a thread that prepares something looks at and shows meanwhile.
pub(crate) struct Watch<'link> {
    /// Nobody wants the result any more.
    pub(crate) cancelled: &'link AtomicBool,
    pub(crate) vitals: &'link Vitals,
}

impl Preparer<'_> {
    /// The tokens of a prompt; `None` when nobody wants them any more.
    pub(crate) fn prompt(&self, request: &Request, watch: &Watch<'_>) -> Result<Option<Prepared>, Refusal> {
        check(&request.asked)?;
        if !self.traits.writes {
            return Err(Refusal::NoText);
        }
        let marks = self.gallery.marks(&request.asked.images)?;
        let written = self.write(&request.asked, &marks)?;
        let context = self.context(&request.asked)?;
        let units = if request.images.is_empty() {
            self.tokenize(&written.text, watch)?.map(|tokens| Units::of_tokens(self.behind(context, tokens)))
        } else {
            self.show(&written.text, &marks, &request.images, context, watch)?
        };
        let Some(units) = units else { return Ok(None) };
        if units.units.is_empty() {
            return Err(match request.asked.prompt {
                Prompt::Messages { .. } => Refusal::Template { detail: "it renders nothing".to_owned() },
                Prompt::Raw { .. } => Refusal::Sampling { detail: "the prompt is empty".to_owned() },
            });
        }
        if !fits(units.units.len(), self.window) {
            return Err(self.too_long(units.units.len()));
        }
        let in_reasoning = written.text.trim_end().ends_with(OPENS_REASONING);
        let thoughts = match self.mark(OPENS_REASONING) {
            _ if in_reasoning => Thoughts::Now(Vec::new()),
            Some(token) if written.may_think => Thoughts::May(token),
            _ => Thoughts::Over,
        };
        let guide =
            request.asked.schema.as_ref().map(|schema| self.guides.guide(schema, thoughts)).transpose()?.map(Box::new);
        watch.vitals.step();
        let tool_format = written.template.as_ref().map(|(template, _)| template.tool_format());
        let calls = tool_format.filter(|_| written.template.is_some_and(|(_, offers_tools)| offers_tools));
        let shown = VISIBLE_MARKS.into_iter().chain(calls.into_iter().flat_map(ToolFormat::marks));
        let marks = shown.filter_map(|mark| self.mark(mark)).collect();
        Ok(Some(Prepared { units, in_reasoning, tool_format, marks, guide }))
    }

    /// The tokens of the conversation so far; none but those that the model knows, and no more than it could ever hold.
    fn context(&self, request: &Submission) -> Result<Vec<LlamaToken>, Refusal> {
        let given = request.context.as_deref().unwrap_or_default();
        if !fits(given.len(), self.window) {
            return Err(self.too_long(given.len()));
        }
        let known = |token: &u32| i32::try_from(*token).ok().filter(|token| *token < self.model.n_vocab());
        given.iter().map(|token| known(token).map(LlamaToken::new)).collect::<Option<_>>().ok_or_else(|| {
            Refusal::Sampling { detail: "`context` has tokens that this model does not know".to_owned() }
        })
    }

    /// The tokens of a prompt, which begins once only.
    fn behind(&self, mut context: Vec<LlamaToken>, tokens: Vec<LlamaToken>) -> Vec<LlamaToken> {
        let again = !context.is_empty() && tokens.first() == Some(&self.model.vocab().bos());
        context.extend(tokens.into_iter().skip(usize::from(again)));
        context
    }

    fn write(&self, request: &Submission, marks: &Marks) -> Result<Written, Refusal> {
        let talk = match &request.prompt {
            Prompt::Raw { text } => return Ok(Written { text: text.clone(), template: None, may_think: false }),
            Prompt::Messages(talk) => talk,
        };
        let template = self.template(&talk.layer)?;
        let text = template
            .render(&marks.set(TemplateInput::from(talk), &request.images)?, Timestamp::from_millis(request.now_ms))
            .map_err(|error| Refusal::Template { detail: error.to_string() })?;
        let may_think = template.capabilities().thinking && talk.think.is_none_or(stoa_model::think::Think::is_on);
        Ok(Written { text, template: Some((template, !talk.tools.is_empty())), may_think })
    }

    fn template(&self, layer: &Layer) -> Result<Arc<PromptTemplate>, Refusal> {
        let mut templates = self.templates.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(template) = templates.get(layer) {
            return Ok(Arc::clone(template));
        }
        let mut sources = self.sources.clone();
        match layer {
            Layer::None => {}
            Layer::Beside(go) => sources.go = Some(go.clone()),
            Layer::Instead(go) => (sources.jinja, sources.go) = (None, Some(go.clone())),
        }
        let template = PromptTemplate::choose(sources)
            .map_err(|error| Refusal::Template { detail: error.to_string() })?
            .ok_or(Refusal::NoTemplate)?;
        if templates.len() >= MOST_TEMPLATES {
            templates.clear();
        }
        let template = Arc::new(template);
        templates.insert(layer.clone(), Arc::clone(&template));
        Ok(template)
    }

    /// The token that a mark is, when it is one.
    fn mark(&self, mark: &str) -> Option<LlamaToken> {
        match self.model.vocab().tokenize(mark.as_bytes(), false, true).as_slice() {
            [token] => Some(*token),
            _ => None,
        }
    }

    fn tokenize(&self, text: &str, watch: &Watch<'_>) -> Result<Option<Vec<LlamaToken>>, Refusal> {
        let vocabulary = self.model.vocab();
        if text.len() > MAX_PROMPT_BYTES {
            return Err(Refusal::TooManyBytes { bytes: text.len() as u64, maximum: MAX_PROMPT_BYTES as u64 });
        }
        let Some(count) = self.count(text, watch) else { return Ok(None) };
        if !fits(count, self.window) {
            return Err(self.too_long(count));
        }
        let mut tokens = vocabulary.tokenize(text.as_bytes(), false, true);
        // Most templates write the mark of the beginning themselves.
        if vocabulary.should_add_bos() && tokens.first() != Some(&vocabulary.bos()) {
            tokens.insert(0, vocabulary.bos());
        }
        watch.vitals.step();
        Ok(Some(tokens))
    }

    /// The same of a prompt with images. What is too long without them is refused before one is decoded.
    fn show(
        &self,
        text: &str,
        marks: &Marks,
        images: &[Vec<u8>],
        context: Vec<LlamaToken>,
        watch: &Watch<'_>,
    ) -> Result<Option<Units>, Refusal> {
        if self.tokenize(&marks.without(text)?, watch)?.is_none() {
            return Ok(None);
        }
        let Some(pieces) = self.gallery.show(text, marks, images, watch)? else { return Ok(None) };
        let vocabulary = self.model.vocab();
        let begins = matches!(pieces.first(), Some(Piece::Text(tokens)) if tokens.first() == Some(&vocabulary.bos()));
        let mut before = context;
        if before.is_empty() && vocabulary.should_add_bos() && !begins {
            before.push(vocabulary.bos());
        }
        Ok(Some(Units::of_pieces(before, pieces)))
    }

    /// About how many tokens a long text has; 0 for a short one. `None` when nobody wants to know any more.
    pub(super) fn count(&self, text: &str, watch: &Watch<'_>) -> Option<usize> {
        let mut count = 0;
        if text.len() > SLICE_BYTES {
            for slice in slices(text) {
                if watch.cancelled.load(Ordering::Relaxed) {
                    return None;
                }
                count += self.model.vocab().tokenize(slice.as_bytes(), false, true).len();
                watch.vitals.step();
            }
        }
        Some(count)
    }

    /// The tokens of texts to embed, each with the marks that the model was trained with; `None` when nobody wants
    /// them any more.
    pub(crate) fn texts(&self, embed: &Embed, watch: &Watch<'_>) -> Result<Option<Vec<PreparedText>>, Refusal> {
        if self.traits.pooling == Pooling::Rank {
            return Err(Refusal::NoEmbeddings);
        }
        if embed.inputs.len() > MAX_EMBED_INPUTS {
            return Err(Refusal::Sampling { detail: format!("at most {MAX_EMBED_INPUTS} texts are taken at once") });
        }
        if let Some(wanted) = embed.dimensions
            && !(1..=self.traits.dimensions).contains(&wanted)
        {
            return Err(Refusal::Dimensions { wanted, dimensions: self.traits.dimensions });
        }
        let bytes: usize = embed.inputs.iter().map(String::len).sum();
        if bytes > MAX_PROMPT_BYTES {
            return Err(Refusal::TooManyBytes { bytes: bytes as u64, maximum: MAX_PROMPT_BYTES as u64 });
        }
        let mut texts = Vec::with_capacity(embed.inputs.len());
        for (index, input) in embed.inputs.iter().enumerate() {
            match self.text(input, embed.truncate, watch)? {
                None => return Ok(None),
                Some(text) if text.tokens.is_empty() => {
                    return Err(Refusal::Sampling { detail: format!("text {index} is empty") });
                }
                Some(text) => texts.push(text),
            }
        }
        Ok(Some(texts))
    }

    fn text(&self, text: &str, truncate: bool, watch: &Watch<'_>) -> Result<Option<PreparedText>, Refusal> {
        let most = usize::try_from(self.window).unwrap_or(usize::MAX);
        let Some(count) = self.count(text, watch) else { return Ok(None) };
        let (text, mut truncated) = match (count > most, truncate) {
            (true, false) => return Err(self.too_long(count)),
            // A token has at least one byte, but what it was made of may have had many: spaces, for one.
            (true, true) => (&text[..text.floor_char_boundary(SLICE_BYTES.max(most.saturating_mul(32)))], true),
            (false, _) => (text, false),
        };
        let vocabulary = self.model.vocab();
        let mut tokens = vocabulary.tokenize(text.as_bytes(), true, false);
        watch.vitals.step();
        if tokens.len() > most {
            if !truncate {
                return Err(self.too_long(tokens.len()));
            }
            let last = tokens.last().copied();
            tokens.truncate(most);
            // The mark of the end stays.
            if (vocabulary.should_add_eos() || vocabulary.should_add_sep())
                && let (Some(place), Some(last)) = (tokens.last_mut(), last)
            {
                *place = last;
            }
            truncated = true;
        }
        Ok(Some(PreparedText { tokens, truncated }))
    }

    pub(super) fn too_long(&self, tokens: usize) -> Refusal {
        Refusal::TooLong { prompt_tokens: tokens as u64, context_window: u64::from(self.window) }
    }
}

/// Whether a prompt leaves room for at least one token of the answer.
pub(super) fn fits(prompt_tokens: usize, window: u32) -> bool {
    u32::try_from(prompt_tokens).is_ok_and(|tokens| tokens < window)
}

/// The server has checked all of it; nothing unchecked reaches llama.cpp even so.
fn check(request: &Submission) -> Result<(), Refusal> {
    let refused = |detail: String| Refusal::Sampling { detail };
    request.sampling.check().map_err(|error| refused(error.to_string()))?;
    if request.stop.len() > MAX_STOPS || request.stop.iter().any(|stop| stop.len() > MAX_STOP_BYTES) {
        return Err(refused(format!("at most {MAX_STOPS} stop strings of at most {MAX_STOP_BYTES} bytes are taken")));
    }
    if request.logprobs.is_some_and(|top| top > MAX_LOGPROBS) {
        return Err(refused(format!("at most {MAX_LOGPROBS} likely tokens are told")));
    }
    let bytes = request.prompt.len();
    if bytes > MAX_PROMPT_BYTES {
        return Err(Refusal::TooManyBytes { bytes: bytes as u64, maximum: MAX_PROMPT_BYTES as u64 });
    }
    Ok(())
}

/// `text` in slices of at most [`SLICE_BYTES`], cut between characters and where possible at white space.
fn slices(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let longest = rest.floor_char_boundary(SLICE_BYTES);
        let end = if longest == rest.len() {
            longest
        } else {
            rest[..longest].rfind(char::is_whitespace).filter(|end| *end > 0).unwrap_or(longest)
        };
        let (slice, after) = rest.split_at(end);
        rest = after;
        Some(slice)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_sliced_without_loss() {
        for text in ["word ".repeat(50_000), "\u{1f600}".repeat(40_000), " ".repeat(SLICE_BYTES * 2)] {
            let slices: Vec<&str> = slices(&text).collect();
            assert!(slices.len() > 1 && slices.iter().all(|slice| slice.len() <= SLICE_BYTES));
            assert_eq!(slices.concat(), text);
        }
    }
}
