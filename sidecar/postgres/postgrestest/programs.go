package postgrestest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// findProgram looks for a server program in PATH, and where Debian keeps it: one folder for each version of Postgres, sbin for PgBouncer.
func findProgram(name string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	if err != nil {
		return "", err
	}
	if sbin := "/usr/sbin/" + name; len(found) == 0 {
		if _, err := os.Stat(sbin); err == nil {
			return sbin, nil
		}
	}
	if len(found) == 0 {
		return "", fmt.Errorf("no program %s here: run scripts/require-postgres.sh", name)
	}
	return found[len(found)-1], nil // the newest: folders are sorted, and versions have had two digits since 2017
}

// account is whom servers run as; Postgres and PgBouncer refuse to be root.
type account struct {
	credential *syscall.Credential // nil is as ourselves
	uid, gid   int
}

func unprivileged() (account, error) {
	if os.Getuid() != 0 {
		return account{uid: os.Getuid(), gid: os.Getgid()}, nil
	}
	var problems []error
	for _, name := range []string{"postgres", "nobody"} {
		found, err := user.Lookup(name)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		uid, err := strconv.ParseUint(found.Uid, 10, 32)
		if err != nil {
			return account{}, err
		}
		gid, err := strconv.ParseUint(found.Gid, 10, 32)
		if err != nil {
			return account{}, err
		}
		return account{credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, uid: int(uid), gid: int(gid)}, nil
	}
	return account{}, fmt.Errorf("a server does not run as root, and there is nobody else: %w", errors.Join(problems...))
}

// command of the account, in folder, which the account can enter; ours it may not.
func (a account) command(folder, program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Dir = folder
	// A group of its own, so that an interrupt of the terminal leaves the server to us.
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: a.credential, Setpgid: true}
	return cmd
}

// makeFolder is for a server's files. Its path is short, as that of a socket must be (107 bytes), and the account may enter it: the folders of
// testing.T.TempDir are root's alone.
func (a account) makeFolder() (string, error) {
	folder, err := os.MkdirTemp("", "pg")
	if err != nil {
		return "", err
	}
	if err := os.Chown(folder, a.uid, a.gid); err != nil {
		return "", errors.Join(err, os.RemoveAll(folder))
	}
	return folder, nil
}
