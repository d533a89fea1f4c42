#!/usr/bin/env bash
# Nights of the gate on this machine, back to back. A model that does not change is timed for
# NIGHTS nights alone, and for as many beside a hog that is busy on the same core in random
# bursts, 40 % of the time; then a model with one layer more, 5 % slower, for five nights
# beside the hog, five alone, and five without the reference's own file to compare with.
# Printed is how often lathe nightly ended with which exit status: 0 nothing got slower, 3
# slower, 4 cannot tell.
#
#   .ci/nights.sh [NIGHTS]
#
# A night takes 5 s, 15 s where something is slower. Nothing else should run.
set -euo pipefail
nights=${1:-20}
cd "$(dirname "$0")/.."
dir=$(mktemp -d)
hog=
trap '[ -z "$hog" ] || kill "$hog"; rm -rf "$dir"' EXIT
go build -o "$dir/lathe" ./cmd/lathe
go test -c -o "$dir/hog" ./cmd/lathe # by the name hog it is one
cd "$dir"
cat > lathe.yaml <<'YAML'
store: lathe.db
baseline: gpt2-l16-d128-f512-h4-v2000-p256
timing: {pl_pairs: 24, tl_pairs: 256}
nightly: {track: [current], copies: kept}
YAML
for layers in 20 21; do
  ./lathe -q emit "gpt2-l$layers-d128-f512-h4-v2000-p256" -o "v$layers" --no-run > /dev/null
done
# series NAME COUNT runs so many nights and counts their exit statuses.
series() {
  local status
  for _ in $(seq "$2"); do
    status=0
    ./lathe -q nightly > night.out 2>&1 || status=$?
    echo "$status"
    grep -E '^(Night|current) ' night.out >&2 || cat night.out >&2
  done | sort | uniq -c | while read -r n status; do echo "$1: $n nights of $2 ended with $status"; done
}
ln -sfn v20 current
./lathe -q nightly > reference.out
series "unchanged" "$nights"
cpu=$(($(nproc --all) - 1)) # where timing.cpus auto pins one thread
mkfifo open
exec 3<> open # it ends with its stdin
(exec -a hog ./hog "$cpu" 1 < open) &
hog=$!
series "unchanged, beside the hog" "$nights"
ln -sfn v21 current
series "a layer more, beside the hog" 5
kill "$hog"; hog=
series "a layer more" 5
rm -r v20 kept
series "a layer more, the old file gone" 5
