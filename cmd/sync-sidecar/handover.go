package main

import (
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// userID is a user and a group by number: the image has no names to look up.
type userID struct{ uid, gid int }

// parseUser reads UID:GID.
func parseUser(value string) (userID, error) {
	uid, gid, found := strings.Cut(value, ":")
	user, errUser := strconv.Atoi(uid)
	group, errGroup := strconv.Atoi(gid)
	if !found || errUser != nil || errGroup != nil || user < 0 || group < 0 {
		return userID{}, fmt.Errorf("--sidecar-user is %q: write UID:GID, as in 65532:65532", value)
	}
	return userID{uid: user, gid: group}, nil
}

// handOver lets another user write into a folder, and makes this process that user. A folder that a container engine made for a bind mount belongs
// to root, and one that a person made is theirs: neither is the sidecar's. The folder's owner stays as it is, so that a person keeps theirs.
func (u userID) handOver(folder string) error {
	const everybody fs.FileMode = 0o777
	if os.Geteuid() == u.uid && os.Getegid() == u.gid {
		return nil
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("--sidecar-user %d:%d: init runs as user %d, and only root can prepare folders for another: run it as root",
			u.uid, u.gid, os.Geteuid())
	}
	if err := os.MkdirAll(folder, everybody); err != nil {
		return fmt.Errorf("make LOCAL_DIR: %w", err)
	}
	if err := os.Chmod(folder, everybody); err != nil {
		return fmt.Errorf("let user %d write into LOCAL_DIR: %w", u.uid, err)
	}
	// The group goes first: without root it could not be changed any more.
	for _, step := range []func() error{
		func() error { return syscall.Setgroups(nil) },
		func() error { return syscall.Setgid(u.gid) },
		func() error { return syscall.Setuid(u.uid) },
	} {
		if err := step(); err != nil {
			return fmt.Errorf("become user %d:%d: %w", u.uid, u.gid, err)
		}
	}
	return nil
}
