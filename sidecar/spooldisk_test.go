package sidecar

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// onDisk is how many bytes the spools' file takes on the disk.
func onDisk(t *testing.T, disk *spoolDisk) int64 {
	t.Helper()
	info, err := disk.file.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Blocks * 512
}

// fill adds rows of so many bytes to a spool that keeps nothing in memory, each of them the letter.
func fill(t *testing.T, s *spool, letter byte, size int) {
	t.Helper()
	for ; size > 0; size -= blockSize {
		if err := s.add(bytes.Repeat([]byte{letter}, min(size, blockSize)-1), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.finish(); err != nil {
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
func count(t *testing.T, s *spool, letter byte) int {
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

// TestSpoolsShareAFile writes, reads and releases many spools in turns, all at once: each gives back its own rows, and the file does not grow beyond
// what they hold together.
func TestSpoolsShareAFile(t *testing.T) {
	t.Parallel()
	const spools, rounds = 8, 10
	disk := &spoolDisk{dir: t.TempDir()}
	b := newBlocks(0, 1000)
	var group sync.WaitGroup
	for n := range spools {
		group.Go(func() {
			random := rand.New(rand.NewPCG(uint64(n), 3))
			for round := range rounds {
				s := newSpool(b, disk, 0)
				var want bytes.Buffer
				for range random.IntN(200) {
					row := fmt.Appendf(nil, `{"spool":%d,"round":%d,"text":%q}`, n, round, strings.Repeat("x", random.IntN(4000)))
					want.Write(append(row, '\n'))
					if err := s.add(row, nil); err != nil {
						t.Error(err)
						return
					}
				}
				if err := s.finish(); err != nil {
					t.Error(err)
				}
				if got := readSpool(t, s, round%2 == 0); !bytes.Equal(got, want.Bytes()) {
					t.Errorf("spool %d gave %d bytes, want %d, or others", n, len(got), want.Len())
				}
				if err := s.release(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	const largest = 200*4100/slotSize + 1 // slots of one spool
	if disk.used != 0 || disk.lent != 0 || disk.length > spools*largest || len(disk.spare) != disk.length {
		t.Errorf("%d bytes and %d slots are held; of %d slots %d are spare", disk.used, disk.lent, disk.length, len(disk.spare))
	}
	names, err := filepath.Glob(filepath.Join(disk.dir, "*"))
	if err != nil || len(names) > 0 {
		t.Errorf("a kill would leave %q (%v)", names, err)
	}
	file := disk.file
	if err := disk.close(); err != nil {
		t.Fatal(err)
	}
	if _, err := file.Stat(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("the file is open: %v", err)
	}
}

// TestSpoolGivesTheDiskBack: what a long spool took is free again when others are still there, beyond what is kept for the next rows; with a limit,
// all of it; and everything when nobody needs it any more.
func TestSpoolGivesTheDiskBack(t *testing.T) {
	t.Parallel()
	for limit, kept := range map[int64]int64{0: spareSlots * slotSize, 1 << 30: 0} {
		disk := &spoolDisk{dir: t.TempDir(), limit: limit}
		short, long, last := testSpool(t, 0, disk), testSpool(t, 0, disk), testSpool(t, 0, disk)
		fill(t, short, 's', 3*blockSize/2)
		fill(t, long, 'l', 140<<20)
		if taken := onDisk(t, disk); taken < 140<<20 {
			t.Errorf("%d bytes on the disk", taken)
		}
		if err := long.release(); err != nil {
			t.Fatal(err)
		}
		if taken := onDisk(t, disk); taken > kept+4*slotSize {
			t.Errorf("%d bytes are still on the disk, want %d", taken, kept)
		}
		fill(t, last, 'n', 132<<20) // in spare slots, holes, and new ones perhaps
		if got := count(t, short, 's'); got != 3*blockSize/2-2 {
			t.Errorf("the short one gave %d of its letters", got)
		}
		if got := count(t, last, 'n'); got != 132<<20-132<<20/blockSize {
			t.Errorf("the last one gave %d of its letters", got)
		}
		if err := errors.Join(short.release(), last.release()); err != nil {
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
	disk := &spoolDisk{dir: t.TempDir()}
	s := testSpool(t, 0, disk)
	if err := s.add(bytes.Repeat([]byte("a"), blockSize-1), nil); err != nil {
		t.Fatal(err)
	}
	if err := s.seal(); err != nil {
		t.Fatal(err)
	}
	full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	file := disk.file
	disk.file = full
	err = errors.Join(s.add([]byte("b"), nil), s.finish())
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "SPOOL_DIR") || !strings.Contains(err.Error(), fmt.Sprint(blockSize)) {
		t.Errorf("got %v", err)
	}
	if disk.used != blockSize {
		t.Errorf("%d bytes count, want %d", disk.used, blockSize)
	}
	disk.file = file
	if err := errors.Join(s.release(), full.Close()); err != nil || disk.used != 0 || disk.lent != 0 {
		t.Errorf("%d bytes, %d slots are held (%v)", disk.used, disk.lent, err)
	}
}
