package spool

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// onDisk is how many bytes the spools' file takes on the disk.
func onDisk(t *testing.T, disk *disk) int64 {
	t.Helper()
	if disk.file == nil {
		return 0
	}
	info, err := disk.file.(unlinked).Stat()
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Blocks * 512
}

// cannotPunch says that the temporary folder is on a file system that gives no part of a file back.
func cannotPunch(t *testing.T) bool {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(file.Truncate(slotSize), punchHole(file, 0, slotSize), file.Close())
	return errors.Is(err, errors.ErrUnsupported)
}

// fill adds rows of so many bytes to a spool that keeps nothing in memory, each of them the letter.
func fill(t *testing.T, s *Spool, letter byte, size int) {
	t.Helper()
	for ; size > 0; size -= bufferSize {
		if _, err := s.Add(bytes.Repeat([]byte{letter}, min(size, bufferSize)-1), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Finish(); err != nil {
		t.Fatal(err)
	}
}

// counter counts a letter in what is written to it.
type counter struct {
	letter byte
	count  int
}

func (c *counter) Write(p []byte) (int, error) {
	c.count += bytes.Count(p, []byte{c.letter})
	return len(p), nil
}

// count is how often a letter is in the rows of a spool.
func count(t *testing.T, s *Spool, letter byte) int {
	t.Helper()
	reader, err := s.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c := &counter{letter: letter}
	if _, err := io.Copy(c, reader); err != nil {
		t.Fatal(err)
	}
	return c.count
}

// TestSpoolsShareAFile writes, reads and releases many spools at once, some before they are read to their end: each gives its own rows or says that
// it was released, every slot is one spool's or nobody's, and the file does not grow beyond what they hold together.
func TestSpoolsShareAFile(t *testing.T) {
	t.Parallel()
	for _, limit := range []int64{0, 1 << 30} { // with a limit, every release punches holes
		const spools, rounds, rows, longest = 6, 10, 200, 4000
		disk := &disk{openFile: openUnlinked, dir: t.TempDir(), limit: limit}
		b := newBuffers(0, 1000)
		var group sync.WaitGroup
		for n := range spools {
			group.Go(func() {
				random := rand.New(rand.NewPCG(uint64(n), 3))
				for round := range rounds {
					s := (&Space{buffers: b, disk: disk}).Spool(0)
					var readers sync.WaitGroup
					readers.Go(func() { readOwn(t, s, n, round) })
					var err error
					for range random.IntN(rows) {
						_, adding := s.Add(fmt.Appendf(nil, "%d-%d %s", n, round, strings.Repeat("x", random.IntN(longest))), nil)
						err = errors.Join(err, adding)
					}
					if err = errors.Join(err, s.Finish()); err != nil {
						t.Error(err)
					}
					if random.IntN(2) == 0 {
						readers.Wait()
					}
					if err := s.Release(); err != nil {
						t.Error(err)
					}
					readers.Wait()
				}
			})
		}
		group.Wait()
		idle := slices.Sorted(slices.Values(append(slices.Clone(disk.spare), disk.holes...)))
		if disk.used != 0 || disk.lent != 0 || disk.length > spools*(rows*(longest+10)/slotSize+1) || len(slices.Compact(idle)) != disk.length {
			t.Errorf("%d bytes and %d slots are held; of %d slots %d are free", disk.used, disk.lent, disk.length, len(idle))
		}
		names, err := filepath.Glob(filepath.Join(disk.dir, "*"))
		if err != nil || len(names) > 0 {
			t.Errorf("a kill would leave %q (%v)", names, err)
		}
		if err := disk.close(); err != nil || disk.file != nil {
			t.Errorf("the file is open (%v)", err)
		}
	}
}

// readOwn reads a spool until it is at its end or released: all rows are its own.
func readOwn(t *testing.T, s *Spool, n, round int) {
	t.Helper()
	reader, err := s.Open(t.Context())
	if err != nil {
		t.Error(err)
		return
	}
	var got bytes.Buffer
	if _, err = io.Copy(&got, reader); err != nil && !errors.Is(err, errReleased) {
		t.Error(err)
	}
	own := fmt.Sprintf("%d-%d ", n, round)
	for line := range strings.Lines(got.String()) {
		if !strings.HasPrefix(line, own) && !strings.HasPrefix(own, line) {
			t.Errorf("%q is not of spool %s", line[:min(len(line), 20)], own)
			return
		}
	}
}

// TestSpoolSlotsStayNeighbours: rows are written and read in long stretches, also where others were before.
func TestSpoolSlotsStayNeighbours(t *testing.T) {
	t.Parallel()
	disk := &disk{openFile: openUnlinked, dir: t.TempDir()}
	for range 4 {
		s := testSpool(t, 0, disk)
		fill(t, s, 'a', 20*bufferSize)
		for i := 1; i < len(s.slots); i++ {
			if s.slots[i] != s.slots[i-1]+1 {
				t.Fatalf("slots %d", s.slots)
			}
		}
		if err := s.Release(); err != nil {
			t.Fatal(err)
		}
	}
	if err := disk.close(); err != nil {
		t.Fatal(err)
	}
}

// TestSpoolGivesTheDiskBack: what a long spool took is free again when others are still there, beyond what is kept for the next rows; with a limit,
// all of it; and everything when nobody needs it any more.
func TestSpoolGivesTheDiskBack(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		limit, kept int64
		solid       bool
	}{{kept: spareSlots * slotSize}, {limit: 1 << 30}, {limit: 1 << 30, kept: 140 << 20, solid: true}} {
		disk := &disk{openFile: openUnlinked, dir: t.TempDir(), limit: test.limit, solid: test.solid}
		short, long, last := testSpool(t, 0, disk), testSpool(t, 0, disk), testSpool(t, 0, disk)
		fill(t, short, 's', 3*bufferSize/2)
		fill(t, long, 'l', 140<<20)
		if taken := onDisk(t, disk); taken < 140<<20 {
			t.Errorf("%d bytes on the disk", taken)
		}
		if err := long.Release(); err != nil {
			t.Fatal(err)
		}
		if taken := onDisk(t, disk); taken > test.kept+2*bufferSize && !cannotPunch(t) {
			t.Errorf("%d bytes are still on the disk, want %d", taken, test.kept)
		}
		fill(t, last, 'n', 132<<20) // in spare slots, holes, and new ones perhaps
		if got := count(t, short, 's'); got != 3*bufferSize/2-2 {
			t.Errorf("the short one gave %d of its letters", got)
		}
		if got := count(t, last, 'n'); got != 132<<20-132<<20/bufferSize {
			t.Errorf("the last one gave %d of its letters", got)
		}
		if err := errors.Join(short.Release(), last.Release()); err != nil {
			t.Fatal(err)
		}
		if taken := onDisk(t, disk); taken > 0 || disk.length > 0 || disk.used != 0 {
			t.Errorf("%d bytes are still on the disk, %d slots", taken, disk.length)
		}
		if err := disk.close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestSpoolDiskFull fills a disk: the rows that did not fit do not count, and those before are there. /dev/full is the disk.
func TestSpoolDiskFull(t *testing.T) {
	t.Parallel()
	disk := &disk{openFile: openUnlinked, dir: t.TempDir()}
	s := testSpool(t, 0, disk)
	if _, err := s.Add(bytes.Repeat([]byte("a"), bufferSize-1), nil); err != nil {
		t.Fatal(err)
	}
	if err := s.seal(false); err != nil {
		t.Fatal(err)
	}
	full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	file := disk.file
	disk.file = unlinked{full}
	_, adding := s.Add([]byte("b"), nil)
	err = errors.Join(adding, s.Finish())
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "SPOOL_DIR") || !strings.Contains(err.Error(), fmt.Sprint(bufferSize)) {
		t.Errorf("got %v", err)
	}
	if disk.used != bufferSize {
		t.Errorf("%d bytes count, want %d", disk.used, bufferSize)
	}
	disk.file = file
	if err := errors.Join(s.Release(), full.Close()); err != nil || disk.used != 0 || disk.lent != 0 {
		t.Errorf("%d bytes, %d slots are held (%v)", disk.used, disk.lent, err)
	}
}

// TestFileThatEndsMeanwhile: a release that leaves no slot closes the file at any time between two steps of a write, which then finds another one.
func TestFileThatEndsMeanwhile(t *testing.T) {
	t.Parallel()
	d := &disk{openFile: openUnlinked, dir: t.TempDir(), limit: 1 << 30}
	b := newBuffers(0, 1000)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for range 2000 {
				s := (&Space{buffers: b, disk: d}).Spool(0)
				_, err := s.Add(make([]byte, leastBuffer), nil)
				if err = errors.Join(err, s.Finish(), s.Release()); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	if err := d.close(); err != nil {
		t.Error(err)
	}
}
