# A standard library for any target: rustup's where it is installed, otherwise one built from its source.

HOST=x86_64-unknown-linux-gnu

# Sets CARGO_FLAGS to what `cargo` needs for $target, and PATH to the toolchain that it takes.
use_rust() {
  command -v cargo >/dev/null || PATH="$PATH:$HOME/.cargo/bin"
  CARGO_FLAGS=(--target "$target")
  [[ -d $(rustc --print sysroot)/lib/rustlib/$target/lib ]] && return
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
  # Only Debian's backports have a package for each new Rust.
  local deb
  deb=$(fetch_deb all rust-src "$version" trixie-backports) ||
    fail "There is no standard library for $target: rustup target add $target (or rustup component add rust-src)."
  dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$source" --strip-components=4 --wildcards './usr/src/*/library' || return
  rm "$deb"
  # Links cost nothing; the program finds its library, and with that its sysroot, beside itself.
  local part
  for part in bin lib; do
    cp -al "$sysroot/$part" "$copy/" 2>/dev/null || cp -a "$sysroot/$part" "$copy/"
  done
  touch "$copy/complete"
  echo "$copy"
}
