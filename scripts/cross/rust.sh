# A standard library for any target: rustup's where it is installed, otherwise one built from its source.

# Sets CARGO_FLAGS to what `cargo` needs for $target, and PATH to the toolchain that it takes.
use_rust() {
  command -v cargo >/dev/null || PATH="$PATH:$HOME/.cargo/bin"
  CARGO_FLAGS=(--target "$target")
  [[ -d $(rustc --print sysroot)/lib/rustlib/$target/lib ]] && [[ $target != "$HOST" ]] && return
  [[ $target == "$HOST" ]] && return
  local toolchain
  toolchain=$(with_source) || return
  PATH="$toolchain/bin:$PATH"
  export RUSTC_BOOTSTRAP=1 # -Z, of a stable compiler
  CARGO_FLAGS+=(-Zbuild-std=std,panic_unwind)
}

# A copy of the toolchain that has the standard library's source, so that the real one stays as it is. Prints its path.
with_source() {
  local version sysroot copy source
  version=$(rustc --version | awk '{print $2}')
  sysroot=$(rustc --print sysroot)
  copy=$CACHE/rust-$version
  source=$copy/lib/rustlib/src/rust
  [[ -e $copy/complete ]] && echo "$copy" && return
  if [[ -d $sysroot/lib/rustlib/src/rust/library ]]; then
    echo "$sysroot"
    return
  fi
  say "Fetching the source of Rust $version's standard library"
  rm -rf "$copy"
  mkdir -p "$copy" "$source"
  if ! fetch_rust_src "$version" | tar -x -C "$source" --strip-components=4 --wildcards './usr/src/*/library'; then
    fail "There is no standard library for $target: rustup target add $target (or rustup component add rust-src)."
  fi
  # Links cost nothing; the program finds its library, and with that its sysroot, beside itself.
  local part
  for part in bin lib; do
    cp -al "$sysroot/$part" "$copy/" 2>/dev/null || cp -a "$sysroot/$part" "$copy/"
  done
  touch "$copy/complete"
  echo "$copy"
}

# Writes the archive of Debian's package of the source to standard output. Only backports have one for each new Rust.
fetch_rust_src() { # version
  local apt=$CACHE/apt site deb version
  site=$(apt-get indextargets --format '$(REPO_URI) $(ORIGIN) $(COMPONENT)' 'Created-By: Packages' 2>/dev/null |
    awk '$2 == "Debian" && $3 == "main" && $1 !~ /security/ { print $1; exit }')
  [[ -n $site ]] || return
  mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $site trixie-backports main" >"$apt/sources.list"
  local options=(-q -o "Dir::State=$apt/state" -o "Dir::Cache=$apt/cache" -o Dir::Etc::sourceparts=-
    -o "Dir::Etc::sourcelist=$apt/sources.list" -o APT::Sandbox::User=root)
  apt-get "${options[@]}" update >&2 || return
  version=$(apt-cache "${options[@]}" madison rust-src | awk -v v="$1+" 'index($3, v) == 1 { print $3; exit }')
  [[ -n $version ]] || return
  (cd "$apt/cache" && apt-get "${options[@]}" download "rust-src=$version" >&2) || return
  deb=$(echo "$apt"/cache/rust-src_"$1"+*.deb)
  dpkg-deb --fsys-tarfile "$deb"
}
