#!/bin/sh
# Instructions of the readers, counted by callgrind: the same on every run and on a busy machine.
#
#   benches/callgrind.sh            all cases
#   benches/callgrind.sh response   the cases named
#
# Each case runs twice with different numbers of rounds; the difference, divided, is one round.
# Needs valgrind (Debian: apt install valgrind).
set -eu
cd "$(dirname "$0")/.."

few=1000
many=3000

program=$(cargo bench -q -p msrpd-benches --bench instructions --no-run --message-format=json |
    sed -n 's/.*"name":"instructions".*"executable":"\([^"]*\)".*/\1/p' | tail -n 1)
[ -x "$program" ] || {
    echo "the bench 'instructions' could not be built" >&2
    exit 1
}

count() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$program" "$1" "$2" 2>&1 |
        sed -n 's/.*Collected : \([0-9]*\).*/\1/p'
}

[ $# -gt 0 ] || set -- $("$program" --list-cases)
echo "case,instructions"
for name in "$@"; do
    low=$(count "$name" "$few")
    high=$(count "$name" "$many")
    echo "$name,$(((high - low) / (many - few)))"
done
