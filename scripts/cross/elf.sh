# What a library for Linux needs from the system that loads it.

# Succeeds if the file needs no newer glibc than this version.
glibc_within() { # version file
  local newest
  newest=$(readelf --version-info --wide "$2" | grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -n 1)
  if [[ -z $newest ]]; then
    echo "$(basename "$2") does not name a version of glibc"
    return 1
  fi
  if [[ $(printf 'GLIBC_%s\n%s\n' "$1" "$newest" | sort -V | tail -n 1) != "GLIBC_$1" ]]; then
    echo "$(basename "$2") needs $newest, but must run with $1"
    readelf --dyn-syms --wide "$2" | grep -F "@$newest"
    return 1
  fi
  echo "$(basename "$2") needs $newest; the newest allowed is $1"
}

# Succeeds if the file needs only libraries that match.
needs_only() { # file pattern
  local needed
  needed=$(readelf --dynamic --wide "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
  echo "$(basename "$1") needs" $needed
  ! grep -vxE "$2" <<<"$needed"
}

# Succeeds if the file does not need glibc.
needs_no_glibc() { # file
  ! readelf --version-info --wide "$1" | grep -o 'Name: GLIBC_[0-9.]*'
}

# Shows that a check can fail: it must reject a library that needs the glibc of this machine.
refuses_newer() { # check arguments...
  local newer=$CARGO_TARGET_DIR/newer.so
  need cc gcc libc6-dev
  echo '#include <sys/mman.h>
int newer(void) { return memfd_create("newer", 0); } // since 2.27' |
    cc -D_GNU_SOURCE -xc - -shared -fPIC -o "$newer" || return
  if "$@" "$newer" >/dev/null; then
    echo "$1 accepts a library that needs memfd_create, of glibc 2.27"
    return 1
  fi
}
