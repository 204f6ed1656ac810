//! What a call has cost, in any of the dialects of OpenAI's protocols.

use serde_json::Value;
use stoa_model::completion::Usage;

/// Reads the counts of a `usage` object in any of its dialects. `None` when it holds none.
pub(crate) fn usage(value: &Value) -> Option<Usage> {
    let count = |paths: &[&str]| paths.iter().find_map(|path| value.pointer(path)).and_then(whole_number);
    let prompt_tokens = count(&["/prompt_tokens", "/input_tokens"]);
    let completion_tokens = count(&["/completion_tokens", "/output_tokens"]);
    if prompt_tokens.is_none() && completion_tokens.is_none() {
        return None;
    }
    let (prompt_tokens, completion_tokens) = (prompt_tokens.unwrap_or(0), completion_tokens.unwrap_or(0));
    Some(Usage {
        prompt_tokens,
        completion_tokens,
        cached_tokens: count(&[
            "/prompt_tokens_details/cached_tokens",
            "/prompt_cache_hit_tokens",
            "/input_tokens_details/cached_tokens",
            "/cached_tokens",
        ])
        .unwrap_or(0)
        .min(prompt_tokens),
        reasoning_tokens: count(&[
            "/completion_tokens_details/reasoning_tokens",
            "/output_tokens_details/reasoning_tokens",
            "/reasoning_tokens",
        ])
        .unwrap_or(0)
        .min(completion_tokens),
        cost: None,
    })
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked to be in range")]
fn whole_number(value: &Value) -> Option<u64> {
    const LARGEST: f64 = 9_007_199_254_740_992.0;
    value
        .as_u64()
        .or_else(|| value.as_f64().filter(|number| (0.0..=LARGEST).contains(number)).map(|number| number as u64))
}
