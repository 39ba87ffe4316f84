#!/usr/bin/env bash
# require-docker.sh makes sure that a Docker Engine answers and that docker-compose is there, and changes nothing when both are.
#
# What is missing is installed from Debian's own packages (docker.io, iptables, docker-compose) when this runs as root on Debian or Ubuntu;
# on any other machine it says what to install. A daemon that it starts is detached and stays: its log is .cache/dockerd.log.
set -euo pipefail

cd "$(dirname "$0")/.."
readonly log=.cache/dockerd.log
readonly wait_seconds=60

fail() {
	echo "require-docker: $*" >&2
	exit 3
}

answers() {
	timeout 10 docker version --format '{{.Server.Version}}' >/dev/null 2>&1
}

# needed lists the Debian packages that are missing.
needed() {
	command -v docker >/dev/null && { answers || command -v dockerd >/dev/null; } || echo docker.io
	answers || command -v iptables >/dev/null || echo iptables
	docker compose version >/dev/null 2>&1 || command -v docker-compose >/dev/null || echo docker-compose
}

install_packages() {
	command -v apt-get >/dev/null || fail "missing: $*; install Docker Engine and Compose, then run this again"
	[ "$(id -u)" = 0 ] || fail "missing: $*; install them (sudo apt-get install $*), then run this again"
	echo "require-docker: installing $*"
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -qq
	apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

start_daemon() {
	[ -z "${DOCKER_HOST:-}" ] || fail "the daemon at DOCKER_HOST=$DOCKER_HOST does not answer; start it or unset DOCKER_HOST"
	[ "$(id -u)" = 0 ] || fail "the Docker daemon does not answer; start it (sudo systemctl start docker) and see that you may use its socket"
	# A daemon that was killed leaves its pid file, and a later one refuses to start when that number has been given to another process.
	local pid_file=/var/run/docker.pid
	if [ -f "$pid_file" ] && ! grep -qs dockerd "/proc/$(cat "$pid_file")/comm"; then
		rm -f "$pid_file"
	fi
	echo "require-docker: starting dockerd (log: $log)"
	setsid nohup dockerd </dev/null >>"$log" 2>&1 9>&- &
	local deadline=$((SECONDS + wait_seconds))
	until answers; do
		[ "$SECONDS" -lt "$deadline" ] || fail "dockerd did not answer within $wait_seconds s: $(tail -n 3 "$log")"
		sleep 0.2
	done
}

mkdir -p .cache
# Two runs at once must not start two daemons; the lock goes with this process (the daemon gets no copy of descriptor 9).
exec 9>.cache/require-docker.lock
flock 9

packages=$(needed)
# shellcheck disable=SC2086 # one argument per package
[ -z "$packages" ] || install_packages $packages
answers || start_daemon
echo "require-docker: Docker Engine $(docker version --format '{{.Server.Version}} (API {{.Server.APIVersion}})') answers"
