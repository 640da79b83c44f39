#!/usr/bin/env bash
# with-qemu.sh COMMAND...: in a user namespace of its own where qemu runs the programs that are for arm64 (Linux 6.7 or later).
set -eu
QEMU=$(command -v qemu-aarch64-static)

if [[ ${1:-} != --inside ]]; then
  pipe=$(mktemp -u)
  mkfifo "$pipe"
  trap 'rm -f "$pipe"' EXIT
  # Every user is who he is outside.
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

# The users are known after this line, and whoever starts a program then is root of the namespace.
read -r _ <"$2"
shift 2
HEADER='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
MASK='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
# F: opened now, so that it is found wherever a test puts its root.
exec bash -c 'echo "$1" >/proc/sys/fs/binfmt_misc/register; shift; exec "$@"' - ":qemu-aarch64:M::$HEADER:$MASK:$QEMU:F" "$@"
