//! The life of a worker that packs weights anew: it sees the one file and may write the other.

#![expect(unsafe_code, reason = "llama-cpp-2 has no door to llama.cpp's quantization")]

use std::ffi::{CString, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::{LogOptions, send_logs_to_tracing};
use llama_cpp_sys_2 as sys;
use stoa_models::protocol::{LockProfile, Quantization, QuantizeArguments};

use crate::worker::{Limits, WorkerError};
use crate::{confinement, cores};

/// Rows that are kept in memory at once, of each stage of the computation.
const ROWS_BYTES: usize = 512 << 20;

pub(crate) fn run(arguments: impl IntoIterator<Item = OsString>, locked_in: impl FnOnce()) -> Result<(), WorkerError> {
    let arguments = QuantizeArguments::parse(arguments)?;
    stoa_confinement::end_with_parent(arguments.parent)?;
    Limits { written: arguments.most_bytes, ..Limits::default() }.set()?;
    let threads = if arguments.threads == 0 { cores::usable() } else { arguments.threads };
    let files = std::iter::once(arguments.model.as_path());
    confinement::lock_in(files, Some(&arguments.output), LockProfile::Writing)?;
    locked_in();
    send_logs_to_tracing(LogOptions::default());
    let backend = LlamaBackend::init().map_err(|error| WorkerError::Quantize(error.to_string()))?;
    pack(&backend, &arguments, threads)
}

fn pack(_: &LlamaBackend, arguments: &QuantizeArguments, threads: u32) -> Result<(), WorkerError> {
    let [model, output] = [&arguments.model, &arguments.output].map(|path| path_of(path));
    let (model, output) = (model?, output?);
    // SAFETY: It fills a plain structure.
    let mut parameters = unsafe { sys::llama_model_quantize_default_params() };
    parameters.nthread = i32::try_from(threads).unwrap_or(i32::MAX);
    parameters.ftype = match arguments.to {
        Quantization::Q4_0 => sys::LLAMA_FTYPE_MOSTLY_Q4_0,
        Quantization::Q4KS => sys::LLAMA_FTYPE_MOSTLY_Q4_K_S,
        Quantization::Q4KM => sys::LLAMA_FTYPE_MOSTLY_Q4_K_M,
        Quantization::Q5KM => sys::LLAMA_FTYPE_MOSTLY_Q5_K_M,
        Quantization::Q6K => sys::LLAMA_FTYPE_MOSTLY_Q6_K,
        Quantization::Q8_0 => sys::LLAMA_FTYPE_MOSTLY_Q8_0,
    };
    parameters.max_buf_size = ROWS_BYTES;
    // SAFETY: Both paths end with a zero and outlive the call, as do the parameters, whose pointers are null. llama.cpp has
    // been started, of which the backend is proof.
    let status = unsafe { sys::llama_model_quantize(model.as_ptr(), output.as_ptr(), &raw const parameters) };
    if status == 0 { Ok(()) } else { Err(WorkerError::Quantize("llama.cpp cannot pack these weights".to_owned())) }
}

fn path_of(path: &Path) -> Result<CString, WorkerError> {
    CString::new(path.as_os_str().as_bytes()).map_err(|error| WorkerError::Quantize(error.to_string()))
}
