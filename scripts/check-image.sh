#!/usr/bin/env bash
# check-image.sh IMAGE checks what the image promises: under 35 MB, one static program, no shell, no root, certificates, and folders that any
# user may write when fresh volumes are mounted over them.
set -euo pipefail

readonly image=${1:?usage: check-image.sh IMAGE}
readonly max_bytes=35000000
readonly volume=sync-sidecar-check-image-$$
container=
files=$(mktemp)

clean_up() {
	[ -z "$container" ] || docker rm --force --volumes "$container" >/dev/null
	docker volume rm --force "$volume" >/dev/null
	rm -f "$files"
}
trap clean_up EXIT

fail() {
	echo "check-image: $image $*" >&2
	exit 1
}

size=$(docker image inspect --format '{{.Size}}' "$image")
[ "$size" -lt "$max_bytes" ] || fail "has $size bytes; the limit is $max_bytes"

user=$(docker image inspect --format '{{.Config.User}}' "$image")
[ "$user" = 65532:65532 ] || fail "runs as user '$user' instead of 65532:65532"

# There is no dynamic loader in the image, so that a program that starts in it is static.
version=$(docker run --rm "$image" --version) || fail "does not answer --version"

# Jitsu's sync-controller gives the sidecar's container an environment and nothing else.
help=$(docker run --rm "$image") || fail "without arguments does not show its help"
[[ $help == *COMMANDS:* ]] || fail "without arguments says: $help"
status=0
refusal=$(docker run --rm --env COMMAND=nonsense "$image" 2>&1) || status=$?
[[ $status = 2 && $refusal == *nonsense* ]] || fail "without arguments, with COMMAND in its environment, is not the sidecar: it exits with $status: $refusal"

container=$(docker create "$image")
docker export "$container" | tar -tv >"$files"
# Empty files are the mount points that Docker itself adds to every container, such as /etc/hosts.
programs=$(awk '$1 ~ /^-..x/ && $3 > 0 { print $NF }' "$files")
[ "$programs" = sync-sidecar ] || fail "holds other programs than sync-sidecar: $programs"
grep -q ' etc/ssl/certs/ca-certificates.crt$' "$files" || fail "has no certificate authorities"

# Connectors run under many users, and each must be able to make its files on a fresh volume.
for folder in /pipes /config /data; do
	docker volume create "$volume" >/dev/null
	docker run --rm --user 1000:1000 --volume "$volume:$folder" "$image" init \
		--stdout-pipe "$folder/stdout" --stderr-pipe "$folder/stderr" >/dev/null || fail "user 1000 cannot write a fresh volume on $folder"
	docker volume rm "$volume" >/dev/null
done

echo "check-image: $image ($version): $((size / 1000)) kB, static, no shell, user $user"
