# macOS: linked against the names of its system library, which is all that is here of it; it runs nowhere here.
CHECKED=(--package process-rwlock --package process-rwlock-node)
case $target in
x86_64-*) ARCH=x86_64 NAPI_NAME=darwin-x64 OLDEST=10.12 ;;
aarch64-*) ARCH=arm64 NAPI_NAME=darwin-arm64 OLDEST=11.0 ;;
esac

# The linker that comes with Rust, and what stands for Apple's SDK: which functions its system library has.
link() {
  export SDKROOT=$CACHE/macos
  LLD=$(rustc --print sysroot)/lib/rustlib/$HOST/bin/rust-lld
  mkdir -p "$SDKROOT/usr/lib"
  cp scripts/cross/libSystem.tbd "$SDKROOT/usr/lib/libSystem.tbd"
  local library
  for library in c m iconv; do ln -sf libSystem.tbd "$SDKROOT/usr/lib/lib$library.tbd"; done
  # napi-build speaks to a compiler, which takes its -Wl away.
  cat >"$CACHE/macos/ld" <<END
#!/usr/bin/env bash
for word; do [[ \$word == -Wl ]] || words+=("\$word"); done
exec "$LLD" "\${words[@]}"
END
  chmod +x "$CACHE/macos/ld"
  local name=${target//-/_}
  export "CARGO_TARGET_${name^^}_LINKER=$CACHE/macos/ld"
  export CARGO_PROFILE_RELEASE_STRIP=none # needs a program of Apple's
  export RUSTFLAGS='-Clinker-flavor=ld64.lld'
}

inspect() {
  need llvm-nm llvm
  llvm-readobj --file-headers "$1" | grep -E '^  (Magic|FileType|CpuType):'
  llvm-objdump --macho --private-headers "$1" | awk '$1 == "minos" || ($1 == "version" && !seen++)'
  local needed
  needed=$(llvm-objdump --macho --dylibs-used "$1" | sed -n '2,$s/^\t\([^ ]*\).*/\1/p' | grep -v node)
  echo "$(basename "$1") needs" $needed
  has_all "$1" && misses_what_is_not_there
}

# Every function that it takes from outside is one that the system library has. (Those of Node.js are looked up by the addon itself.)
has_all() { # file
  local taken
  taken=$(llvm-nm --format=darwin --undefined-only "$1") && ! grep -F '(dynamically looked up)' <<<"$taken"
}

# A check that takes Linux for macOS is none.
misses_what_is_not_there() {
  local linux=$CARGO_TARGET_DIR/linux
  printf '.globl _f\n_f: %s _memfd_create\n' "$([[ $ARCH == arm64 ]] && echo bl || echo call)" |
    llvm-mc --triple="$ARCH-apple-macos" --filetype=obj -o "$linux.o" || return
  "$LLD" -flavor darwin -arch "$ARCH" -platform_version macos $OLDEST $OLDEST -syslibroot "$SDKROOT" -lSystem -dylib \
    -undefined dynamic_lookup "$linux.o" -o "$linux.dylib" || return
  if has_all "$linux.dylib" >/dev/null; then
    echo 'a library that needs memfd_create was let pass'
    return 1
  fi
}
