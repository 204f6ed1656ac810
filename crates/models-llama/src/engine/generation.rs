//! One sequence from its messages to its last token.

use std::sync::mpsc::TryRecvError;

use llama_cpp_2::token::LlamaToken;
use llama_cpp_2::vocab::LlamaVocab;
use stoa_model::Timestamp;
use stoa_model::completion::Usage;
use stoa_models::protocol::{Command, MAX_PROMPT_BYTES, MAX_STOP_BYTES, MAX_STOPS, Message, Outcome, Refusal, Report};
use stoa_models::text::{StopFilter, Utf8Joiner};

use super::{EngineError, LANE, Request, Session, sampler};
use crate::link::Link;

/// A longer prompt is counted in slices of this many bytes before it is taken apart whole: llama.cpp's way of splitting
/// text needs memory, and for some models stack, in proportion to its length.
const SLICE_BYTES: usize = 64 * 1024;

/// What makes models think aloud. They may be special tokens, which otherwise have no text.
const VISIBLE_MARKS: [&str; 2] = ["<think>", "</think>"];

enum Poll {
    Go,
    Cancelled,
}

impl Session<'_> {
    /// Runs `request` and reports its end, unless it is refused.
    pub(crate) fn run(&mut self, request: Request, link: &Link) -> Result<(), EngineError> {
        let sequence = request.sequence;
        check(&request)?;
        let prompt = self.render(&request.messages, request.now_ms)?;
        let tokens = self.tokenize(&prompt, sequence, link)?;
        let Some(tokens) = tokens else { return finish(sequence, Outcome::Cancelled, Usage::default(), link) };

        let kept = self.reuse(&tokens, request.cache_scope)?;
        link.reports.send(&Report::Started {
            sequence,
            prompt_tokens: tokens.len() as u64,
            cached_tokens: kept as u64,
            in_reasoning: prompt.trim_end().ends_with(VISIBLE_MARKS[0]),
        })?;
        let mut usage = Usage { prompt_tokens: tokens.len() as u64, cached_tokens: kept as u64, ..Usage::default() };

        for chunk in tokens[kept..].chunks(usize::try_from(self.step).unwrap_or(1)) {
            if matches!(poll(sequence, link)?, Poll::Cancelled) {
                return finish(sequence, Outcome::Cancelled, usage, link);
            }
            self.decode(chunk, link)?;
        }
        let outcome = self.generate(&request.sampling, request.max_tokens, request.stop, sequence, &mut usage, link)?;
        finish(sequence, outcome, usage, link)
    }

    fn render(&self, messages: &[Message], now_ms: i64) -> Result<String, Refusal> {
        let template = self.template.as_ref().map_err(Clone::clone)?;
        template
            .render(messages, Timestamp::from_millis(now_ms))
            .map_err(|error| Refusal::Template { detail: error.to_string() })
    }

    /// The tokens of `prompt`; `None` when the sequence is cancelled meanwhile.
    fn tokenize(&self, prompt: &str, sequence: u64, link: &Link) -> Result<Option<Vec<LlamaToken>>, EngineError> {
        let vocabulary = self.model.vocab();
        if prompt.len() > MAX_PROMPT_BYTES {
            let refusal = Refusal::TooManyBytes { bytes: prompt.len() as u64, maximum: MAX_PROMPT_BYTES as u64 };
            return Err(refusal.into());
        }
        let too_long =
            |tokens: usize| Refusal::TooLong { prompt_tokens: tokens as u64, context_window: u64::from(self.window) };
        if prompt.len() > SLICE_BYTES {
            let mut count = 0;
            for slice in slices(prompt) {
                if matches!(poll(sequence, link)?, Poll::Cancelled) {
                    return Ok(None);
                }
                count += vocabulary.tokenize(slice.as_bytes(), false, true).len();
                link.vitals.step();
            }
            if !self.fits(count) {
                return Err(too_long(count).into());
            }
        }
        let mut tokens = vocabulary.tokenize(prompt.as_bytes(), false, true);
        // Most templates write the mark of the beginning themselves.
        if vocabulary.should_add_bos() && tokens.first() != Some(&vocabulary.bos()) {
            tokens.insert(0, vocabulary.bos());
        }
        if tokens.is_empty() {
            return Err(Refusal::Template { detail: "it renders nothing".to_owned() }.into());
        }
        if !self.fits(tokens.len()) {
            return Err(too_long(tokens.len()).into());
        }
        Ok(Some(tokens))
    }

    /// Whether a prompt leaves room for at least one token of the answer.
    fn fits(&self, prompt_tokens: usize) -> bool {
        u32::try_from(prompt_tokens).is_ok_and(|tokens| tokens < self.window)
    }

    /// Keeps what the context already holds of the beginning of `tokens`, if it may be shared, and forgets the rest.
    /// Answers how many tokens need not be computed; at least one always is, for its logits.
    fn reuse(&mut self, tokens: &[LlamaToken], scope: Option<String>) -> Result<usize, Refusal> {
        let shared = scope.is_some() && scope == self.cache_scope;
        // A context that has already dropped its beginning (sliding windows, recurrent models) cannot go back.
        let whole = self.context.kv_cache_seq_pos_min(LANE) == 0;
        let mut kept = if shared && whole {
            let common = self.cached.iter().zip(tokens).take_while(|(one, other)| one == other).count();
            common.min(tokens.len() - 1)
        } else {
            0
        };
        self.cache_scope = scope;
        if !self.forget_from(kept)? {
            kept = 0;
            self.forget_from(kept)?;
        }
        Ok(kept)
    }

    /// Whether the context could forget just that; forgetting everything always works.
    fn forget_from(&mut self, kept: usize) -> Result<bool, Refusal> {
        let from = (kept > 0).then(|| u32::try_from(kept).unwrap_or(u32::MAX));
        let done = self
            .context
            .clear_kv_cache_seq(Some(0), from, None)
            .map_err(|error| Refusal::Engine { detail: error.to_string() })?;
        if done {
            self.cached.truncate(kept);
        }
        Ok(done)
    }

    /// Computes `tokens` behind those in the context; the logits are those of the last.
    fn decode(&mut self, tokens: &[LlamaToken], link: &Link) -> Result<(), Refusal> {
        let engine = |detail: String| Refusal::Engine { detail };
        self.batch.clear();
        for (index, token) in tokens.iter().enumerate() {
            let position = i32::try_from(self.cached.len() + index).map_err(|error| engine(error.to_string()))?;
            self.batch
                .add(*token, position, &[LANE], index + 1 == tokens.len())
                .map_err(|error| engine(error.to_string()))?;
        }
        if let Err(error) = self.context.decode(&mut self.batch) {
            // What the context holds now is unknown.
            self.cached.clear();
            self.context.clear_kv_cache();
            return Err(engine(error.to_string()));
        }
        self.cached.extend_from_slice(tokens);
        link.vitals.step();
        Ok(())
    }

    fn generate(
        &mut self,
        sampling: &stoa_models::protocol::Sampling,
        max_tokens: Option<u32>,
        stop: Vec<String>,
        sequence: u64,
        usage: &mut Usage,
        link: &Link,
    ) -> Result<Outcome, EngineError> {
        let mut sampler = sampler::chain(sampling, self.model.n_vocab(), self.window);
        let vocabulary = self.model.vocab();
        let marks = visible_marks(&vocabulary);
        let mut output =
            Output { sequence, joiner: Utf8Joiner::default(), stops: StopFilter::new(stop), tokens: 0, link };
        let longest = max_tokens.map_or(u64::MAX, u64::from);
        loop {
            let token = sampler.sample(&self.context, -1);
            if vocabulary.is_eog(token) {
                output.finish()?;
                return Ok(Outcome::Stop);
            }
            usage.completion_tokens += 1;
            output.push(&vocabulary.token_to_piece(token, marks.contains(&token), None))?;
            if output.stops.is_stopped() {
                return Ok(Outcome::Stop);
            }
            if usage.completion_tokens >= longest || !self.fits(self.cached.len()) {
                output.finish()?;
                return Ok(Outcome::Length);
            }
            if matches!(poll(sequence, link)?, Poll::Cancelled) {
                return Ok(Outcome::Cancelled);
            }
            self.decode(&[token], link)?;
        }
    }
}

/// Text on its way out.
struct Output<'link> {
    sequence: u64,
    joiner: Utf8Joiner,
    stops: StopFilter,
    /// Tokens whose text has not been sent yet.
    tokens: u32,
    link: &'link Link,
}

impl Output<'_> {
    fn push(&mut self, bytes: &[u8]) -> Result<(), EngineError> {
        self.tokens += 1;
        let text = self.joiner.push(bytes);
        let text = self.stops.push(&text);
        self.send(text)
    }

    fn finish(&mut self) -> Result<(), EngineError> {
        let rest = self.joiner.finish();
        let mut text = self.stops.push(&rest);
        text.push_str(&self.stops.finish());
        self.send(text)
    }

    fn send(&mut self, text: String) -> Result<(), EngineError> {
        if !text.is_empty() {
            let tokens = std::mem::take(&mut self.tokens);
            self.link.reports.send(&Report::Piece { sequence: self.sequence, text, tokens })?;
        }
        Ok(())
    }
}

fn finish(sequence: u64, outcome: Outcome, usage: Usage, link: &Link) -> Result<(), EngineError> {
    Ok(link.reports.send(&Report::Finished { sequence, outcome, usage })?)
}

/// The server has checked all of it; nothing unchecked reaches llama.cpp even so.
fn check(request: &Request) -> Result<(), Refusal> {
    request.sampling.check().map_err(|error| Refusal::Sampling { detail: error.to_string() })?;
    if request.stop.len() > MAX_STOPS || request.stop.iter().any(|stop| stop.len() > MAX_STOP_BYTES) {
        let detail = format!("at most {MAX_STOPS} stop strings of at most {MAX_STOP_BYTES} bytes are taken");
        return Err(Refusal::Sampling { detail });
    }
    let bytes: usize = request.messages.iter().map(|message| message.content.len()).sum();
    if bytes > MAX_PROMPT_BYTES {
        return Err(Refusal::TooManyBytes { bytes: bytes as u64, maximum: MAX_PROMPT_BYTES as u64 });
    }
    Ok(())
}

/// What the server wants meanwhile. Called before every step of the computation.
fn poll(sequence: u64, link: &Link) -> Result<Poll, EngineError> {
    loop {
        match link.commands.try_recv() {
            Ok(Command::Cancel { sequence: cancelled }) if cancelled == sequence => return Ok(Poll::Cancelled),
            Ok(Command::Submit { sequence, .. }) => {
                link.reports.send(&Report::Refused { sequence, refusal: Refusal::Occupied })?;
            }
            Ok(Command::Shutdown) | Err(TryRecvError::Disconnected) => return Err(EngineError::Shutdown),
            Ok(Command::Cancel { .. } | Command::Hello { .. } | Command::Ping { .. }) => {}
            Err(TryRecvError::Empty) => return Ok(Poll::Go),
        }
    }
}

/// Tokens whose text is shown although they are special.
fn visible_marks(vocabulary: &LlamaVocab<'_>) -> Vec<LlamaToken> {
    VISIBLE_MARKS
        .iter()
        .filter_map(|mark| match vocabulary.tokenize(mark.as_bytes(), false, true).as_slice() {
            [token] => Some(*token),
            _ => None,
        })
        .collect()
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
