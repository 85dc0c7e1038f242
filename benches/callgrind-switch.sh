#!/bin/sh
# Instructions of the switch for one message and one copy, without I/O, beside the floor of the bench `switch`.
#
# Counts do not depend on how busy the machine is. Each figure is the difference of two runs, so that the start of the
# process falls out. Needs valgrind (Debian: apt install valgrind). Writes CSV to the standard output.
set -eu
cd "$(dirname "$0")/.."
command -v valgrind >/dev/null || { echo "callgrind-switch.sh: valgrind is not installed" >&2; exit 2; }

bench=$(cargo bench -q -p msrpd-benches --bench switch --no-run --message-format=json |
    sed -n 's/.*"executable":"\([^"]*switch-[^"]*\)".*/\1/p' | tail -n 1)
[ -n "$bench" ] || { echo "callgrind-switch.sh: the bench was not built" >&2; exit 1; }
out=$(mktemp)
trap 'rm -f "$out" "$out".*' EXIT

# Instructions of a whole run: what, recipients, messages.
instructions() {
    valgrind --tool=callgrind --callgrind-out-file="$out.cg" "$bench" --count "$1" "$2" "$3" 2>"$out" >/dev/null ||
        { cat "$out" >&2; exit 1; }
    sed -n 's/.*Collected : \([0-9]*\).*/\1/p' "$out"
}

echo "what,recipients,instructions_per_message,instructions_per_copy"
for recipients in 10 100 1000; do
    for what in floor switch; do
        few=$(instructions "$what" "$recipients" 20)
        many=$(instructions "$what" "$recipients" 120)
        message=$(((many - few) / 100))
        echo "$what,$recipients,$message,$((message / recipients))"
    done
done
