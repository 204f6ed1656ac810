//! Loads a model: all of it on the processor, or its last layers on devices.

#![expect(unsafe_code, reason = "the safe door lets no one say how many layers each of several devices gets")]

use std::ffi::{CString, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::NonNull;

use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::model::params::LlamaModelParams;
use llama_cpp_sys_2::{
    LLAMA_SPLIT_MODE_LAYER, llama_max_devices, llama_model_default_params, llama_model_load_from_file,
};

use crate::devices::Given;

/// `progress` is told from 0 to 1, and ends the loading by answering `false`.
pub(super) fn load(
    backend: &LlamaBackend,
    path: &Path,
    given: &Given,
    progress: impl FnMut(f32) -> bool + 'static,
) -> Result<LlamaModel, String> {
    if given.is_empty() {
        let parameters = LlamaModelParams::default()
            // Said, so that a program that could compute on devices does not.
            .with_devices(&[])
            .map_err(|error| error.to_string())?
            .with_n_gpu_layers(0)
            .with_progress_callback(progress);
        return LlamaModel::load_from_file(backend, path, &parameters).map_err(|error| error.to_string());
    }
    on_devices(path, given, progress)
}

/// llama.cpp divides by shares, a layer going to the first device whose share ends behind it. Numbers of layers are such
/// shares, and divide exactly.
#[expect(clippy::cast_precision_loss, reason = "a model has some thousands of layers at most")]
fn on_devices<F: FnMut(f32) -> bool>(path: &Path, given: &Given, mut progress: F) -> Result<LlamaModel, String> {
    unsafe extern "C" fn tell<F: FnMut(f32) -> bool>(progress: f32, told: *mut c_void) -> bool {
        // SAFETY: It is the closure of the call below, which lasts longer than the loading.
        unsafe { (*told.cast::<F>())(progress) }
    }

    let path = CString::new(path.as_os_str().as_bytes()).map_err(|error| error.to_string())?;
    let mut devices: Vec<_> = given.parts().map(|(device, _)| device).collect();
    devices.push(std::ptr::null_mut());
    let mut shares: Vec<f32> = given.parts().map(|(_, layers)| layers as f32).collect();
    // SAFETY: It is a number that llama.cpp was built with.
    let most = unsafe { llama_max_devices() };
    if shares.len() > most {
        return Err(format!("llama.cpp takes {most} devices"));
    }
    shares.resize(most, 0.0);
    let layers: u32 = given.parts().map(|(_, layers)| layers).sum();

    // SAFETY: It makes a value of numbers and null pointers.
    let mut parameters = unsafe { llama_model_default_params() };
    parameters.devices = devices.as_mut_ptr();
    parameters.n_gpu_layers = i32::try_from(layers).unwrap_or(i32::MAX);
    parameters.split_mode = LLAMA_SPLIT_MODE_LAYER;
    parameters.tensor_split = shares.as_ptr();
    parameters.progress_callback = Some(tell::<F>);
    parameters.progress_callback_user_data = (&raw mut progress).cast();
    // SAFETY: All pointers in the parameters are read during this call only, and what they point at outlives it: the list of
    // devices ends with a null pointer, the shares are as many as llama.cpp reads, and it copies them. The backend has been
    // started by the caller, who has one.
    let model = unsafe { llama_model_load_from_file(path.as_ptr(), parameters) };
    let model = NonNull::new(model).ok_or("llama.cpp made no model")?;
    // SAFETY: `LlamaModel` is a transparent wrapper around such a pointer, in the version that is pinned exactly, and frees
    // the model when it is dropped.
    Ok(unsafe { std::mem::transmute::<NonNull<llama_cpp_sys_2::llama_model>, LlamaModel>(model) })
}
