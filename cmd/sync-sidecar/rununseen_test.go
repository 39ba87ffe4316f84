package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// unseen runs a read in a folder that only it sees, kills it, brings in what it had, and reads the rest: $1 is the folder, $2 our program, $3 the
// image, $4 the sync, $5 where the rows are to be copied to.
const unseen = `set -eu
mount -t tmpfs none "$1"
mkdir -p "$1/tmp"
cd "$1"
"$2" run read --image "$3" --pull never --sync-id "$4" --streams orders --config '{"counts":{"orders":2000},"rate":300,"records_per_state":10}' &
pid=$!
sleep 6
kill -9 $pid || true
wait $pid || true
"$2" clean --remove
test "$("$2" clean | grep -c "$4")" = 0
"$2" run read --image "$3" --pull never --sync-id "$4" --streams orders --config '{"counts":{"orders":2000}}' --verbose
cp "sync-data/$4/rows/orders.ndjson" "$5"
`

// An Engine that does not see the caller's folder, as on another machine: everything goes by way of volumes, and what a killed run has read there is
// brought in.
func TestRunWhereTheEngineDoesNotSeeTheFolder(t *testing.T) {
	t.Parallel()
	d := newDockerLine(t)
	if output, err := exec.CommandContext(t.Context(), "unshare", "-m", "true").CombinedOutput(); err != nil {
		t.Skipf("needs a mount namespace: %v %s", err, output)
	}
	rows := filepath.Join(t.TempDir(), "rows")
	command := exec.CommandContext(t.Context(), "unshare", "-m", "--propagation", "private", "bash", "-c", unseen, "unseen",
		d.dir, d.programs.Sidecar, d.image, d.syncID, rows)
	command.Env = append(os.Environ(), d.env...)
	output, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	if !strings.Contains(string(output), "the sidecar works on a copy") {
		t.Errorf("the Engine saw the folder: %s", output)
	}
	if left := d.left(""); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	folder := filepath.Join(d.dir, "sync-data", d.syncID, "rows")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(rows, filepath.Join(folder, "orders.ndjson")); err != nil {
		t.Fatal(err)
	}
	d.eachOrderOnce(2000)
}
