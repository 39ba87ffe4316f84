package main

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// runApp runs the command line in this process and returns the exit code and the error's text.
func runApp(t *testing.T, env environment, args ...string) (int, string) {
	t.Helper()
	var output bytes.Buffer
	env.stdout, env.stderr = &output, &output
	if env.getenv == nil {
		env.getenv = func(string) string { return "" }
	}
	err := oneApp(t, newApp(env), append([]string{"sync-sidecar"}, args...)...)
	if err == nil {
		return exitCode(err), ""
	}
	return exitCode(err), err.Error()
}

func TestInitMakesTheVolume(t *testing.T) {
	folder := t.TempDir()
	secrets := filepath.Join(folder, "secrets")
	if err := os.Mkdir(secrets, 0o700); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(secrets, "config.json"), "{}")
	t.Setenv("STDOUT_PIPE_FILE", filepath.Join(folder, "pipes", "out"))
	t.Setenv("STDERR_PIPE_FILE", filepath.Join(folder, "pipes", "err"))
	t.Setenv("PLACE_DIR", filepath.Join(folder, "bin"))
	t.Setenv("COPY_CONFIG", secrets+":"+filepath.Join(folder, "config"))
	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if code, text := runApp(t, environment{executable: own}, "init"); code != exitOK {
			t.Fatalf("exit code %d: %s", code, text)
		}
		for _, path := range []string{"pipes/out", "pipes/err", "bin/sync-sidecar", "config/config.json"} {
			if _, err := os.Stat(filepath.Join(folder, path)); err != nil {
				t.Error(err)
			}
		}
		stale := filepath.Join(folder, "pipes", "exit-status")
		if _, err := os.Stat(stale); !os.IsNotExist(err) {
			t.Errorf("the exit status of the run before is still there (%v)", err)
		}
		put(t, stale, "0\n")
	}
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestInitRefuses(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "file")
	put(t, file, "")
	free := filepath.Join(folder, "free")
	bombs := t.TempDir()
	bomb := []string{"--copy-config", bombs + ":" + folder + "/to", "--copy-config-limit", "1000"}
	var packed bytes.Buffer
	writer := gzip.NewWriter(&packed)
	if _, err := writer.Write(make([]byte, 1001)); err != nil || writer.Close() != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(bombs, "config.json.gz"), packed.String())
	tests := map[string]struct {
		args []string
		code int
		want string
	}{
		"an argument":       {[]string{"x"}, exitUsage, `init takes no arguments, but got "x"`},
		"half a copy":       {[]string{"--copy-config", "/secret"}, exitUsage, "COPY_CONFIG (--copy-config)"},
		"a limit below 0":   {[]string{"--copy-config-limit", "-1"}, exitUsage, "COPY_CONFIG_LIMIT is -1"},
		"too large a gz":    {bomb, exitEnvironment, "raise COPY_CONFIG_LIMIT"},
		"one pipe":          {[]string{"--stderr-pipe", free}, exitUsage, "two pipes are needed"},
		"a file as a pipe":  {[]string{"--stderr-pipe", file}, exitEnvironment, file + " is a regular file"},
		"no config folder":  {[]string{"--copy-config", folder + "/none:" + folder + "/to"}, exitEnvironment, folder + "/none"},
		"a file as a place": {[]string{"--place", file}, exitEnvironment, "place the binary at " + file},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			args := append([]string{"init", "--stdout-pipe", free, "--stderr-pipe", free + "-err"}, test.args...)
			code, text := runApp(t, environment{executable: file}, args...)
			if code != test.code || !strings.Contains(text, test.want) {
				t.Errorf("exit code %d, %q, want %d and %q", code, text, test.code, test.want)
			}
		})
	}
}
