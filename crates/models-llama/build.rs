//! Compiles ggml's processor kernels a second time, for AVX-512, to be chosen when the program runs; and, where it computes
//! on devices, what counts their memory.
//!
//! `docs/decisions/0003-local-inference-build.md` says why. The sources are those that `llama-cpp-sys-2` has just
//! compiled for the baseline. Both sets have the same names, so all of the second but its entry is made local; that
//! includes what C++ would share between them, as shared code compiled for AVX-512 must not run on the baseline.

// There for their features only; `Cargo.toml` says why.
use {either as _, memchr as _, regex as _};

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The entry of ggml's kernels, and what it is called in the second set.
const ENTRY: &str = "ggml_backend_cpu_reg";
const ENTRY_AVX512: &str = "stoa_ggml_backend_cpu_avx512_reg";

const LIBRARY: &str = "stoa_ggml_cpu_avx512";

/// What Ice Lake, Zen 4 and later processors have, beside the baseline. `src/processor.rs` looks for the same.
const INSTRUCTIONS: [(&str, &[&str]); 9] = [
    ("GGML_SSE42", &["-msse4.2"]),
    ("GGML_AVX", &["-mavx"]),
    ("GGML_AVX2", &["-mavx2"]),
    ("GGML_BMI2", &["-mbmi2"]),
    ("GGML_F16C", &["-mf16c"]),
    ("GGML_FMA", &["-mfma"]),
    ("GGML_AVX512", &["-mavx512f", "-mavx512cd", "-mavx512vl", "-mavx512dq", "-mavx512bw"]),
    ("GGML_AVX512_VBMI", &["-mavx512vbmi"]),
    ("GGML_AVX512_VNNI", &["-mavx512vnni"]),
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(avx512_kernels)");
    println!("cargo::rustc-check-cfg=cfg(devices)");
    if env::var_os("CARGO_FEATURE_VULKAN").is_some() || env::var_os("CARGO_FEATURE_CUDA").is_some() {
        count_buffers()?;
    }
    let target = |name: &str| env::var(format!("CARGO_CFG_TARGET_{name}")).unwrap_or_default();
    if (target("ARCH").as_str(), target("OS").as_str(), target("ENV").as_str()) != ("x86_64", "linux", "gnu") {
        return Ok(());
    }
    let kernels = source()?.join("ggml/src");
    let out = PathBuf::from(env::var("OUT_DIR")?);

    let mut objects = compiler(&kernels, false).files(sources(&kernels, "c")?).try_compile_intermediates()?;
    objects.extend(compiler(&kernels, true).files(sources(&kernels, "cpp")?).try_compile_intermediates()?);

    // One object, in which the pieces that C++ would share are ordinary code.
    let whole = out.join("avx512.o");
    let compiler = compiler(&kernels, true).try_get_compiler()?;
    run(compiler
        .to_command()
        .args(["-r", "-nostdlib", "-fuse-ld=bfd", "-Wl,--force-group-allocation", "-o"])
        .arg(&whole)
        .args(&objects))?;
    run(Command::new("objcopy")
        .arg(format!("--redefine-sym={ENTRY}={ENTRY_AVX512}"))
        .arg(format!("--keep-global-symbol={ENTRY_AVX512}"))
        .arg(&whole))?;
    let library = out.join(format!("lib{LIBRARY}.a"));
    let _ = fs::remove_file(&library);
    run(Command::new("ar").arg("crs").arg(&library).arg(&whole))?;

    println!("cargo::rustc-link-search=native={}", out.display());
    println!("cargo::rustc-link-lib=static={LIBRARY}");
    println!("cargo::rustc-cfg=avx512_kernels");
    Ok(())
}

/// Compiles what counts the memory of devices: it must know how ggml lays out its buffers.
fn count_buffers() -> Result<(), Box<dyn Error>> {
    const COUNTING: &str = "src/devices/count.cpp";
    let ggml = source()?.join("ggml");
    println!("cargo::rerun-if-changed={COUNTING}");
    println!("cargo::rustc-cfg=devices");
    cc::Build::new()
        .cpp(true)
        .cpp_link_stdlib(None)
        .std("gnu++17")
        .includes([ggml.join("src"), ggml.join("include")])
        .file(COUNTING)
        .try_compile("stoa_ggml_count")?;
    Ok(())
}

/// Where the vendored llama.cpp lies: its build has noted it.
fn source() -> Result<PathBuf, Box<dyn Error>> {
    let built = PathBuf::from(env::var("DEP_LLAMA_ROOT")?);
    let notes = built.join("build/CMakeCache.txt");
    println!("cargo::rerun-if-changed={}", notes.display());
    fs::read_to_string(&notes)?
        .lines()
        .find_map(|line| line.strip_prefix("CMAKE_HOME_DIRECTORY:INTERNAL="))
        .map(PathBuf::from)
        .ok_or_else(|| format!("{} does not say where llama.cpp lies", notes.display()).into())
}

/// The kernels' sources of one language, as ggml's own CMake files list them for x86.
fn sources(kernels: &Path, extension: &str) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut sources = Vec::new();
    for directory in ["ggml-cpu", "ggml-cpu/amx", "ggml-cpu/tiled", "ggml-cpu/llamafile", "ggml-cpu/arch/x86"] {
        for entry in fs::read_dir(kernels.join(directory))? {
            let path = entry?.path();
            // This one asks whether a loadable backend fits the processor; `src/processor.rs` does that here.
            let asks = path.file_name().is_some_and(|name| name == "cpu-feats.cpp");
            if path.extension().is_some_and(|found| found == extension) && !asks {
                sources.push(path);
            }
        }
    }
    sources.sort();
    Ok(sources)
}

fn compiler(kernels: &Path, cpp: bool) -> cc::Build {
    let mut build = cc::Build::new();
    build
        .cpp(cpp)
        .cpp_link_stdlib(None)
        .std(if cpp { "gnu++17" } else { "gnu11" })
        // Slow kernels are of no use in any profile.
        .opt_level(3)
        .debug(false)
        .warnings(false)
        .pic(true)
        .flag("-fopenmp")
        // Unique symbols are shared whatever is done to the object later.
        .flag("-fno-gnu-unique")
        .includes([kernels.join("ggml-cpu"), kernels.join("../include"), kernels.to_path_buf()])
        .define("NDEBUG", None)
        .define("GGML_SCHED_MAX_COPIES", "4")
        .define("GGML_USE_CPU_REPACK", None)
        .define("GGML_USE_LLAMAFILE", None)
        .define("GGML_USE_OPENMP", None)
        .define("_GNU_SOURCE", None)
        .define("_XOPEN_SOURCE", "600");
    for (define, flags) in INSTRUCTIONS {
        build.define(define, None);
        for flag in flags {
            build.flag(flag);
        }
    }
    build
}

fn run(command: &mut Command) -> Result<(), Box<dyn Error>> {
    let status = command.status().map_err(|error| format!("{}: {error}", command.get_program().display()))?;
    if status.success() { Ok(()) } else { Err(format!("{command:?} failed: {status}").into()) }
}
