#!/bin/sh
# A night of `lathe nightly`, for cron, a systemd timer or hosted CI.
#
#   nightly.sh FOLDER
#
# FOLDER has lathe.yaml, with nightly.track, and keeps the history. What is printed goes to
# night.txt and night.log there, the summary to summary.md, the history as JSON lines to
# nights.jsonl. The exit status is lathe's: 0 nothing got slower, 3 something did, 4 it cannot
# be told, 127 lathe is not on PATH. Where that is 0 and nights.jsonl cannot be written, it is
# that failure's.
#
#   NEW_MACHINE=reference  makes a reference on a machine that has none, where others have
#                          theirs: for runners that are not always of one kind
#   SUMMARY=FILE           adds the summary to FILE, such as a job's
#   NOTIFY=PROGRAM         is run with the status and summary.md where that is not 0
set -u

# Both are meant from where this is started; a name without a slash is a program on PATH.
case "${NOTIFY:-}" in
/*) ;;
*/*) NOTIFY=$PWD/$NOTIFY ;;
esac
case "${SUMMARY:-}" in
'' | /*) ;;
*) SUMMARY=$PWD/$SUMMARY ;;
esac
cd "${1:?the folder with lathe.yaml}" || exit 2

status=0
run() {
	"$@" >>night.txt 2>>night.log
	status=$?
}

# other_machine: the reference is refused, and for the machine alone. Where the workload or
# the baseline is another too, lathe.yaml was changed, and a new reference would hide what
# that did.
other_machine() {
	grep 'is of something else: [a-z]' night.log |
		grep -Eqv '[:;] (baseline|prompt tokens|generated tokens|metrics|workload): '
}

# failed adds to the summary what went wrong.
failed() {
	printf '### %s, exit status %s\n\n' "$1" "$2" >>summary.md
	sed 's/^/    /' night.log >>summary.md
}

rm -f summary.md night.txt night.log

# A runner that starts empty brings its history along.
if [ ! -e lathe.db ] && [ -s nights.jsonl ]; then
	run lathe nightly import nights.jsonl
fi
if [ "$status" = 0 ]; then
	run lathe nightly --markdown summary.md
fi
if [ "$status" = 2 ] && [ "${NEW_MACHINE:-}" = reference ] && other_machine; then
	run lathe nightly --markdown summary.md --set-reference
fi

if [ -s summary.md ]; then
	night=$status
	run lathe nightly export -o nights.jsonl
	if [ "$status" != 0 ]; then
		failed 'The history could not be written to nights.jsonl' "$status"
	fi
	if [ "$night" != 0 ]; then
		status=$night
	fi
else
	failed 'The night failed' "$status"
fi
cat night.txt
cat night.log >&2

if [ -n "${SUMMARY:-}" ]; then
	cat summary.md >>"$SUMMARY"
fi
if [ "$status" != 0 ] && [ -n "${NOTIFY:-}" ]; then
	"$NOTIFY" "$status" summary.md
fi
exit "$status"
