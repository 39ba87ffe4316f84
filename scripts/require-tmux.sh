#!/usr/bin/env bash
# require-tmux.sh makes sure that there is tmux, and changes nothing when there is: the tests look at the live view in a terminal of its own.
# It is installed from Debian's own packages when this runs as root on Debian; on any other machine this says what to install.
set -euo pipefail

fail() {
	echo "require-tmux: $*" >&2
	exit 3
}

command -v tmux >/dev/null && exit 0
command -v apt-get >/dev/null || fail "missing: install tmux, then run this again"
[ "$(id -u)" = 0 ] || fail "missing: install it (sudo apt-get install tmux), then run this again"
echo "require-tmux: installing tmux"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends tmux >/dev/null
