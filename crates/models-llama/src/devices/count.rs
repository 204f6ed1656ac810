//! How many bytes ggml has in buffers on a device, as `count.cpp` counts them.

use std::ffi::c_int;

use llama_cpp_sys_2::ggml_backend_dev_t;

unsafe extern "C" {
    fn stoa_ggml_count(device: ggml_backend_dev_t) -> c_int;
    fn stoa_ggml_counted(index: c_int) -> usize;
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Counted(c_int);

impl Counted {
    /// Must be called before anything is put on the device.
    pub(super) fn begin(device: ggml_backend_dev_t) -> Self {
        // SAFETY: The device is of ggml's register. Called on the worker's one engine thread, before there are buffers.
        Self(unsafe { stoa_ggml_count(device) })
    }

    pub(super) fn bytes(self) -> u64 {
        // SAFETY: Any number may be asked for.
        u64::try_from(unsafe { stoa_ggml_counted(self.0) }).unwrap_or(u64::MAX)
    }
}
