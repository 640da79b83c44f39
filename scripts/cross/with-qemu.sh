#!/usr/bin/env bash
# with-qemu.sh COMMAND...: runs a command in a new user namespace, in which QEMU runs programs for
# arm64 (Linux 6.7 or newer).
set -eu
QEMU=$(command -v qemu-aarch64-static)

if [[ ${1:-} != --inside ]]; then
  pipe=$(mktemp -u)
  mkfifo "$pipe"
  trap 'rm -f "$pipe"' EXIT
  # Every user has the same id as outside.
  unshare --user --mount --propagation private "$0" --inside "$pipe" "$@" <&0 &
  inside=$!
  until [[ $(readlink "/proc/$inside/ns/user") != "$(readlink /proc/self/ns/user)" ]]; do sleep 0.01; done
  echo '0 0 4294967295' >"/proc/$inside/uid_map"
  echo '0 0 4294967295' >"/proc/$inside/gid_map"
  echo >"$pipe"
  trap 'kill -TERM "$inside" 2>/dev/null' INT TERM HUP
  wait "$inside"
  exit
fi

# After this line the user ids are mapped, and a program that is started then is root of the
# namespace.
read -r _ <"$2"
shift 2
HEADER='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
MASK='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
# F: the kernel opens QEMU now, so that it works even if a test changes its root.
exec bash -c 'echo "$1" >/proc/sys/fs/binfmt_misc/register; shift; exec "$@"' - ":qemu-aarch64:M::$HEADER:$MASK:$QEMU:F" "$@"
