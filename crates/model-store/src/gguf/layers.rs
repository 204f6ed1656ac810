//! Which part of a model's weights belongs to which of its layers, for whoever has to divide them among devices.

/// What the tensors of layers are called: `blk.17.attn_q.weight`.
const LAYER: &str = "blk.";

/// What turns tokens into vectors, and where there is nothing of its own for that, vectors into tokens.
const TOKENS: &str = "token_embd.weight";

const OUTPUT: &str = "output.weight";

/// Sizes in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layers {
    /// Of each layer, in the order in which they are computed.
    pub layers: Vec<u64>,
    /// What is computed behind the last of them.
    pub output: u64,
    /// What is computed before the first of them.
    pub input: u64,
}

/// Gathers the tensors of a file.
#[derive(Debug, Default)]
pub(super) struct Gathering {
    layers: Vec<u64>,
    tokens: u64,
    output: Option<u64>,
    rest: u64,
}

impl Gathering {
    /// A tensor of a layer that no model can have belongs to what is left.
    pub(super) fn add(&mut self, name: &str, bytes: u64, most_layers: usize) {
        let layer = name
            .strip_prefix(LAYER)
            .and_then(|rest| rest.split('.').next()?.parse::<usize>().ok())
            .filter(|layer| *layer < most_layers);
        match (layer, name) {
            (Some(layer), _) => {
                if self.layers.len() <= layer {
                    self.layers.resize(layer + 1, 0);
                }
                if let Some(sum) = self.layers.get_mut(layer) {
                    *sum = sum.saturating_add(bytes);
                }
            }
            (None, TOKENS) => self.tokens = bytes,
            (None, OUTPUT) => self.output = Some(bytes),
            (None, _) => self.rest = self.rest.saturating_add(bytes),
        }
    }

    /// With one entry for each of so many layers, whether the file has anything of it or not.
    pub(super) fn layers(mut self, count: u32) -> Layers {
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let beyond: u64 = self.layers.iter().skip(count).sum();
        self.layers.resize(count, 0);
        Layers {
            layers: self.layers,
            // What is neither is mostly norms: small, and computed at the end.
            output: self.output.unwrap_or(self.tokens).saturating_add(self.rest).saturating_add(beyond),
            input: self.tokens,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gathered(tensors: &[(&str, u64)]) -> Layers {
        let mut gathering = Gathering::default();
        for (name, bytes) in tensors {
            gathering.add(name, *bytes, 4_096);
        }
        gathering.layers(3)
    }

    #[test]
    fn every_tensor_belongs_to_a_layer_the_input_or_the_output() {
        let layers = gathered(&[
            ("token_embd.weight", 1_000),
            ("blk.0.attn_q.weight", 10),
            ("blk.2.ffn_up.weight", 30),
            ("blk.0.ffn_up.weight", 5),
            ("output_norm.weight", 1),
            ("output.weight", 500),
        ]);
        assert_eq!(layers, Layers { layers: vec![15, 0, 30], output: 501, input: 1_000 });
    }

    #[test]
    fn tied_weights_are_needed_on_both_ends() {
        let layers = gathered(&[("token_embd.weight", 1_000), ("blk.1.attn_q.weight", 7)]);
        assert_eq!(layers, Layers { layers: vec![0, 7, 0], output: 1_000, input: 1_000 });
    }

    #[test]
    fn names_that_no_model_has_are_counted_and_reserve_nothing() {
        let layers = gathered(&[("blk.99999999999.x", 4), ("blk.x.y", 5), ("blk.4095.z", 6), ("blk.", 7)]);
        assert_eq!(layers, Layers { layers: vec![0, 0, 0], output: 22, input: 0 });
    }
}
