#!/bin/sh
# run.sh       the quick set: one to two minutes on one core, under 1 GiB
# run.sh long  and the larger ones that end: 20 more minutes, up to 4 GiB
# `mutants.py` shows that the model can fail.
cd "$(dirname "$0")" || exit 2
export PANDEF=-DHC4
options="-DCANCEL -DCLOSE -DPASS"
{
./check.sh queue         -DN=2 -DOPSET=2 $options -DEARLY=2
./check.sh two-each      -DN=2 -DOPSET=0 -DNOPS=2 $options
./check.sh three         -DN=3 -DPASS -DOP0=1 -DOP1=0 -DOP2=1
./check.sh three-mixed   -DN=3 -DOPSET=1 -DOP0=3 -DOP1=3 -DOP2=1
./check.sh one-death     -DN=2 -DOPSET=2 -DMAXCRASH=1 $options
./check.sh two-deaths    -DN=2 -DOPSET=2 -DMAXCRASH=2 $options
./check.sh reuse         -DN=2 -DMAXCRASH=1 -DREBIRTH -DEARLY=1 -DOP0=1 -DOP1=0
[ "$1" = long ] && {
./check.sh two-each-more -DN=2 -DOPSET=2 -DNOPS=2 -DCANCEL -DPASS
./check.sh one-death-1   -DN=2 -DOPSET=2 -DMAXCRASH=1 $options -DEARLY=1
./check.sh reuse-ww      -DN=2 -DOPSET=2 -DMAXCRASH=1 -DREBIRTH -DEARLY=1 -DOP0=1 -DOP1=1
./check.sh reuse-upgrade -DN=2 -DOPSET=2 -DMAXCRASH=1 -DREBIRTH -DCANCEL -DOP0=2 -DOP1=1
./check.sh reuse-inplace -DN=2 -DOPSET=2 -DMAXCRASH=1 -DREBIRTH -DOP0=3 -DOP1=1
./check.sh reuse-2deaths -DN=2 -DMAXCRASH=2 -DREBIRTH -DOP0=1 -DOP1=1
./check.sh three-any     -DN=3 -DOPSET=0
./check.sh three-cancel  -DN=3 -DOPSET=0 -DCANCEL
./check.sh three-pass    -DN=3 -DOPSET=0 -DPASS
./check.sh three-uwr     -DN=3 -DOPSET=2 -DPASS -DOP0=2 -DOP1=1 -DOP2=0
./check.sh three-uuw     -DN=3 -DOPSET=1 -DOP0=2 -DOP1=2 -DOP2=1
./check.sh three-death-wrw -DN=3 -DMAXCRASH=1 -DOP0=1 -DOP1=0 -DOP2=1
./check.sh three-death-www -DN=3 -DMAXCRASH=1 -DOP0=1 -DOP1=1 -DOP2=1
}
} | tee results.txt
! grep -qv ' ok$' results.txt
