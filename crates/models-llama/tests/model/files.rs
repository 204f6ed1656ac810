//! The real model's file: what it says, and what happens when somebody has tampered with it.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use stoa_model::completion::CompletionError;
use stoa_model_store::gguf::Gguf;
use stoa_models::{LaneState, RuntimeOptions};
use tempfile::TempDir;

use crate::support::{Answer, House, NAME, long_request, model_path, options, request};

/// A copy of the model in which the first `from` has become `to`, of the same length.
pub(crate) fn tampered(directory: &TempDir, name: &str, from: &[u8], to: &[u8]) -> PathBuf {
    assert_eq!(from.len(), to.len());
    let mut bytes = fs::read(model_path()).unwrap();
    let at = bytes.windows(from.len()).position(|window| window == from).expect("the model holds it");
    bytes[at..at + to.len()].copy_from_slice(to);
    let path = directory.path().join(name);
    fs::write(&path, bytes).unwrap();
    path
}

/// A copy of the model with another chat template, which must be shorter than its own.
fn with_template(directory: &TempDir, name: &str, template: &str) -> PathBuf {
    let own = Gguf::read(fs::File::open(model_path()).unwrap()).unwrap().chat_template.unwrap();
    let padded = format!("{template}{{#{}#}}", " ".repeat(own.len() - template.len() - 4));
    tampered(directory, name, own.as_bytes(), padded.as_bytes())
}

#[tokio::test]
async fn the_model_says_what_it_is() {
    let house = House::new(options());
    let models = house.runtime.models().await.unwrap();
    let model = &models[0];
    assert_eq!(model.name, NAME);
    assert_eq!(model.digest.to_string(), "sha256:b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53");
    assert_eq!((model.architecture.as_str(), model.quantization.as_str()), ("llama", "Q4_1"));
    assert_eq!((model.size_bytes, model.parameters), (98_362_432, 134_515_008));
    assert_eq!(model.context_window, 2_048, "the limit of the options");
    assert!(model.can_chat && model.abilities.is_empty());
    let gguf = Gguf::read(fs::File::open(model_path()).unwrap()).unwrap();
    assert_eq!(gguf.context_length, 8_192);
    assert_eq!((gguf.bos_token.as_deref(), gguf.eos_token.as_deref()), (Some("<|im_start|>"), Some("<|im_end|>")));
}

#[test]
fn a_file_cut_short_or_tampered_with_is_refused_without_a_worker() {
    let bytes = fs::read(model_path()).unwrap();
    for length in [0, 3, 100, 1_785_000, bytes.len() - 1] {
        let cut = std::io::Cursor::new(&bytes[..length]);
        assert!(Gguf::read(cut).is_err(), "cut at {length}");
    }
    let directory = tempfile::tempdir().unwrap();
    let store = stoa_model_store::Store::open(directory.path().join("models")).unwrap();
    let twice = tampered(&directory, "twice", b"general.finetune", b"general.basename");
    let tensors = tampered(&directory, "tensors", b"blk.0.attn_norm.weight", b"blk.1.attn_norm.weight");
    for path in [twice, tensors] {
        let error = store.import(&path, &"bad".parse().unwrap(), &mut |_| {}).unwrap_err();
        assert!(error.to_string().contains("is there twice"), "{error}");
    }
    assert_eq!(fs::read_dir(directory.path().join("models/blobs")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_model_that_only_llama_cpp_finds_wanting_fails_its_requests_alone() {
    let directory = tempfile::tempdir().unwrap();
    let broken = tampered(&directory, "broken", b"blk.0.attn_norm.weight", b"blk.0.attn_nurm.weight");
    let house = House::with_models(options(), &[(&broken, "broken"), (&model_path(), NAME)]);
    let mut bad = request("Hi");
    bad.model = "broken".to_owned();
    let error = house.ask(bad).await.unwrap_err();
    let CompletionError::WorkerFailed { detail } = &error else { panic!("{error:?}") };
    assert!(detail.contains("cannot load the model"), "{detail}");
    assert!(!house.ask(request("Say hello.")).await.unwrap().text.is_empty());
}

#[tokio::test]
async fn a_model_without_a_template_cannot_chat_and_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let base = tampered(&directory, "base", b"tokenizer.chat_template", b"tokenizer.chat_tomplate");
    let house = House::with_models(options(), &[(&base, NAME)]);
    assert!(!house.runtime.models().await.unwrap()[0].can_chat);
    let error = house.ask(request("Hi")).await.unwrap_err();
    assert!(matches!(&error, CompletionError::Invalid { detail } if detail.contains("chat template")), "{error:?}");
}

#[tokio::test]
async fn templates_made_to_do_harm_cost_their_request_only() {
    let directory = tempfile::tempdir().unwrap();
    for (name, template, expected) in [
        ("loop", "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", "costs too much"),
        (
            "double",
            "{% set n = namespace(x='aaaa') %}{% for i in range(99) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
            "costs too much",
        ),
        ("broken", "{% for %}", "no valid template"),
        ("refusing", "{{ raise_exception('no such luck') }}", "no such luck"),
        ("mute", "{{ '' }}", "renders nothing"),
    ] {
        let path = with_template(&directory, name, template);
        let house = House::with_models(options(), &[(&path, NAME)]);
        for _ in 0..2 {
            let error = house.ask(request("Hi")).await.unwrap_err();
            assert!(matches!(&error, CompletionError::Invalid { .. }), "{name}: {error:?}");
            assert!(error.to_string().contains(expected), "{name}: {error}");
        }
        assert_eq!(house.runtime.status().lanes[0].failures, 0, "{name}: the worker lives");
        fs::remove_file(path).unwrap();
    }
}

#[tokio::test]
async fn what_a_model_thinks_is_told_from_what_it_says() {
    let directory = tempfile::tempdir().unwrap();
    let thinking = "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}{{ '<|im_start|>assistant\n<think>\n' }}";
    let path = with_template(&directory, "thinking", thinking);
    let house = House::with_models(options(), &[(&path, NAME)]);
    let answer = house.ask(request("Say hello.")).await.unwrap();
    assert!(!answer.reasoning.is_empty(), "{answer:?}");
    let usage = answer.usage.unwrap();
    assert!(usage.reasoning_tokens > 0 && usage.reasoning_tokens <= usage.completion_tokens, "{usage:?}");
}

#[tokio::test]
async fn two_models_take_turns_where_only_one_has_room() {
    let directory = tempfile::tempdir().unwrap();
    let other = tampered(&directory, "other", b"Smollm2 135M 8k", b"Another 135M 8k");
    let house =
        House::with_models(RuntimeOptions { max_loaded: 1, ..options() }, &[(&model_path(), NAME), (&other, "other")]);
    let ask_other = || {
        let mut asked = request("Say hello.");
        asked.model = "other".to_owned();
        asked
    };
    for _ in 0..2 {
        house.ask(request("Say hello.")).await.unwrap();
        house.ask(ask_other()).await.unwrap();
        let loaded = house.runtime.status().lanes.iter().filter(|lane| lane.worker_id.is_some()).count();
        assert_eq!(loaded, 1);
    }
    // Even a lane that never rests makes room, once it has finished an answer.
    let mut crowd = Vec::new();
    for _ in 0..3 {
        let mut long = long_request();
        long.parameters.max_tokens = Some(400);
        crowd.push(house.open(long).await.unwrap());
    }
    let others = house.open(ask_other()).await.unwrap();
    let all = futures_util::future::join_all(crowd.into_iter().map(Answer::read));
    let (first, all) = tokio::join!(Answer::read(others), all);
    first.unwrap();
    assert!(all.iter().all(Result::is_ok), "{all:?}");
}

#[tokio::test]
async fn a_model_can_be_unloaded_by_hand() {
    let house = House::new(RuntimeOptions { keep_alive: Duration::from_mins(10), ..options() });
    house.ask(request("Say hello.")).await.unwrap();
    let lane = house.runtime.status().lanes.remove(0);
    assert_eq!(lane.state, LaneState::Idle);
    house.runtime.unload(&lane.digest);
    house.until(LaneState::Cold).await;
    assert_eq!(house.runtime.status().lanes[0].worker_id, None);
}
