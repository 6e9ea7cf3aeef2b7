#!/usr/bin/env bash
# Verifies an image and leaves reports, annotations, a step summary and outputs, also
# when something is broken. For action.yml.
#
# environment: TIGHTSHIP                       the program
#              IMAGE POLICY RUNTIME ENGINE ARGS FAIL_ON RECEIPT_KEY
#                                              the inputs, all may be empty
#              RUNNER_TEMP GITHUB_OUTPUT GITHUB_STEP_SUMMARY
#
# exit code: that of tightship verify, or 0 where FAIL_ON lets it pass
set -uo pipefail

# Every format that is written, and its file. What is named github is shown as
# annotations, what is named markdown in the summary; the others become outputs.
formats=(json=report.json junit=junit.xml sarif=report.sarif markdown=summary.md html=report.html github=annotations.txt)

output() { printf '%s=%s\n' "$1" "$2" >>"$GITHUB_OUTPUT"; }

# tell KIND TEXT: a workflow command, whose text may hold anything.
tell() {
	local text=${2//'%'/%25}
	text=${text//$'\r'/%0D}
	printf '::%s title=Tightship::%s\n' "$1" "${text//$'\n'/%0A}"
}

# refuse TEXT: nothing was verified, and nobody may take that for a verdict.
refuse() {
	tell error "$1"
	printf '### Tightship could not run\n\nThe log of the step says why.\n' >>"$GITHUB_STEP_SUMMARY"
	output verdict error
	output exit-code 3
	exit 3
}

for name in RUNNER_TEMP GITHUB_OUTPUT GITHUB_STEP_SUMMARY; do
	if [ -z "${!name:-}" ]; then
		tell error "$name is not set: this runs in a step of a GitHub workflow"
		exit 3
	fi
done
FAIL_ON=${FAIL_ON:-inconclusive}
case $FAIL_ON in
inconclusive | failed | never) ;;
*) refuse "fail-on: $FAIL_ON is not known; it is inconclusive, failed or never" ;;
esac
[ -x "${TIGHTSHIP:-}" ] || refuse "the program was not built: ${TIGHTSHIP:-no path}"
reports=$(mktemp -d "$RUNNER_TEMP/tightship.XXXXXX") || refuse "no directory for the reports can be made in $RUNNER_TEMP"

arguments=(verify)
for format in "${formats[@]}"; do
	arguments+=("--output=${format%%=*}=$reports/${format#*=}")
done
if [ -n "${POLICY:-}" ]; then arguments+=("--policy=$POLICY"); fi
if [ -n "${RUNTIME:-}" ]; then arguments+=("--runtime=$RUNTIME"); fi
if [ -n "${ENGINE:-}" ]; then arguments+=("--engine=$ENGINE"); fi
if [ -n "${RECEIPT_KEY:-}" ]; then arguments+=("--receipt=$reports/receipt.json" "--key=$RECEIPT_KEY"); fi
while IFS= read -r line; do
	if [ -n "$line" ]; then arguments+=("$line"); fi
done <<<"${ARGS:-}"
if [ -n "${IMAGE:-}" ]; then arguments+=(-- "$IMAGE"); fi

# What an image says must not reach the runner as a command.
token=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
echo "::stop-commands::$token"
"$TIGHTSHIP" "${arguments[@]}"
code=$?
printf '\n::%s::\n' "$token"

case $code in
0) verdict=proven ;;
1) verdict=failed ;;
2) verdict=inconclusive ;;
*)
	verdict=error
	tell error "the verification could not run (exit code $code); the log of the step says why"
	;;
esac
output verdict "$verdict"
output exit-code "$code"
output reports "$reports"
for format in "${formats[@]}" receipt=receipt.json; do
	name=${format%%=*} file=$reports/${format#*=}
	if [ ! -s "$file" ]; then continue; fi
	case $name in
	github) cat "$file" ;;
	*) output "$name" "$file" ;;
	esac
done

# GitHub shows no summary of more than 1 MiB.
summary=$reports/summary.md
if [ "$verdict" = error ] || [ ! -s "$summary" ]; then
	printf '### Tightship: %s\n\nThe log of the step says why.\n' "$verdict"
elif [ "$(wc -c <"$summary")" -gt 1000000 ]; then
	printf '### Tightship: %s\n\nThe report is too long to be shown here; it is among the files.\n' "$verdict"
else
	cat "$summary"
fi >>"$GITHUB_STEP_SUMMARY"

case $FAIL_ON:$verdict in
*:proven) exit 0 ;;
never:failed | never:inconclusive | failed:inconclusive)
	tell warning "$verdict, which fail-on: $FAIL_ON lets pass"
	exit 0
	;;
esac
exit "$code"
