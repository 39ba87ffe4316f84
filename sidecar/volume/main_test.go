package volume_test

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"sync-sidecar/sidecar/volume"
)

// helperVariable makes the test binary do what a process of its own is needed for: both copies under the strictest umask, or one that is killed.
const helperVariable = "VOLUME_TEST_HELPER"

func TestMain(m *testing.M) {
	if os.Getenv(helperVariable) == "copy" {
		syscall.Umask(0o077)
		placed, err := volume.Place(os.Args[1], os.Args[2])
		if err := errors.Join(err, volume.CopyConfig(os.Args[3], os.Args[4], 0)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Print(placed)
		os.Exit(0)
	}
	if what := os.Getenv(helperVariable); what == "slow copy" || what == "slow place" {
		_, err := volume.Place(os.Args[1], os.Args[2])
		if what == "slow copy" {
			err = volume.CopyConfig(os.Args[1], os.Args[2], 0)
		}
		fmt.Fprintln(os.Stderr, "nobody killed it:", err)
		os.Exit(1)
	}
	if os.Getenv(helperVariable) == "placed" {
		fmt.Print("placed binary runs")
		os.Exit(0)
	}
	goleak.VerifyTestMain(m)
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func mode(t *testing.T, path string) os.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode()
}
