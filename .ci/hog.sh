#!/usr/bin/env bash
# What a neighbour does to a measurement. A candidate is measured on one core, in
# turn alone and beside a hog that is pinned to the same core and busy in random
# bursts of 20 to 400 ms, 40 % of the time. Printed are the paired ratios to the
# baseline of both, how much each varies from round to round, and how far the hog
# moves them.
#
#   .ci/hog.sh CANDIDATE BASELINE ROUNDS [FLAG OF lathe measure...]
#   .ci/hog.sh gpt2-l7-d1280-f6016-h16 gpt2-l12-d1024-f4096-h16 10 --tl-pairs 192
#
# A round is two measurements, some 15 s each at this size. Nothing else should run.
set -euo pipefail
[ $# -ge 3 ] || { sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2; exit 2; }
candidate=$1 baseline=$2 rounds=$3
shift 3
cd "$(dirname "$0")/.."
exec go test ./cmd/lathe -run '^$' -bench '^BenchmarkHog$' -benchtime "${rounds}x" -timeout 0 \
  -hog-candidate "$candidate" -hog-baseline "$baseline" -hog-measure "$*"
