//! What a program that computes finds in its environment: nothing of the server's, whose secrets are in it.

use tokio::process::Command;

/// How often OpenMP looks before it sleeps at a barrier. On an idle machine 300 is as fast as any larger number. Where
/// another program wants a core, whoever waits must sleep soon: with OpenMP's default an answer takes four times as long.
const SPIN_COUNT: &str = "300";

/// Where libraries lie.
const LIBRARIES: &str = "LD_LIBRARY_PATH";

/// How drivers are told which devices to show, and where they lie themselves.
const DRIVERS: [&str; 6] = [
    "CUDA_VISIBLE_DEVICES",
    "CUDA_DEVICE_ORDER",
    "GGML_VK_VISIBLE_DEVICES",
    "VK_DRIVER_FILES",
    "VK_ICD_FILENAMES",
    "HSA_OVERRIDE_GFX_VERSION",
];

/// With or without what drivers of devices are told. A program without them sees none.
pub(super) fn clean(command: &mut Command, devices: bool) {
    command
        .env_clear()
        .env("GOMP_SPINCOUNT", SPIN_COUNT)
        // On abort, ggml would otherwise start a debugger to print a trace.
        .env("GGML_NO_BACKTRACE", "1");
    if let Some(path) = std::env::var_os(LIBRARIES) {
        command.env(LIBRARIES, path);
    }
    if devices {
        // A driver that keeps what it has compiled would write files.
        command.env("MESA_SHADER_CACHE_DISABLE", "true").env("CUDA_CACHE_DISABLE", "1");
        for (name, value) in DRIVERS.into_iter().filter_map(|name| Some((name, std::env::var_os(name)?))) {
            command.env(name, value);
        }
    } else {
        command.env("CUDA_VISIBLE_DEVICES", "").env("GGML_VK_VISIBLE_DEVICES", "");
    }
}
