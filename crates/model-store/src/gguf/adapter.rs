//! What an adapter says of itself: small changes of a model's weights (LoRA), in a file of their own.
//!
//! What is refused here is what llama.cpp aborts on, or reads and does not apply: an answer shall never be that of a model
//! that nobody asked for. Whether it belongs to its model, llama.cpp finds when both are loaded.

use std::collections::BTreeMap;
use std::io::{Read, Seek};

use super::tensor::Info;
use super::{GgufError, Header, Value};

/// The two halves of a change: the weights' columns to a few numbers, and those to the weights' rows.
const HALVES: [&str; 2] = [".lora_a", ".lora_b"];

/// The one tensor of models whose halves lie the other way round.
const TOKENS: &str = "token_embd.weight";

/// Weights of experts, of which each has its own.
const OF_EXPERTS: &str = "_exps.";

/// F32, F16, `Q8_0`, BF16.
const KINDS: [u32; 4] = [0, 1, 8, 30];

const MAX_RANK: u64 = 4_096;

/// An adapter as its header describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adapter {
    pub name: Option<String>,
    /// Of the models that it belongs to.
    pub architecture: String,
    /// Weights in all tensors.
    pub parameters: u64,
    /// The weights that it changes.
    pub changes: usize,
}

impl Adapter {
    /// Reads and checks a whole header. `file` is read from its beginning; the tensors themselves are not read.
    pub fn read<R: Read + Seek>(file: R) -> Result<Self, GgufError> {
        let mut halves: BTreeMap<String, [Option<[u64; 2]>; 2]> = BTreeMap::new();
        let mut wrong = None;
        let mut tensor = |info: &Info| match half(info) {
            Ok((changed, half, shape)) => halves.entry(changed).or_default()[half] = Some(shape),
            Err(error) => wrong = wrong.take().or(Some(error)),
        };
        let Header { metadata, parameters, .. } = Header::read(file, &mut tensor)?;
        let kind = metadata.text("general.type")?.unwrap_or_default();
        if kind != "adapter" {
            return Err(GgufError::NotAnAdapter { kind: kind.chars().take(40).collect() });
        }
        let manner = metadata.text("adapter.type")?.unwrap_or_default();
        if manner != "lora" {
            let manner: String = manner.chars().take(40).collect();
            return Err(unusable(format!("is of the type {manner:?}; LoRA is known here")));
        }
        if metadata.values.keys().any(|key| key.starts_with("adapter.alora.")) {
            return Err(unusable("is to be switched on by words of the prompt".to_owned()));
        }
        match metadata.values.get("adapter.lora.alpha") {
            None => {}
            Some(Value::Float(alpha)) if alpha.is_finite() => {}
            Some(_) => return Err(GgufError::WrongType { key: "adapter.lora.alpha".to_owned() }),
        }
        if let Some(error) = wrong {
            return Err(error);
        }
        for (changed, halves) in &halves {
            check_pair(changed, *halves)?;
        }
        Ok(Self {
            name: metadata.text("general.name")?,
            architecture: metadata
                .text("general.architecture")?
                .ok_or_else(|| GgufError::Missing { key: "general.architecture".to_owned() })?,
            parameters,
            changes: halves.len(),
        })
    }
}

/// Which weights a tensor changes, and which half of the change it is.
fn half(info: &Info) -> Result<(String, usize, [u64; 2]), GgufError> {
    let refuse = |detail: &str| GgufError::Tensor { name: info.name.clone(), detail: detail.to_owned() };
    let found = HALVES.iter().enumerate().find_map(|(half, ending)| Some((info.name.strip_suffix(ending)?, half)));
    let (changed, half) = found.ok_or_else(|| refuse("is no half of a change of weights, and would not be applied"))?;
    if changed.contains(OF_EXPERTS) {
        return Err(refuse("changes experts, which cannot be done here"));
    }
    if !KINDS.contains(&info.kind) {
        return Err(refuse("is packed in a way that adapters cannot be"));
    }
    let &[columns, rows] = info.shape.as_slice() else { return Err(refuse("is no matrix")) };
    Ok((changed.to_owned(), half, [columns, rows]))
}

fn check_pair(changed: &str, halves: [Option<[u64; 2]>; 2]) -> Result<(), GgufError> {
    let refuse = |detail: String| GgufError::Tensor { name: changed.to_owned(), detail };
    let [Some([a_columns, a_rows]), Some([b_columns, _])] = halves else {
        return Err(refuse("has only half of its change".to_owned()));
    };
    let rank = if changed == TOKENS { a_columns } else { a_rows };
    if rank != b_columns {
        return Err(refuse(format!("has halves of {rank} and {b_columns} numbers, which do not fit")));
    }
    if rank > MAX_RANK {
        return Err(refuse(format!("is changed by {rank} numbers, more than {MAX_RANK}")));
    }
    Ok(())
}

fn unusable(detail: String) -> GgufError {
    GgufError::UnusableAdapter { detail }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{File, adapter};
    use super::*;

    fn read(file: &File) -> Result<Adapter, GgufError> {
        Adapter::read(std::io::Cursor::new(file.bytes()))
    }

    #[test]
    fn a_good_one_is_described() {
        let good = read(&adapter()).unwrap();
        assert_eq!((good.architecture.as_str(), good.changes, good.parameters), ("llama", 2, 640));
    }

    #[test]
    fn what_would_not_be_applied_or_end_the_worker_is_refused() {
        let tensor = |error| matches!(error, Err(GgufError::Tensor { .. }));
        assert!(matches!(read(&adapter().with_text("general.type", "model")), Err(GgufError::NotAnAdapter { .. })));
        for manner in ["", "ia3"] {
            let file = adapter().with_text("adapter.type", manner);
            assert!(matches!(read(&file), Err(GgufError::UnusableAdapter { .. })), "{manner}");
        }
        let called = adapter().with_i32s("adapter.alora.invocation_tokens", &[1, 2]);
        assert!(matches!(read(&called), Err(GgufError::UnusableAdapter { .. })));
        for file in [adapter().with_u32("adapter.lora.alpha", 4), adapter().with_f32("adapter.lora.alpha", f32::NAN)] {
            assert!(matches!(read(&file), Err(GgufError::WrongType { .. })));
        }
        let numbers = |count| vec![0.0; count];
        for (what, name, shape) in [
            ("half of a change", "blk.1.attn_q.weight.lora_a", [64, 2]),
            ("a norm", "blk.0.attn_norm.weight", [64, 1]),
            ("experts", "blk.1.ffn_up_exps.weight.lora_a", [64, 2]),
        ] {
            let size = usize::try_from(shape[0] * shape[1]).unwrap();
            assert!(tensor(read(&adapter().with_numbers(name, &shape, &numbers(size)))), "{what}");
        }
        let pair = |a: [u64; 2], b: [u64; 2]| {
            let size = |shape: [u64; 2]| usize::try_from(shape[0] * shape[1]).unwrap();
            adapter().with_numbers("output.weight.lora_a", &a, &numbers(size(a))).with_numbers(
                "output.weight.lora_b",
                &b,
                &numbers(size(b)),
            )
        };
        assert!(read(&pair([64, 3], [3, 9])).is_ok());
        assert!(tensor(read(&pair([64, 3], [4, 9]))));
        assert!(tensor(read(&pair([2, 5_000], [5_000, 2]))));
        let narrow = adapter().with_numbers("output.weight.lora_a", &[64], &numbers(64));
        assert!(tensor(read(&narrow)));
    }

    #[test]
    fn halves_of_the_vocabulary_lie_the_other_way_round() {
        let file = |a: [u64; 2], b: [u64; 2]| {
            let numbers = |shape: [u64; 2]| vec![0.0; usize::try_from(shape[0] * shape[1]).unwrap()];
            adapter().with_numbers("token_embd.weight.lora_a", &a, &numbers(a)).with_numbers(
                "token_embd.weight.lora_b",
                &b,
                &numbers(b),
            )
        };
        assert!(read(&file([2, 9], [2, 64])).is_ok());
        assert!(read(&file([9, 2], [2, 64])).is_err());
    }
}
