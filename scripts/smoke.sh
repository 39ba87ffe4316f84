#!/usr/bin/env bash
# smoke.sh runs the whole stack as a user's CI would: the Compose project in compose/ with the connector of .env.example, in a copy of that folder and
# under a name of its own, and says for each step what came of it. It ends with 0 when every step did what it should.
#
#   scripts/smoke.sh                        # the demonstration connector, rows into a folder
#   scripts/smoke.sh --profile postgres     # results, state and log in a Postgres beside it; --profile bulker: rows by Bulker as well
#   scripts/smoke.sh --image airbyte/source-faker:dev --config config.json
#
# SIDECAR_IMAGE, POSTGRES_IMAGE, BULKER_IMAGE and KAFKA_IMAGE name other images than those of the Compose files; COMPOSE names another Compose.
set -euo pipefail

cd "$(dirname "$0")/.."
readonly seconds=600 # the longest that one step may take
image=sync-sidecar/source-demo:dev config= profile=local work= failed=()

usage() {
	sed -n 's/^# \{0,1\}//; 2,9p' scripts/smoke.sh >&2
	exit 2
}

fail() {
	echo "smoke: $*" >&2
	exit 3
}

while [ "$#" -gt 0 ]; do
	[ "$#" -ge 2 ] || usage
	case "$1" in
	--image) image=$2 ;;
	--config) config=$(realpath "$2") ;;
	--profile) profile=$2 ;;
	*) usage ;;
	esac
	shift 2
done
case "$profile" in
local) files=compose.yaml ;;
postgres) files=compose.yaml:postgres.yaml ;;
bulker) files=compose.yaml:postgres.yaml:bulker.yaml ;;
*) usage ;;
esac

# compose_command is how Compose is called here: version 2 before 1.29.
compose_command() {
	if [ -n "${COMPOSE:-}" ]; then
		echo "$COMPOSE"
	elif docker compose version >/dev/null 2>&1; then
		echo "docker compose"
	elif command -v docker-compose >/dev/null; then
		echo docker-compose
	else
		fail "neither 'docker compose' nor docker-compose is here: run scripts/require-docker.sh"
	fi
}

compose() {
	# shellcheck disable=SC2086 # one word an argument
	(cd "$work/compose" && timeout "$seconds" $command "$@")
}

clean_up() {
	[ -d "$work/compose" ] && compose down --volumes --timeout 5 >/dev/null 2>&1
	rm -rf "$work"
}

# step NAME CODES COMMAND: runs one command of the connector; the sidecar's exit code has to be among CODES.
step() {
	local name=$1 codes=$2 asked=$3 code=0 started=$SECONDS
	COMMAND=$asked compose up --exit-code-from sidecar sidecar >"$work/$name.log" 2>&1 || code=$?
	if [[ " $codes " != *" $code "* ]]; then
		failed+=("$name")
		echo "smoke: FAIL $name: exit code $code, want $codes; the end of its output:" >&2
		compose logs --no-color --tail 5 init source >>"$work/$name.log" 2>&1 || true
		tail -n 25 "$work/$name.log" >&2
		return
	fi
	echo "smoke: ok   $name ($((SECONDS - started)) s): $(grep -o 'sidecar [a-z]* [A-Z]*.*' "$work/$name.log" | tail -n 1)"
}

# leftovers are what the Engine has of the project.
leftovers() {
	local kind
	for kind in "ps --all" "volume ls" "network ls"; do
		# shellcheck disable=SC2086 # two words
		docker $kind --quiet --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME"
	done
}

command=$(compose_command)
docker image inspect "${SIDECAR_IMAGE:=sync-sidecar:latest}" >/dev/null 2>&1 || fail "there is no image $SIDECAR_IMAGE: run make image"
work=$(mktemp -d)
trap clean_up EXIT
export COMPOSE_PROJECT_NAME=sync-sidecar-smoke-$$ COMPOSE_FILE=$files SOURCE_IMAGE=$image SIDECAR_IMAGE SYNC_ID=smoke
cp -R compose "$work/compose"
cp compose/.env.example "$work/compose/.env"
rm -rf "$work/compose/data"
if [ -n "$config" ]; then
	cp "$config" "$work/compose/demo/config.json"
	rm "$work/compose/demo/catalog.json"
fi

echo "smoke: $image, profile $profile, $command $(compose version --short)"
step spec 0 spec
step check 0 check
step discover 0 discover
step read 0 read
step "read again" 0 read
compose down --volumes >"$work/down.log" 2>&1 || failed+=(down)
[ -z "$(leftovers)" ] || failed+=("down leaves something")

if [ "${#failed[@]}" -gt 0 ]; then
	printf 'smoke: failed: %s\n' "${failed[@]}" >&2
	exit 1
fi
echo "smoke: everything as it should be; nothing is left"
