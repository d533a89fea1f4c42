#!/bin/sh
# A night of `lathe nightly`, for cron, a systemd timer or hosted CI.
#
#   nightly.sh FOLDER
#
# FOLDER has lathe.yaml, with nightly.track, and keeps the history. What is printed goes to
# night.txt there, the summary to summary.md, the history as JSON lines to nights.jsonl. The
# exit status is lathe's: 0 nothing got slower, 3 something did, 4 it cannot be told.
#
#   NEW_MACHINE=reference  makes a reference on a machine that has none, where others have
#                          theirs: for runners that are not always of one kind
#   SUMMARY=FILE           adds the summary to FILE, such as a job's
#   NOTIFY=PROGRAM         is run with the status and summary.md where that is not 0
set -u
cd "${1:?the folder with lathe.yaml}" || exit 2

# A runner that starts empty brings its history along.
if [ ! -e lathe.db ] && [ -s nights.jsonl ]; then
	lathe nightly import nights.jsonl || exit
fi

run() {
	rm -f summary.md
	lathe nightly --markdown summary.md "$@" >night.txt 2>night.log
	status=$?
}
run
if [ "$status" = 2 ] && [ "${NEW_MACHINE:-}" = reference ] && grep -q 'is of something else' night.log; then
	run --set-reference
fi
cat night.txt
cat night.log >&2

if [ -s summary.md ]; then
	[ -z "${SUMMARY:-}" ] || cat summary.md >>"$SUMMARY"
	lathe nightly export -o nights.jsonl || exit
fi
if [ "$status" != 0 ] && [ -n "${NOTIFY:-}" ]; then
	"$NOTIFY" "$status" summary.md
fi
exit "$status"
