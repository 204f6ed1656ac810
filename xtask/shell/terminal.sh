# Words to the person at the terminal. Standard output is kept for results.

if [ -t 2 ]; then
  BOLD=$'\e[1m' RED=$'\e[31m' PLAIN=$'\e[0m'
else
  BOLD='' RED='' PLAIN=''
fi

say() { printf '%s==>%s %s\n' "$BOLD" "$PLAIN" "$*" >&2; }

# An error and what to do next.
fail() {
  printf '%serror:%s %s\n' "$RED" "$PLAIN" "$1" >&2
  shift
  for line in "$@"; do printf '%shint:%s %s\n' "$BOLD" "$PLAIN" "$line" >&2; done
  exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# version_at_least HAVE WANT, both like 1.95.0
version_at_least() { [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n1)" = "$2" ]; }
