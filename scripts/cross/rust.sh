# A standard library for any target: that of rustup if installed, otherwise one built from source.

HOST=x86_64-unknown-linux-gnu

# Sets CARGO_FLAGS to the flags of `cargo` for $target, and PATH to the toolchain. All builds use
# one profile, because each profile would need its own standard library.
use_rust() {
  command -v cargo >/dev/null || PATH="$PATH:$HOME/.cargo/bin"
  CARGO_FLAGS=(--target "$target" --release)
  [[ -d $(rustc --print sysroot)/lib/rustlib/$target/lib ]] && return
  local toolchain
  toolchain=$(with_source) || return
  PATH="$toolchain/bin:$PATH"
  export RUSTC_BOOTSTRAP=1 # allows -Z with a stable compiler
  CARGO_FLAGS+=(-Zbuild-std=std,panic_unwind)
}

# A copy of the toolchain with the source of the standard library. The original stays unchanged.
# Prints its path.
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
  # Only the backports of Debian have a package for each new Rust.
  local deb
  deb=$(fetch_deb all rust-src "$version" trixie-backports) ||
    fail "There is no standard library for $target: rustup target add $target (or rustup component add rust-src)."
  dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$source" --strip-components=4 --wildcards './usr/src/*/library' || return
  rm "$deb"
  # Hard links need no space. rustc finds its library, and so its sysroot, relative to itself.
  local part
  for part in bin lib; do
    cp -al "$sysroot/$part" "$copy/" 2>/dev/null || cp -a "$sysroot/$part" "$copy/"
  done
  touch "$copy/complete"
  echo "$copy"
}
