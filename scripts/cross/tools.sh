# What is fetched: packages of the system, of npm and of pip, each by its own client.

# Installs packages of the system where one of their files is missing: need FILE-OR-PROGRAM PACKAGE...
need() {
  { command -v "$1" || [[ -e $1 ]]; } >/dev/null && return
  shift
  [[ $EUID == 0 ]] || fail "Missing: apt-get install $*"
  say "Installing $* (apt-get)"
  export DEBIAN_FRONTEND=noninteractive
  { apt-get update -q && apt-get install -qy --no-install-recommends "$@"; } >&2 || fail "Could not install $*"
}

# Unpacks a package of npm, and prints the folder that it is in.
npm_package() { # name version
  local prefix=$CACHE/npm/$1@$2
  if [[ ! -e $prefix/complete ]]; then
    say "Fetching $1@$2 (npm)"
    mkdir -p "$prefix"
    npm install --prefix "$prefix" --no-save --no-package-lock --ignore-scripts --no-audit --no-fund --force \
      --loglevel=error "$1@$2" >&2 || fail "npm has no $1@$2"
    touch "$prefix/complete"
  fi
  echo "$prefix/node_modules/$1"
}

# Unpacks a wheel that is for another platform than this, and prints its folder.
wheel() { # name version platform
  local folder=$CACHE/wheels/$1-$2-$3
  if [[ ! -e $folder/complete ]]; then
    say "Fetching $1 $2 for $3 (pip)"
    need python3 python3
    python3 -m pip --version >/dev/null 2>&1 || need /nowhere python3-pip
    mkdir -p "$folder"
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --platform "$3" \
      --dest "$folder" "$1==$2" >&2 || fail "pip has no $1 $2 for $3"
    python3 -m zipfile -e "$folder"/*.whl "$folder" && rm "$folder"/*.whl
    touch "$folder/complete"
  fi
  echo "$folder"
}
