# Fetches packages of the system, of npm and of pip, each with its own client.
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
CACHE=$ROOT/.cache/cross
mkdir -p "$CACHE"

say() { printf '> %s\n' "$*" >&2; }
fail() {
  printf '%s\n' "$*" >&2
  exit 1
}

# need FILE-OR-PROGRAM PACKAGE...: installs packages of the system if the file is missing.
need() {
  { command -v "$1" || [[ -e $1 ]]; } >/dev/null && return
  shift
  [[ $EUID == 0 ]] || fail "Missing: apt-get install $*"
  say "Installing $* (apt-get)"
  export DEBIAN_FRONTEND=noninteractive
  { apt-get update -q && apt-get install -qy --no-install-recommends "$@"; } >&2 || fail "Could not install $*"
}

# Downloads a package of Debian for another processor, or of a later Debian, without installing it.
# Prints its path.
fetch_deb() { # architecture package [version [suite]]
  local apt=$CACHE/apt/${4:-own}-$1 site version
  local options=(-q -o "Dir::State=$apt/state" -o "Dir::Cache=$apt/cache" -o APT::Sandbox::User=root)
  mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial"
  if [[ $1 != all ]]; then options+=(-o "APT::Architectures::=$1"); fi
  if [[ -n ${4:-} ]]; then
    site=$(apt-get indextargets --format '$(REPO_URI) $(ORIGIN) $(COMPONENT)' 'Created-By: Packages' 2>/dev/null |
      awk '$2 == "Debian" && $3 == "main" && $1 !~ /security/ { print $1; exit }')
    [[ -n $site ]] || return
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $site $4 main" >"$apt/sources.list"
    options+=(-o Dir::Etc::sourceparts=- -o "Dir::Etc::sourcelist=$apt/sources.list")
  fi
  [[ -e $apt/state/updated ]] || { apt-get "${options[@]}" update >&2 && touch "$apt/state/updated"; } || return
  version=$(apt-cache "${options[@]}" madison "$2:$1" | awk -v v="${3:-}" 'index($3, v) == 1 { print $3; exit }')
  [[ -n $version ]] || return
  (cd "$apt/cache" && rm -f "$2"_*.deb && apt-get "${options[@]}" download "$2:$1=$version" >&2) || return
  echo "$apt/cache/$2"_*.deb
}

# Installs a package of npm. Prints its folder.
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

# Unpacks a wheel for another platform. Prints its folder.
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
