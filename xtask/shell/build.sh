# Building the web application and the programs.

# A fingerprint of everything that the web application is made from.
web_fingerprint() {
  (
    cd "$ROOT/web"
    find . \( -name node_modules -o -name build -o -name .svelte-kit -o -name e2e -o -path ./src/lib/paraglide \) -prune \
      -o -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -d' ' -f1
  )
}

build_web() {
  need_web_packages
  local stamp=$CACHE/web-build wanted
  wanted=$(web_fingerprint)
  if [ ! -f "$ROOT/web/build/index.html" ] || [ ! -f "$stamp" ] || [ "$(<"$stamp")" != "$wanted" ]; then
    say 'building the web application'
    (cd "$ROOT/web" && npm run --silent build) >&2
    printf '%s\n' "$wanted" >"$stamp"
  fi
}

build_release() {
  build_web
  say 'building target/release/stoa'
  (cd "$ROOT" && cargo build --release --package stoa-cli) >&2
}

# What a build for graphics processors says to cargo, which keeps it apart: the ordinary one is not compiled anew.
gpu_arguments() { printf '%s\n' --features "$1" --target-dir "$ROOT/target/$1"; }

build_engine() {
  local kind=$1 arguments
  build_web
  say "building the engine target/$kind/release/stoa (a quarter of an hour on two cores, and longer for CUDA)"
  mapfile -t arguments < <(gpu_arguments "$kind")
  (cd "$ROOT" && with_gpu_headers cargo build --release --package stoa-cli "${arguments[@]}") >&2
}

# Names that llama.cpp needs of newer Vulkan headers than Debian 12 has.
with_gpu_headers() { CPLUS_INCLUDE_PATH=$ROOT/xtask/vulkan${CPLUS_INCLUDE_PATH:+:$CPLUS_INCLUDE_PATH} "$@"; }

# The programs that tests start, unoptimised.
build_for_tests() {
  build_web
  say 'building the programs for the tests'
  (cd "$ROOT" && cargo build --workspace --bins) >&2
}
