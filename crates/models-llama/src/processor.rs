//! Which instructions this processor has, and which of the two compiled sets of kernels computes with them.

use stoa_models::protocol::{LoadFailure, Processor};

const BASELINE: &str = "baseline";

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

/// Chooses the kernels, before llama.cpp first looks for them. Answers their name.
#[cfg(avx512_kernels)]
pub(crate) fn choose(processor: Processor) -> &'static str {
    let present = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512cd")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vbmi")
        && is_x86_feature_detected!("avx512vnni");
    if processor == Processor::Best && present && avx512::install() { "avx512" } else { BASELINE }
}

#[cfg(not(avx512_kernels))]
pub(crate) const fn choose(_: Processor) -> &'static str {
    BASELINE
}

#[cfg(avx512_kernels)]
mod avx512 {
    //! The second set of kernels, which `build.rs` compiles.

    #![expect(unsafe_code, reason = "ggml's register of backends has no safe door")]

    use llama_cpp_sys_2::{ggml_backend_reg_by_name, ggml_backend_reg_t, ggml_backend_register, ggml_backend_unload};

    unsafe extern "C" {
        fn stoa_ggml_backend_cpu_avx512_reg() -> ggml_backend_reg_t;
    }

    /// Puts the kernels in the place of the baseline's. `false` when they are not what they should be.
    pub(super) fn install() -> bool {
        // SAFETY: The register is ggml's own static, made at its first use. The worker and the raw loop call this
        // before anything else of llama.cpp, on their one thread, so nothing holds the backend that leaves. Both
        // backends are statics of this program that live as long as it does.
        unsafe {
            let baseline = ggml_backend_reg_by_name(c"CPU".as_ptr());
            let fast = stoa_ggml_backend_cpu_avx512_reg();
            if fast.is_null() || fast == baseline {
                return false;
            }
            if !baseline.is_null() {
                ggml_backend_unload(baseline);
            }
            ggml_backend_register(fast);
        }
        true
    }
}
