# The commands of ./x.

x_setup() {
  need_test_tools
  need_web_packages
  need_official_clients
}

x_build() {
  need_build_tools
  case $* in
    '')
      build_release
      say 'built target/release/stoa'
      ;;
    '--gpu vulkan' | '--gpu cuda')
      need_gpu_tools "$2"
      build_engine "$2"
      say "built target/$2/release/stoa: copy it into the folder of STOA_MODELS_ENGINES"
      ;;
    *) fail "unknown arguments: $*" './x build, or ./x build --gpu vulkan, or ./x build --gpu cuda' ;;
  esac
}

x_run() {
  need_build_tools
  build_release
  export STOA_DATA_DIR=${STOA_DATA_DIR:-$ROOT/data}
  # Nobody else on the machine reads what is kept.
  mkdir -p -m 700 "$STOA_DATA_DIR"
  local missing
  missing=$(missing_for_model)
  if [ -n "$missing" ] && [ "$(id -u)" -eq 0 ] && have apt-get; then
    # shellcheck disable=SC2086
    install_packages $missing
  fi
  import_starter_model "$ROOT/target/release/stoa" "$STOA_DATA_DIR"
  announce "${STOA_LISTEN:-127.0.0.1:3210}" &
  exec "$ROOT/target/release/stoa" serve "$@"
}

# Prints the address once the server (this process, after exec) answers.
announce() {
  local host=${1%:*} port=${1##*:}
  case $host in 0.0.0.0 | '[::]' | '') host=127.0.0.1 ;; esac
  local url=http://$host:$port
  while kill -0 $$ 2>/dev/null; do
    if curl --silent --fail --output /dev/null --max-time 2 "$url/health/ready"; then
      printf '\n  Stoa is at %s\n\n' "$url"
      return
    fi
    sleep 0.2
  done
}

x_lint() {
  need_build_tools
  need_rust_component fmt rustfmt
  need_rust_component clippy clippy
  build_web
  say 'rustfmt'
  cargo fmt --all --check
  say 'clippy'
  cargo clippy --workspace --all-targets --locked -- -D warnings
  say 'tidy'
  cargo xtask tidy
  say 'shell'
  local script
  for script in x .ci/run xtask/postgres xtask/shell/*.sh; do bash -n "$script"; done
  if have shellcheck; then shellcheck --shell=bash x .ci/run xtask/postgres xtask/shell/*.sh; fi
  say 'web'
  (cd web && npm run --silent lint)
  say 'generated files'
  generated_files_are_fresh
  say 'all good'
}

GENERATED=(docs/reference/openapi.json docs/reference/configuration.md web/src/lib/api/schema.ts)

x_generate() {
  need_build_tools
  build_web
  cargo build --package stoa-cli >&2
  mkdir -p docs/reference
  generate_one docs/reference/openapi.json target/debug/stoa openapi
  generate_one docs/reference/configuration.md target/debug/stoa config reference
  (cd web && npm run --silent generate) >&2
}

# generate_one FILE COMMAND… — a command that fails leaves the file as it was.
generate_one() {
  local file=$1
  shift
  "$@" >"$file.new" || { rm -f "$file.new"; fail "cannot generate $file: \`$*\` failed"; }
  mv "$file.new" "$file"
}

generated_files_are_fresh() {
  local before after
  before=$(sha256sum "${GENERATED[@]}" 2>&1 || true)
  x_generate
  after=$(sha256sum "${GENERATED[@]}")
  if [ "$before" != "$after" ]; then
    diff <(printf '%s\n' "$before") <(printf '%s\n' "$after") >&2 || true
    fail 'generated files were stale; they are fresh now' 'commit them'
  fi
}

# Starts a PostgreSQL server for this run, unless one is named.
need_postgres() {
  if [ -z "${STOA_TEST_POSTGRES:-}" ]; then
    POSTGRES_FOLDER=$(mktemp -d /tmp/stoa-postgres.XXXXXX)
    # However this ends, the server does too.
    trap 'xtask/postgres remove "$POSTGRES_FOLDER"' EXIT
    say 'starting PostgreSQL'
    STOA_TEST_POSTGRES=$(xtask/postgres start "$POSTGRES_FOLDER")
  fi
  export STOA_TEST_POSTGRES
}

x_bench() {
  need_build_tools
  build_web
  say 'building the programs for the bench'
  # In one command, so that they are compiled with the same features and share their parts.
  cargo build --release --package stoa-cli --package stoa-mock-openai --package stoa-bench >&2
  if fetch_starter_model; then export STOA_TEST_MODEL=${STOA_TEST_MODEL:-$STARTER_FILE}; fi
  CHROMIUM_BIN=$(browser)
  need_peers
  case " $* " in
    *' chat '* | *' models '* | *' functions '*) ;;
    *) need_postgres ;;
  esac
  export CHROMIUM_BIN STOA_BENCH_PYTHON=$CACHE/peers/bin/python
  target/release/stoa-bench "$@"
}

# suite NAME COMMAND… — runs a suite, shows and keeps its output; its result is counted at the end.
suite() {
  local name=$1 status=0
  shift
  say "tests: $name"
  "$@" 2>&1 | tee "$RESULTS/$name.txt" || status=$?
  [ "$status" -eq 0 ] || FAILED_SUITES+=("$name (status $status)")
}

may_mount() {
  local folder mounted=1
  folder=$(mktemp -d)
  if mount -t tmpfs -o size=64k tmpfs "$folder" 2>/dev/null; then
    umount "$folder"
    mounted=0
  fi
  rmdir "$folder"
  return "$mounted"
}

web_unit_tests() { (cd web && npm run --silent test -- --reporter=default --reporter=json --outputFile.json="$RESULTS/vitest.json"); }
openai_client() { "$CACHE/python/bin/python" conformance/openai_client.py; }
responses_client() { "$CACHE/python/bin/python" conformance/responses_client.py; }
anthropic_client() { "$CACHE/python/bin/python" conformance/anthropic_client.py; }
ollama_client() { "$CACHE/python/bin/python" conformance/ollama_client.py; }
bedrock_client() { "$CACHE/python/bin/python" conformance/bedrock_client.py; }
browser_tests() { (cd web && npm run --silent e2e); }

# A real model on Mesa's software device for Vulkan, which is shown twice, so that models are divided, too. Whoever has set
# GGML_VK_VISIBLE_DEVICES tries those devices instead.
x_test_gpu() {
  need_build_tools
  need_nextest
  need_gpu_tools vulkan
  # shellcheck disable=SC2046
  install_packages $(missing_for_gpu_tests)
  fetch_starter_model || fail 'the tests need the starter model'
  local arguments
  mapfile -t arguments < <(gpu_arguments vulkan)
  say 'building for Vulkan (a quarter of an hour on two cores, once)'
  export STOA_TEST_MODEL=$STARTER_FILE
  if [ -z "${GGML_VK_VISIBLE_DEVICES:-}" ]; then
    VK_ICD_FILENAMES=$(compgen -G "$SOFTWARE_DEVICE" | head -n1)
    export VK_ICD_FILENAMES GGML_VK_VISIBLE_DEVICES=0,0
  fi
  with_gpu_headers cargo nextest run --package stoa-models-llama "${arguments[@]}" --test devices --profile devices \
    --test-threads 1 --no-fail-fast
}

x_test() {
  case $* in
    '') ;;
    gpu)
      x_test_gpu
      return
      ;;
    *) fail "unknown arguments: $*" './x test, or ./x test gpu' ;;
  esac
  need_test_tools
  build_for_tests
  need_official_clients
  RESULTS=$CACHE/test FAILED_SUITES=()
  rm -rf "$RESULTS"
  mkdir -p "$RESULTS"

  need_postgres
  export STOA_TEST_MOTO=$CACHE/python/bin/moto_server
  # What this machine cannot run is left out, with a word, and counted as skipped.
  local filter='all()'
  if fetch_starter_model; then
    export STOA_TEST_MODEL=$STARTER_FILE
  else
    say 'leaving out the tests with a real model: it could not be fetched'
    filter+=' & not (binary_id(stoa-models-llama::model) | test(real_model))'
  fi
  if ! may_mount; then
    say 'leaving out the tests of full and read-only disks: this user may not mount any'
    filter+=' & not test(small_disk::)'
  fi
  export STOA_BIN=$ROOT/target/debug/stoa MOCK_OPENAI_BIN=$ROOT/target/debug/mock-openai
  CHROMIUM_BIN=$(browser)
  export CHROMIUM_BIN

  suite nextest cargo nextest run --workspace --no-fail-fast --filterset "$filter"
  suite web web_unit_tests
  suite openai openai_client
  suite responses responses_client
  suite anthropic anthropic_client
  suite ollama ollama_client
  suite bedrock bedrock_client
  suite browser browser_tests

  local suite
  for suite in "${FAILED_SUITES[@]}"; do say "failed: $suite"; done
  local counted=0
  cargo xtask count nextest="$RESULTS/nextest.txt" vitest="$RESULTS/vitest.json" \
    summary="$RESULTS/openai.txt" summary="$RESULTS/responses.txt" \
    summary="$RESULTS/anthropic.txt" summary="$RESULTS/ollama.txt" summary="$RESULTS/bedrock.txt" \
    summary="$RESULTS/browser.txt" || counted=$?
  [ "$counted" -eq 0 ] && [ ${#FAILED_SUITES[@]} -eq 0 ]
}
