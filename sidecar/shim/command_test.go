//go:build linux

package shim_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"sync-sidecar/sidecar/shim"
)

func TestCommand(t *testing.T) {
	folder := t.TempDir()
	state := filepath.Join(folder, "state.json")
	programs := filepath.Join(folder, "bin")
	if err := os.WriteFile(state, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(programs, 0o700); err != nil {
		t.Fatal(err)
	}
	writeProgram(t, filepath.Join(programs, "discover"), "#!/bin/sh\n", 0o755)
	gone := filepath.Join(folder, "gone.json")
	tests := map[string]struct {
		entrypoint string
		args, want []string
	}{
		"a command line":          {"python main.py", []string{"java", "-jar", "read"}, []string{"java", "-jar", "read"}},
		"a command":               {"python main.py", []string{"read", "--config", "c"}, []string{"python", "main.py", "read", "--config", "c"}},
		"a command that exists":   {"python main.py", []string{"discover"}, []string{"discover"}},
		"nothing":                 {"/airbyte/base.sh", nil, []string{"/airbyte/base.sh"}},
		"quotes":                  {`sh -c 'a b' "c \"d\"" e\ f`, []string{"spec"}, []string{"sh", "-c", "a b", `c "d"`, "e f", "spec"}},
		"nothing is evaluated":    {"echo $HOME `id` $(id) ; *", []string{"spec"}, []string{"echo", "$HOME", "`id`", "$(id)", ";", "*", "spec"}},
		"state that is there":     {"x", []string{"read", "--state", state}, []string{"x", "read", "--state", state}},
		"state that is not there": {"x", []string{"read", "--state", gone, "--debug"}, []string{"x", "read", "--debug"}},
		"the other spelling":      {"x", []string{"read", "--state=" + gone, "--state=" + state}, []string{"x", "read", "--state=" + state}},
		"state without a name":    {"x", []string{"read", "--state", "", "--state="}, []string{"x", "read"}},
		"state at the end":        {"x", []string{"read", "--state"}, []string{"x", "read", "--state"}},
		"state of a whole line":   {"", []string{"prog", "--state", gone}, []string{"prog"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			given := slices.Clone(test.args)
			got, err := shim.Command(test.args, test.entrypoint, []string{"PATH=/nowhere", "PATH=" + programs})
			if err != nil || !slices.Equal(got, test.want) {
				t.Errorf("got %q, %v, want %q", got, err, test.want)
			}
			if !slices.Equal(test.args, given) {
				t.Errorf("the arguments became %q", test.args)
			}
		})
	}
}
