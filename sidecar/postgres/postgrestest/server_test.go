package postgrestest

import (
	"bufio"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// orphanVariable makes the test binary a process that starts a server, says where, and waits to be killed.
const orphanVariable = "POSTGRESTEST_ORPHAN"

func TestMain(m *testing.M) {
	if os.Getenv(orphanVariable) == "" {
		os.Exit(Main(m))
	}
	s, err := start(fast())
	if err != nil {
		os.Stderr.WriteString(err.Error())
		os.Exit(1)
	}
	pid, err := s.daemon.pid()
	if err != nil {
		os.Exit(1)
	}
	os.Stdout.WriteString(s.folder + "\n" + strconv.Itoa(pid) + "\n")
	select {}
}

func TestKillAndRestart(t *testing.T) {
	t.Parallel()
	s := Start(t)
	Exec(t, s.DSN(), "create table kept (n int)")
	for _, end := range []func(testing.TB){s.Kill, s.Stop, s.Kill, s.Kill} {
		Exec(t, s.DSN(), "insert into kept values (1)")
		end(t)
		if err := ping(s.DSN()); err == nil {
			t.Fatal("it still answers")
		}
		s.Restart(t)
	}
	if got := Query(t, s.DSN(), "select count(*), sum(n) from kept"); len(got) != 1 || got[0] != "4|4" {
		t.Errorf("got %q", got)
	}
	s.Pause()
	if err := ping(s.DSN()); err == nil {
		t.Error("it answers while halted")
	}
	s.Resume()
	if err := poll(10*time.Second, func() (bool, error) { err := ping(s.DSN()); return err == nil, err }); err != nil {
		t.Error(err)
	}
}

func TestDatabasesAreApart(t *testing.T) {
	t.Parallel()
	a, b := Database(t), Database(t)
	Exec(t, a, "create table mine ()")
	if got := Query(t, b, "select to_regclass('mine')"); len(got) != 1 || got[0] != "-" {
		t.Errorf("got %q", got)
	}
}

// A test process that is killed leaves neither server nor files.
func TestServerEndsWithItsProcess(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("needs a Postgres server: -short")
	}
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), orphanVariable+"=1")
	child.Stderr = os.Stderr
	output, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for scanner := bufio.NewScanner(output); len(lines) < 2 && scanner.Scan(); {
		lines = append(lines, scanner.Text())
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := child.Wait(); err == nil || len(lines) < 2 {
		t.Fatalf("the child said %q and ended with %v", lines, err)
	}
	pid, err := strconv.Atoi(lines[1])
	if err != nil {
		t.Fatal(err)
	}
	err = poll(20*time.Second, func() (bool, error) {
		if !errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			return false, errors.New("the server runs on")
		}
		if _, err := os.Stat(lines[0]); !errors.Is(err, fs.ErrNotExist) {
			return false, errors.New("its files are there")
		}
		return true, nil
	})
	if err != nil {
		t.Error(err)
	}
}
