//! Models with adapters: what is said is what both together say, and a pair that does not belong together says nothing.

use stoa_model::completion::{CompletionError, CompletionRequest};
use stoa_model_store::gguf::fixture::File;

use crate::local::embed;
use crate::seer::noise;
use crate::support::{House, options, request};

/// Numbers of a token's vector in the starter model.
const WIDTH: u64 = 576;
const RANK: u64 = 4;

/// Changes what attention says in two layers.
fn adapter(width: u64, amplitude: f32) -> File {
    let file = File::empty()
        .with_text("general.architecture", "llama")
        .with_text("general.type", "adapter")
        .with_text("adapter.type", "lora")
        .with_f32("adapter.lora.alpha", 8.0);
    let count = usize::try_from(width * RANK).unwrap();
    [3, 17].into_iter().fold(file, |file, layer| {
        let name = |half: &str| format!("blk.{layer}.attn_output.weight.lora_{half}");
        file.with_numbers(&name("a"), &[width, RANK], &noise(layer, count, amplitude)).with_numbers(
            &name("b"),
            &[RANK, width],
            &noise(layer + 1, count, amplitude),
        )
    })
}

fn house(adapter: &File) -> House {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("adapter.gguf");
    std::fs::write(&path, adapter.bytes()).unwrap();
    House::adapted(options(), &path)
}

fn asked() -> CompletionRequest {
    let mut asked = request("Name a colour of the sky.");
    asked.parameters.max_tokens = Some(12);
    asked
}

async fn vector(house: &House) -> Vec<f32> {
    house.runtime.embed(embed(&["the sky"])).await.unwrap().vectors.remove(0)
}

#[tokio::test]
async fn an_adapter_changes_answers_and_vectors_and_one_of_zeros_changes_nothing() {
    let (plain, zeros, changed) = (House::new(options()), house(&adapter(WIDTH, 0.0)), house(&adapter(WIDTH, 0.2)));
    let mut answers = Vec::new();
    let mut vectors = Vec::new();
    for house in [&plain, &zeros, &changed] {
        answers.push(house.ask(asked()).await.unwrap().text);
        vectors.push(vector(house).await);
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(vectors[0], vectors[1]);
    assert_ne!(answers[0], answers[2]);
    assert_ne!(vectors[0], vectors[2]);
}

#[tokio::test]
async fn an_adapter_of_another_model_is_refused_and_the_reason_told() {
    let house = house(&adapter(64, 0.2));
    let refused = house.ask(asked()).await;
    let Err(CompletionError::WorkerFailed { detail }) = refused else { panic!("{refused:?}") };
    assert!(detail.contains("adapter"), "{detail}");
}
