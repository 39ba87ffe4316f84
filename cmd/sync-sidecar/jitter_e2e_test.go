package main

import (
	"strings"
	"syscall"
	"testing"
)

// Many syncs whose schedules say the same second need not all begin in it.
func TestInitBeginsLater(t *testing.T) {
	t.Parallel()
	p := newPod(t, "read", `{}`)
	for _, test := range []struct {
		value, says string
		code        int
	}{
		{"1ms", "beginning in ", exitOK}, {"0s", "", exitOK}, {"", "", exitOK}, {"-1s", "STARTUP_JITTER (--startup-jitter) is -1s", exitUsage},
	} {
		init := p.set("STARTUP_JITTER", test.value).spawn(p.environ(), p.sidecar, "init")
		code, said := init.wait(), init.stderr.String()
		if code != test.code || !strings.Contains(said, test.says) || (test.says == "") != (said == "") {
			t.Errorf("%q: exit code %d: %s", test.value, code, said)
		}
	}
	init := p.set("STARTUP_JITTER", "1000h").spawn(p.environ(), p.sidecar, "init")
	init.stderr.await(t, "beginning in ")
	init.signal(syscall.SIGTERM)
	if code := init.wait(); code != exitSignal+15 {
		t.Errorf("SIGTERM: exit code %d: %s", code, init.stderr)
	}
}
