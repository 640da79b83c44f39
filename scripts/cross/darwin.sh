# macOS: linked with a list of the functions in its system library, and not run.
CHECKED=(--package process-rwlock --package process-rwlock-node)
case $target in
x86_64-*) ARCH=x86_64 NAPI_NAME=darwin-x64 OLDEST=10.12 ;;
aarch64-*) ARCH=arm64 NAPI_NAME=darwin-arm64 OLDEST=11.0 ;;
esac

# Uses the linker of Rust, and in place of Apple's SDK a list of the functions in its system
# library.
link() {
  export SDKROOT=$CACHE/macos
  LLD=$(rustc --print sysroot)/lib/rustlib/$HOST/bin/rust-lld
  mkdir -p "$SDKROOT/usr/lib"
  cp scripts/cross/libSystem.tbd "$SDKROOT/usr/lib/libSystem.tbd"
  local library
  for library in c m iconv; do ln -sf libSystem.tbd "$SDKROOT/usr/lib/lib$library.tbd"; done
  # napi-build passes arguments for a compiler. A linker does not know their prefix, -Wl.
  cat >"$CACHE/macos/ld" <<END
#!/usr/bin/env bash
for word; do [[ \$word == -Wl ]] || words+=("\$word"); done
exec "$LLD" "\${words[@]}"
END
  chmod +x "$CACHE/macos/ld"
  local name=${target//-/_}
  export "CARGO_TARGET_${name^^}_LINKER=$CACHE/macos/ld"
  export CARGO_PROFILE_RELEASE_STRIP=none # stripping needs a program of Apple
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

# Succeeds if the system library has every function that the addon imports. (The addon itself looks
# up those of Node.js.)
has_all() { # file
  local taken
  taken=$(llvm-nm --format=darwin --undefined-only "$1") && ! grep -F '(dynamically looked up)' <<<"$taken"
}

# Shows that the check can fail: it must reject a library that needs a function of Linux.
misses_what_is_not_there() {
  local linux=$CARGO_TARGET_DIR/linux
  printf '.globl _f\n_f: %s _memfd_create\n' "$([[ $ARCH == arm64 ]] && echo bl || echo call)" |
    llvm-mc --triple="$ARCH-apple-macos" --filetype=obj -o "$linux.o" || return
  "$LLD" -flavor darwin -arch "$ARCH" -platform_version macos $OLDEST $OLDEST -syslibroot "$SDKROOT" -lSystem -dylib \
    -undefined dynamic_lookup "$linux.o" -o "$linux.dylib" || return
  if has_all "$linux.dylib" >/dev/null; then
    echo 'the check accepts a library that needs memfd_create'
    return 1
  fi
}
