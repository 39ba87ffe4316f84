#!/usr/bin/env bash
# base-images.sh makes sure that the images that the Dockerfiles start from exist: golang:1.26-bookworm and python:3.11-slim-bookworm.
#
# Each is used as it is when the daemon has it, else pulled, else, where no image registry can be reached, stood in for by a minimal Debian of
# the same release (debootstrap, as root) with Go or Python in it. A stand-in says so in the label org.sync-sidecar.stand-in. A tag that exists
# is never overwritten: remove a stand-in by `docker image rm` to have the real one pulled.
# DEBIAN_MIRROR names another mirror than deb.debian.org.
set -euo pipefail

cd "$(dirname "$0")/.."
readonly go_image=golang:1.26-bookworm
readonly python_image=python:3.11-slim-bookworm
readonly debian_image=sync-sidecar/debian-stand-in:bookworm
readonly label=org.sync-sidecar.stand-in
readonly pull_seconds=900
work=

fail() {
	echo "base-images: $*" >&2
	exit 3
}

present() {
	docker image inspect "$1" >/dev/null 2>&1
}

# pull says nothing when it fails: that is the ordinary case where no registry can be reached, and the stand-in is announced then.
pull() {
	timeout "$pull_seconds" docker pull --quiet "$1" >/dev/null 2>&1
}

require_debootstrap() {
	[ "$(id -u)" = 0 ] || fail "$1 can neither be pulled nor stood in for: that needs root; run scripts/base-images.sh once as root"
	command -v debootstrap >/dev/null && return
	command -v apt-get >/dev/null || fail "$1 can neither be pulled nor stood in for: debootstrap is missing; install it, then run this again"
	echo "base-images: installing debootstrap"
	apt-get update -qq
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends debootstrap >/dev/null
}

# stand_in_debian makes the Debian that both stand-ins are built on: python3, pip and the certificate authorities that this machine trusts.
stand_in_debian() {
	present "$debian_image" && return
	require_debootstrap "$1"
	echo "base-images: building a Debian to stand in for $1 (about a minute)"
	local root=$work/root
	debootstrap --variant=minbase --include=python3,python3-pip,ca-certificates bookworm "$root" \
		"${DEBIAN_MIRROR:-http://deb.debian.org/debian}" >"$work/debootstrap.log" 2>&1 ||
		fail "debootstrap failed: $(tail -n 3 "$work/debootstrap.log")"
	# As in the real image `python` exists, and pip installs without a virtual environment.
	ln -s python3 "$root/usr/bin/python"
	rm -rf "$root"/usr/lib/python3*/EXTERNALLY-MANAGED "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/doc/*
	[ ! -f /etc/ssl/certs/ca-certificates.crt ] || cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
	tar -C "$root" -c . | docker import --change "LABEL $label=true" - "$debian_image" >/dev/null
}

stand_in_python() {
	stand_in_debian "$python_image"
	docker tag "$debian_image" "$python_image"
}

stand_in_go() {
	stand_in_debian "$go_image"
	local context=$work/go
	mkdir -p "$context"
	cp -R "$(go env GOROOT)" "$context/go"
	rm -rf "$context/go/test" "$context/go/api"
	# The settings are those of the official image.
	printf '%s\n' \
		"FROM $debian_image" \
		"ENV GOPATH=/go GOTOOLCHAIN=local PATH=/go/bin:/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin" \
		"COPY go /usr/local/go" \
		"WORKDIR /go" >"$context/Dockerfile"
	scripts/build-image.sh "$go_image" "$context"
}

# require IMAGE FUNCTION
require() {
	present "$1" && return
	echo "base-images: pulling $1"
	pull "$1" && return
	echo "base-images: $1 cannot be pulled here: building a stand-in"
	"$2"
}

mkdir -p .cache
exec 9>.cache/base-images.lock
flock 9
work=$(mktemp -d .cache/base-images.XXXXXX)
trap 'rm -rf "$work"' EXIT

require "$go_image" stand_in_go
require "$python_image" stand_in_python
echo "base-images: $go_image and $python_image are there"
