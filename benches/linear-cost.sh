#!/bin/sh
# What hostile input costs, in instructions for each octet, beside plain input for the same reader.
#
#   benches/linear-cost.sh           a table; status 1 when a class costs more than 3 times what plain input costs, or for
#                                    each octet half more than plain and half more than at a quarter of the size
#
# Counts are the same on every run and on a busy machine. COST=path takes a program that was built. Needs valgrind (Debian: apt install valgrind).
set -eu
cd "$(dirname "$0")/.."
command -v valgrind >/dev/null || { echo "linear-cost.sh: valgrind is not installed" >&2; exit 2; }

program=${COST:-$(cargo build -q --release -p msrpd-fuzz-targets --bin cost --message-format=json |
    sed -n 's/.*"executable":"\([^"]*\/cost\)".*/\1/p' | tail -n 1)}
[ -x "$program" ] || { echo "linear-cost.sh: the program was not built" >&2; exit 1; }
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

# One dump for each call of the function that is measured, in the order of the program's lines.
valgrind --tool=callgrind --callgrind-out-file="$out/dump" --toggle-collect=cost::measured --dump-after=cost::measured \
    "$program" >"$out/classes" 2>"$out/log" || { cat "$out/log" >&2; exit 1; }
number=0
echo "| reader | class | instructions an octet | times plain | at four times the size |"
echo "| --- | --- | --- | --- | --- |"
while read -r line; do
    number=$((number + 1))
    echo "$line|$(sed -n 's/^summary: //p' "$out/dump.$number")"
done <"$out/classes" | awk -F'|' '
    { reader = $1; class = $2; octets = $3; instructions = $4 }
    NR % 2 == 1 { small = instructions / octets; next }
    {
        large = instructions / octets
        if (reader != last) { plain = large; last = reader }
        is_bad = large / plain > 3 || (large / small > 1.5 && large > plain)
        printf "| %s | %s | %.1f | %.2f | %.2f%s |\n", reader, class, large, large / plain, large / small, is_bad ? " !" : ""
        bad += is_bad
    }
    END { exit bad > 0 }'
