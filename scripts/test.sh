#!/usr/bin/env bash
# Runs everything that can be tested here, lane by lane, and says at the end what
# held, what failed and what could not run. A lane that could not run is never
# silent: it is counted as skipped, and with TIGHTSHIP_STRICT=1 as failed.
#
# usage: scripts/test.sh [LANE...]      lanes: build lint cross unit hollow e2e mutants engines
#        scripts/test.sh vm             cgroup v2, systemd and AppArmor in an emulated
#                                       machine; takes about ten minutes, and so does not
#                                       run by itself
#
# Without a lane: all but mutants, engines and vm. Mutants makes a hundred mistakes in the
# broker, one after the other, for five minutes; engines builds and starts other engines,
# for ten.
#
# exit code: 0 nothing failed, 1 otherwise
set -uo pipefail
cd "$(dirname "$0")/.." || exit

image=tightship-agent:latest # the reference image, which the end-to-end tests use
unavailable=3 # what scripts/setup.sh exits with
results=()
declare -A count=([ok]=0 [FAILED]=0 [SKIPPED]=0)

banner() { printf '\n%s\n%s\n%s\n' "$1" "$2" "$1"; }

# record LANE ok|FAILED|SKIPPED DETAIL
record() {
	results+=("$(printf '%-8s %-8s %s' "$1" "$2" "$3")")
	count[$2]=$((count[$2] + 1))
	if [ "$2" = SKIPPED ]; then banner '!!!!!!!!!!!!!!!!!!!!!!!!' "SKIPPED: $1: $3" >&2; fi
}

# lane NAME COMMAND...: one lane, timed.
lane() {
	local name=$1 begin=$SECONDS
	shift
	banner '------------------------' "$name"
	if "$@"; then
		record "$name" ok "$((SECONDS - begin)) s"
	else
		record "$name" FAILED "$((SECONDS - begin)) s"
	fi
}

# shellcheck disable=SC2317 # called by lane
unit() {
	local race=-race
	if ! scripts/setup.sh compiler; then
		race=
		record race SKIPPED "no C compiler: the unit tests run without the race detector"
	fi
	# shellcheck disable=SC2086 # $race may be empty
	CGO_ENABLED=$([ -n "$race" ] && echo 1 || echo 0) go test $race -timeout 10m ./...
}

e2e() {
	local code packages
	scripts/setup.sh engine
	code=$?
	if [ $code = $unavailable ]; then
		record e2e SKIPPED "no Docker engine, and none can be started here: nothing was proved about real containers"
		return
	fi
	lane image make --no-print-directory image
	if [[ ${results[-1]} == *FAILED* ]]; then return; fi
	if ! scripts/setup.sh sshd; then
		record ssh SKIPPED "no SSH server: engines over ssh are tested with a stand-in only"
	fi
	if ! scripts/setup.sh clients; then
		record clients SKIPPED "no curl or Python packages: the broker was not tried with real clients in containers"
	fi
	# Every package with a test that asks for an engine in this way.
	mapfile -t packages < <(grep -rl --include='*_test.go' TIGHTSHIP_E2E . | xargs -r dirname | sort -u)
	lane e2e env TIGHTSHIP_E2E=1 go test -count=1 -timeout 30m "${packages[@]}"
}

# engines: other engines, started beside the first and held to its verdicts. Each
# that cannot be had here is skipped by itself.
engines() {
	local code name address list=()
	scripts/setup.sh engine
	code=$?
	if [ $code = $unavailable ]; then
		record engines SKIPPED "no Docker engine to compare others with"
		return
	fi
	lane image make --no-print-directory image
	if [[ ${results[-1]} == *FAILED* ]]; then return; fi
	trap 'scripts/engines.sh stop' EXIT
	for name in docker29 podman podman-rootless; do
		address=$(scripts/engines.sh "$name" start)
		code=$?
		if [ $code = $unavailable ]; then
			record "$name" SKIPPED "cannot be had on this machine: nothing was compared with it"
		elif [ $code != 0 ] || ! docker save "$image" | docker -H "$address" load; then
			record "$name" FAILED "it could not be started with the image"
		else
			list+=("$name=$address")
			if [ "$name" = docker29 ]; then
				lane "$name" env TIGHTSHIP_E2E=1 DOCKER_HOST="$address" go test -count=1 -timeout 10m ./engine/docker
			fi
		fi
	done
	if [ ${#list[@]} -gt 0 ]; then
		lane engines env TIGHTSHIP_E2E=1 TIGHTSHIP_ENGINES="${list[*]}" go test -count=1 -timeout 20m -run '^TestEngines$' ./test
	fi
	scripts/engines.sh stop
	trap - EXIT
}

# vm: what other hosts have and this one may lack, in a virtual machine of its own.
vm() {
	local code
	scripts/setup.sh vm
	code=$?
	if [ $code = 0 ]; then
		banner '------------------------' vm
		local begin=$SECONDS
		test/vm/lane.sh
		code=$?
	fi
	case $code in
	0) record vm ok "$((SECONDS - begin)) s" ;;
	"$unavailable") record vm SKIPPED "no virtual machine can be had here: nothing was proved about cgroup v2 and AppArmor" ;;
	*) record vm FAILED "cases failed" ;;
	esac
}

if [ $# = 0 ]; then set -- build lint cross unit hollow e2e; fi
for name; do
	case $name in
	build | lint | cross) lane "$name" make --no-print-directory "$name" ;;
	unit) lane unit unit ;;
	# Deletes the body of each judge, each check of receipts and each function of the ledger's
	# verifier in turn; the tests must notice every one.
	hollow) lane hollow env TIGHTSHIP_HOLLOW=1 go test -run Hollow -timeout 15m ./check ./receipt ./ledger ;;
	# Each of these mistakes must be noticed by the test that is named with it.
	mutants) lane mutants env TIGHTSHIP_HOLLOW=1 go test -run HollowBroker -timeout 30m ./broker ;;
	e2e) e2e ;;
	engines) engines ;;
	vm) vm ;;
	*) echo "test: unknown lane $name" >&2; exit 64 ;;
	esac
done

banner '========================' 'summary'
printf '%s\n' "${results[@]}"
printf '%s ok, %s failed, %s skipped, %s s\n' "${count[ok]}" "${count[FAILED]}" "${count[SKIPPED]}" "$SECONDS"
if [ "${TIGHTSHIP_STRICT:-}" = 1 ]; then count[FAILED]=$((count[FAILED] + count[SKIPPED])); fi
[ "${count[FAILED]}" = 0 ]
