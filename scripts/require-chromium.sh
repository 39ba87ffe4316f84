#!/usr/bin/env bash
# require-chromium.sh makes sure that there is a Chromium, with a font to draw with, and changes nothing when there is: the tests look at pages in it.
# It is installed from Debian's own packages when this runs as root on Debian; on any other machine this says what to install.
set -euo pipefail

fail() {
	echo "require-chromium: $*" >&2
	exit 3
}

has_browser() {
	command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null
}

has_browser && exit 0
command -v apt-get >/dev/null || fail "missing: install Chromium, then run this again"
[ "$(id -u)" = 0 ] || fail "missing: install it (sudo apt-get install chromium fonts-dejavu-core), then run this again"
echo "require-chromium: installing chromium"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null
has_browser || fail "installed, and yet no chromium is found in PATH"
