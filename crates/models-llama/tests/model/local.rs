//! What only local models understand: raw prompts, more ways to choose a token, probabilities, and embeddings.

use crate::support::{House, NAME, options, request, user};
use stoa_model::completion::{CompletionError, CompletionRequest, LocalOptions, Parameters, Timers};
use stoa_models::{EmbedRequest, RuntimeOptions};

fn raw(prompt: &str) -> CompletionRequest {
    let mut raw = request("");
    raw.messages.clear();
    raw.local.prompt = Some(prompt.to_owned());
    raw.parameters.max_tokens = Some(8);
    raw
}

pub(crate) fn embed(inputs: &[&str]) -> EmbedRequest {
    EmbedRequest {
        model: NAME.to_owned(),
        inputs: inputs.iter().map(|&input| input.to_owned()).collect(),
        truncate: false,
        dimensions: None,
        keep_alive: None,
        tenant: Some(user()),
        timers: Timers::default(),
    }
}

fn similarity(one: &[f32], other: &[f32]) -> f32 {
    one.iter().zip(other).map(|(one, other)| one * other).sum()
}

#[tokio::test]
async fn a_raw_prompt_reaches_the_model_as_it_is() {
    let house = House::new(options());
    let answer = house.ask(raw("The capital of France is")).await.unwrap();
    assert!(answer.text.contains("Paris"), "{answer:?}");
    assert_eq!(answer.usage.unwrap().prompt_tokens, 5);
    let by_hand = "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n\
        <|im_start|>user\nSay hello.<|im_end|>\n<|im_start|>assistant\n";
    let mut chat = request("Say hello.");
    chat.parameters.max_tokens = Some(8);
    assert_eq!(house.ask(raw(by_hand)).await.unwrap().text, house.ask(chat).await.unwrap().text);
    assert!(matches!(house.ask(raw("")).await.unwrap_err(), CompletionError::Invalid { .. }));
    let mut both = raw("a");
    both.messages = request("b").messages;
    assert!(matches!(house.ask(both).await.unwrap_err(), CompletionError::Invalid { .. }));
}

#[tokio::test]
async fn sampling_options_reach_the_sampler() {
    let house = House::new(options());
    let with = |local: LocalOptions| {
        let mut request = request("Write about the sea.");
        request.parameters = Parameters { temperature: Some(1.5), max_tokens: Some(24), ..Parameters::default() };
        request.local = local;
        request
    };
    let mut greedy = with(LocalOptions::default());
    greedy.parameters.temperature = Some(0.0);
    let greedy = house.ask(greedy).await.unwrap().text;
    let one = LocalOptions { top_k: Some(1), ..LocalOptions::default() };
    assert_eq!(house.ask(with(one)).await.unwrap().text, greedy, "one token to choose from");
    let sure = LocalOptions { min_p: Some(1.0), ..LocalOptions::default() };
    assert_eq!(house.ask(with(sure)).await.unwrap().text, greedy, "only what is as likely as the likeliest");
    assert_ne!(house.ask(with(LocalOptions::default())).await.unwrap().text, greedy);
    let typical = LocalOptions { typical_p: Some(0.5), repeat_penalty: Some(1.3), ..LocalOptions::default() };
    assert!(!house.ask(with(typical)).await.unwrap().text.is_empty());

    let repeat = |penalty, last| {
        let mut request = request("Say the word sea fifty times.");
        request.local = LocalOptions { repeat_penalty: penalty, repeat_last_n: last, ..LocalOptions::default() };
        request
    };
    let plain = house.ask(repeat(None, None)).await.unwrap().text;
    assert_ne!(house.ask(repeat(Some(1.8), Some(64))).await.unwrap().text, plain);
    assert_eq!(house.ask(repeat(Some(1.8), Some(0))).await.unwrap().text, plain, "it looks no token back");
    let error = house.ask(repeat(Some(0.0), None)).await.unwrap_err();
    assert!(error.to_string().contains("repeat_penalty"), "{error}");
}

#[tokio::test]
async fn how_likely_each_token_was_is_told_when_asked() {
    let house = House::new(options());
    let mut asked = raw("The capital of France is");
    asked.local.logprobs = Some(3);
    let answer = house.ask(asked).await.unwrap();
    assert_eq!(answer.logprobs.len() as u64, answer.usage.unwrap().completion_tokens);
    let told: String = answer.logprobs.iter().map(|logprob| logprob.token.text.as_str()).collect();
    assert_eq!(told, answer.text);
    for logprob in &answer.logprobs {
        assert_eq!(logprob.top.len(), 3);
        assert_eq!(logprob.top[0], logprob.token, "at temperature 0 the likeliest is chosen");
        assert!(logprob.token.logprob <= 0.0 && logprob.top.is_sorted_by(|one, other| one.logprob >= other.logprob));
        let sum: f32 = logprob.top.iter().map(|top| top.logprob.exp()).sum();
        assert!(sum <= 1.001, "{logprob:?}");
    }
    assert!(house.ask(raw("The capital of France is")).await.unwrap().logprobs.is_empty());
}

#[tokio::test]
async fn the_time_of_a_call_is_told() {
    let house = House::new(options());
    let timings = house.ask(request("Tell me about the moon.")).await.unwrap().timings.unwrap();
    assert!(timings.waiting >= timings.loading && !timings.loading.is_zero(), "{timings:?}");
    assert!(!timings.prompt.is_zero() && !timings.answer.is_zero(), "{timings:?}");
    assert!(house.ask(request("Say hello.")).await.unwrap().timings.unwrap().loading.is_zero());
}

#[tokio::test]
async fn texts_become_vectors_that_know_what_is_alike() {
    let house = House::new(options());
    let texts =
        ["The cat sleeps on the sofa.", "A kitten is sleeping on the couch.", "Interest rates rose by 2 percent."];
    let made = house.runtime.embed(embed(&texts)).await.unwrap();
    assert_eq!((made.vectors.len(), made.truncated.len()), (3, 0));
    assert!(made.prompt_tokens >= 18, "{}", made.prompt_tokens);
    for vector in &made.vectors {
        assert_eq!(vector.len(), 576);
        assert!((similarity(vector, vector) - 1.0).abs() < 1e-4);
    }
    let [cat, kitten, rates] = made.vectors.as_slice() else { panic!("three") };
    assert!(similarity(cat, kitten) > similarity(cat, rates));
    // The same text gives the same vector, whatever stands beside it and however much runs.
    let mut stream = house.open(crate::support::long_request()).await.unwrap();
    crate::support::first_text(&mut stream).await;
    assert_eq!(&house.runtime.embed(embed(&texts[..1])).await.unwrap().vectors[0], cat);
    crate::support::first_text(&mut stream).await;

    let mut short = embed(&texts[..1]);
    short.dimensions = Some(16);
    let short = house.runtime.embed(short).await.unwrap().vectors.remove(0);
    assert_eq!(short.len(), 16);
    assert!((similarity(&short, &short) - 1.0).abs() < 1e-4);
    assert!(short.iter().zip(cat).all(|(one, other)| (one / short[0] - other / cat[0]).abs() < 1e-3));
}

#[tokio::test]
async fn a_text_too_long_to_embed_is_refused_or_cut_as_asked() {
    let house = House::new(RuntimeOptions { context_limit: 256, ..options() });
    let book = "The sea is wide and the wind is strong. ".repeat(100);
    let error = house.runtime.embed(embed(&["short", &book])).await.unwrap_err();
    let CompletionError::TooLong { prompt_tokens, context_window: 256 } = error else { panic!("{error:?}") };
    assert!(prompt_tokens > 800, "{prompt_tokens}");
    let mut cut = embed(&["short", &book]);
    cut.truncate = true;
    let made = house.runtime.embed(cut).await.unwrap();
    assert_eq!((made.vectors.len(), made.truncated), (2, vec![1]));
    let huge = "word ".repeat(100_000);
    let mut cut = embed(&[&huge]);
    cut.truncate = true;
    assert_eq!(house.runtime.embed(cut).await.unwrap().truncated, [0]);
}

#[tokio::test]
async fn absurd_embeddings_are_refused_and_long_lists_are_not() {
    let house = House::new(options());
    assert_eq!(house.runtime.embed(embed(&[])).await.unwrap().vectors.len(), 0);
    let many: Vec<&str> = std::iter::repeat_n("sea", 70).collect();
    let made = house.runtime.embed(embed(&many)).await.unwrap();
    assert_eq!(made.vectors.len(), 70);
    assert!(made.vectors.iter().all(|vector| *vector == made.vectors[0]));
    let too_many: Vec<&str> = std::iter::repeat_n("sea", 2_049).collect();
    let mut wide = embed(&["sea"]);
    wide.dimensions = Some(577);
    for request in [embed(&["sea", ""]), embed(&too_many), wide] {
        let error = house.runtime.embed(request).await.unwrap_err();
        assert!(matches!(error, CompletionError::Invalid { .. }), "{error:?}");
    }
    let mut unknown = embed(&["sea"]);
    unknown.model = "nothing:here".to_owned();
    assert!(matches!(house.runtime.embed(unknown).await.unwrap_err(), CompletionError::UnknownModel { .. }));
}
