//! Models to begin with: well-known families of Ollama's library, of every size that a machine may hold.

use crate::machine::Machine;

/// Of one model beyond its file: the contexts of those who use it, for which a worker takes about 1 GiB, and the worker
/// itself.
const CONTEXTS_BYTES: u64 = 1_300_000_000;

/// A model that is known to work here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suggestion {
    /// What it is pulled by.
    pub name: &'static str,
    pub family: &'static str,
    /// Weights as people say it: `3B`.
    pub parameters: &'static str,
    /// Of the file, about.
    pub size_bytes: u64,
    pub license: &'static str,
}

/// Whether a model finds room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// Now.
    Now,
    /// Once other programs or models leave memory.
    Crowded,
    /// Never on this machine.
    TooLarge,
}

impl Suggestion {
    /// Memory that it takes at work, about.
    pub const fn memory_bytes(&self) -> u64 {
        self.size_bytes + CONTEXTS_BYTES
    }

    pub const fn fit(&self, machine: &Machine) -> Fit {
        let needed = self.memory_bytes();
        if needed <= machine.memory_available_bytes {
            Fit::Now
        } else if needed <= machine.memory_total_bytes {
            Fit::Crowded
        } else {
            Fit::TooLarge
        }
    }
}

const MB: u64 = 1_000_000;

const fn suggestion(
    name: &'static str,
    family: &'static str,
    parameters: &'static str,
    size_mb: u64,
    license: &'static str,
) -> Suggestion {
    Suggestion { name, family, parameters, size_bytes: size_mb * MB, license }
}

/// The smallest first. Sizes are those of the library's own packing, <https://ollama.com/library>.
pub const SUGGESTIONS: &[Suggestion] = &[
    suggestion("smollm2:135m", "SmolLM2", "135M", 271, "Apache-2.0"),
    suggestion("qwen3:0.6b", "Qwen3", "0.6B", 523, "Apache-2.0"),
    suggestion("llama3.2:1b", "Llama 3.2", "1B", 1_300, "Llama 3.2 Community"),
    suggestion("qwen3:1.7b", "Qwen3", "1.7B", 1_400, "Apache-2.0"),
    suggestion("smollm2:1.7b", "SmolLM2", "1.7B", 1_800, "Apache-2.0"),
    suggestion("llama3.2:3b", "Llama 3.2", "3B", 2_000, "Llama 3.2 Community"),
    suggestion("phi4-mini:3.8b", "Phi-4 mini", "3.8B", 2_500, "MIT"),
    suggestion("qwen3:4b", "Qwen3", "4B", 2_600, "Apache-2.0"),
    suggestion("mistral:7b", "Mistral", "7B", 4_400, "Apache-2.0"),
    suggestion("llama3.1:8b", "Llama 3.1", "8B", 4_900, "Llama 3.1 Community"),
    suggestion("qwen3:8b", "Qwen3", "8B", 5_200, "Apache-2.0"),
    suggestion("deepseek-r1:8b", "DeepSeek-R1", "8B", 5_200, "MIT"),
    suggestion("phi4:14b", "Phi-4", "14B", 9_100, "MIT"),
    suggestion("qwen3:14b", "Qwen3", "14B", 9_300, "Apache-2.0"),
    suggestion("qwen3:30b", "Qwen3", "30B", 19_000, "Apache-2.0"),
    suggestion("qwen3:32b", "Qwen3", "32B", 20_000, "Apache-2.0"),
    suggestion("llama3.3:70b", "Llama 3.3", "70B", 43_000, "Llama 3.3 Community"),
];

#[cfg(test)]
mod tests {
    use stoa_model_store::ModelName;

    use super::*;

    #[test]
    fn every_suggestion_has_a_name_of_its_own_and_larger_ones_come_later() {
        for suggestion in SUGGESTIONS {
            let name: ModelName = suggestion.name.parse().unwrap();
            assert_eq!(name.to_string(), suggestion.name);
            assert_eq!(SUGGESTIONS.iter().filter(|other| other.name == suggestion.name).count(), 1);
        }
        assert!(SUGGESTIONS.is_sorted_by_key(|suggestion| suggestion.size_bytes));
    }

    #[test]
    fn what_fits_is_said_by_the_memory_of_the_machine() {
        const GB: u64 = 1_000 * MB;
        let machine = Machine { memory_total_bytes: 8 * GB, memory_available_bytes: 4 * GB, processors: 4 };
        let fits: Vec<Fit> = SUGGESTIONS.iter().map(|suggestion| suggestion.fit(&machine)).collect();
        let names = |wanted: Fit| {
            let all = SUGGESTIONS.iter().zip(&fits);
            all.filter(|(_, fit)| **fit == wanted).map(|(suggestion, _)| suggestion.name).collect::<Vec<_>>()
        };
        assert_eq!(names(Fit::Now).last(), Some(&"qwen3:4b"));
        assert_eq!(names(Fit::Crowded), ["mistral:7b", "llama3.1:8b", "qwen3:8b", "deepseek-r1:8b"]);
        assert_eq!(names(Fit::TooLarge).first(), Some(&"phi4:14b"));
    }
}
