#!/usr/bin/env bash
# far-docker.sh runs a second Docker Engine until it gets SIGTERM, as root on Linux: for tests of `run` with an Engine on another machine. Its API
# answers at the listening socket that it is given as descriptor 3.
#
# It sees neither the temporary folders nor the homes of this machine, and has a network of its own: with --bridge=none an Engine removes docker0. It
# keeps its images and volumes in a folder that goes with it, and so does what it runs.
set -euo pipefail

data=$(mktemp -d /var/lib/far-docker.XXXXXX)
engine=

clean_up() {
	if [ -n "$engine" ]; then
		# dockerd is the first process of its namespace, whose end ends the containers, too.
		pkill -TERM -P "$engine" 2>/dev/null || true
		wait "$engine" 2>/dev/null || true
	fi
	rm -rf "$data"
}
trap clean_up EXIT
trap 'exit 0' TERM INT

echo '{}' >"$data/daemon.json"
# shellcheck disable=SC2016 # the inner shell fills these in
unshare --mount --net --pid --fork --kill-child --mount-proc --propagation private bash -c '
	set -euo pipefail
	for folder in /run /tmp /root /home /work; do
		[ ! -d "$folder" ] || mount -t tmpfs far-docker "$folder"
	done
	cd /
	# fd:// is a socket that is handed over (sd_listen_fds(3)).
	LISTEN_FDS=1 LISTEN_PID=$$ exec dockerd --host fd:// --config-file "$1/daemon.json" --data-root "$1/data" --exec-root "$1/exec" --pidfile "$1/pid" \
		--bridge=none --iptables=false --ip6tables=false --ip-forward=false --host-gateway-ip 127.0.0.1
' far-docker "$data" &
engine=$!
wait "$engine"
