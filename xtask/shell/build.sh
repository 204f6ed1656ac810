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

# The programs that tests start, unoptimised.
build_for_tests() {
  build_web
  say 'building the programs for the tests'
  (cd "$ROOT" && cargo build --workspace --bins) >&2
}
