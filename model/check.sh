#!/bin/sh
# check.sh NAME [-Dknob...] [-- pan options]: one configuration; prints one line, keeps out/NAME.log (and the trail)
dir=$(cd "$(dirname "$0")" && pwd)
name=$1; shift
model=${MODEL:-$dir/rw.pml}
knobs=; while [ $# -gt 0 ] && [ "$1" != -- ]; do knobs="$knobs $1"; shift; done; [ $# -gt 0 ] && shift
work=$dir/out/$name; rm -rf "$work"; mkdir -p "$work"; cd "$work" || exit 2
cp "$model" rw.pml
spin -a $knobs rw.pml > spin.log 2>&1 || { echo "$name: does not compile: $(grep -m1 Error spin.log)"; exit 2; }
gcc -O2 -w -DSAFETY -DMEMLIM=${MEM:-8000} ${PANDEF:--DCOLLAPSE} -o pan pan.c || exit 2
timeout -s INT -k 5 ${TIME:-240} ./pan -m${DEPTH:-200000} -w${HASH:-24} "$@" > pan.log 2>&1
rc=$?
errors=$(sed -n 's/.*errors: \([0-9]*\).*/\1/p' pan.log)
states=$(sed -n 's/ *\([0-9.e+]*\) states, stored.*/\1/p' pan.log | head -1)
mem=$(sed -n 's/ *\([0-9.]*\).*total actual memory usage.*/\1/p' pan.log)
secs=$(sed -n 's/pan: elapsed time \([0-9.e+]*\) seconds/\1/p' pan.log)
why=$(sed -n 's/^pan:1: \(.*\) (at depth.*/\1/p' pan.log)
if [ $rc -eq 124 ]; then verdict="no error in TIME"
elif grep -q 'max search depth too small' pan.log; then verdict="DEPTH?"
elif grep -q 'out of memory\|exceeds limit\|memory: ' pan.log && ! grep -q 'State-vector' pan.log; then verdict="MEMORY?"
elif grep -q 'Search not completed' pan.log; then verdict=$([ "$errors" = 0 ] && echo INCOMPLETE || echo "FAILS: $why")
elif [ "$errors" = 0 ]; then verdict=ok
else verdict="FAILS: $why"; fi
[ "$rc" -ne 0 ] && [ -z "$errors" ] && [ "$verdict" = ok ] && verdict="ERROR"
printf '%-28s %-55s %10s states %7s MB %7s s  %s\n' "$name" "$knobs" "$states" "$mem" "$secs" "$verdict"
