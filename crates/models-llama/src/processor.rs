//! Which instructions this processor has, and which of the compiled-in kernels computes with them.

use stoa_models::protocol::{LoadFailure, Processor};

/// Refuses a processor below the baseline, on which the first kernel would end the process.
pub(crate) fn check() -> Result<(), LoadFailure> {
    match missing() {
        Some(missing) => Err(LoadFailure::Processor { missing: missing.to_owned() }),
        None => Ok(()),
    }
}

#[cfg(target_arch = "x86_64")]
fn missing() -> Option<&'static str> {
    [
        ("AVX2", is_x86_feature_detected!("avx2")),
        ("FMA", is_x86_feature_detected!("fma")),
        ("F16C", is_x86_feature_detected!("f16c")),
        ("BMI2", is_x86_feature_detected!("bmi2")),
    ]
    .into_iter()
    .find_map(|(name, present)| (!present).then_some(name))
}

#[cfg(not(target_arch = "x86_64"))]
const fn missing() -> Option<&'static str> {
    None
}

/// Chooses the kernels before llama.cpp first looks for them. Answers their name.
pub(crate) fn choose(_processor: Processor) -> &'static str {
    "baseline"
}
