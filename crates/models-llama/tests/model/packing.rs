//! Weights packed anew: the file is what was asked for, loads, and says what the whole weights said.

use std::path::Path;

use stoa_model::completion::CompletionRequest;
use stoa_model_store::gguf::Gguf;
use stoa_models::QuantizeError;
use stoa_models::protocol::Quantization;

use crate::seer;
use crate::support::{House, NAME, model_path, options, request};

async fn packed(house: &House, from: &Path, to: Quantization) -> Result<(tempfile::NamedTempFile, u64), QuantizeError> {
    let output = tempfile::NamedTempFile::new().unwrap();
    let mut told = 0;
    house.runtime.quantize(from, output.path(), to, |written| told = written).await?;
    Ok((output, told))
}

fn asked() -> CompletionRequest {
    let mut asked = request("colour?");
    asked.parameters.max_tokens = Some(3);
    asked
}

#[tokio::test]
async fn packed_weights_are_smaller_and_say_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole.gguf");
    // As wide as the blocks that weights are packed in.
    std::fs::write(&whole, seer::model_as_wide_as(256, "llama", 1).bytes()).unwrap();
    let house = House::with_models(options(), &[(&whole, NAME)]);
    let said = house.ask(asked()).await.unwrap().text;
    for (to, kind) in [(Quantization::Q8_0, "Q8_0"), (Quantization::Q4KM, "Q4_K_M")] {
        let (output, _) = packed(&house, &whole, to).await.unwrap();
        let size = |path: &Path| std::fs::metadata(path).unwrap().len();
        assert!(size(output.path()) * 2 < size(&whole), "{kind}");
        let gguf = Gguf::read(std::fs::File::open(output.path()).unwrap()).unwrap();
        assert_eq!(gguf.quantization, kind);
        if to == Quantization::Q8_0 {
            let small = House::with_models(options(), &[(output.path(), NAME)]);
            assert_eq!(small.ask(asked()).await.unwrap().text, said);
        }
    }
}

#[tokio::test]
async fn what_has_been_packed_before_is_refused_and_so_is_a_place_that_may_not_be_written() {
    let house = House::new(options());
    let refused = packed(&house, &model_path(), Quantization::Q8_0).await.unwrap_err();
    assert!(matches!(&refused, QuantizeError::Failed { last_words, .. } if !last_words.is_empty()), "{refused}");
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("missing.gguf");
    let refused = house.runtime.quantize(&model_path(), &nowhere, Quantization::Q8_0, |_| {}).await.unwrap_err();
    assert!(matches!(refused, QuantizeError::Failed { .. }), "{refused}");
    assert!(!nowhere.exists());
}
