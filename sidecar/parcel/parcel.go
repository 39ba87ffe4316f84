// Package parcel is a folder as a stream, for where a volume cannot be reached from outside but a program in its Pod can: regular files and folders
// by their paths in the folder, as a tar archive with an end of its own: of an archive that was cut between two files, tar itself says nothing.
package parcel

import (
	"archive/tar"
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// endMark is the last entry, a folder: no other entry is one.
const endMark = "end/"

// File is one file on its way.
type File struct {
	Name     string // its path in the folder, with slashes
	Size     int64
	Modified time.Time
	Content  io.Reader
}

// Write writes the files below dir that are wanted, by their paths in it, with their times. A dir that does not exist is an empty one. wanted may be
// nil, for all of them; a folder that is not wanted is not looked into.
func Write(w io.Writer, dir string, wanted func(name string) bool) error {
	const buffer = 256 << 10
	buffered := bufio.NewWriterSize(w, buffer)
	files := tar.NewWriter(buffered)
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if path == dir && errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil || name == "." {
			return err
		}
		name = filepath.ToSlash(name)
		switch {
		case wanted != nil && !wanted(name):
			if entry.IsDir() {
				return fs.SkipDir
			}
		case entry.Type().IsRegular():
			return add(files, name, path)
		}
		return nil
	})
	if err == nil {
		err = files.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: endMark, Mode: 0o700})
	}
	if err == nil {
		err = errors.Join(files.Close(), buffered.Flush())
	}
	if err != nil {
		return fmt.Errorf("send %s: %w", dir, err)
	}
	return nil
}

func add(files *tar.Writer, name, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	header := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o600, Size: info.Size(), ModTime: info.ModTime(), Format: tar.FormatPAX}
	if err := files.WriteHeader(header); err != nil {
		return err
	}
	_, err = io.CopyN(files, file, info.Size())
	return err
}

// Read hands over each file, until the end of the archive, after which it reads no further. An archive that just stops is an error
// (io.ErrUnexpectedEOF), and so is a name that leads out of a folder.
func Read(r io.Reader, each func(File) error) error {
	files := tar.NewReader(r)
	for {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return fmt.Errorf("receive files: %w", err)
		}
		if header.Typeflag == tar.TypeDir && header.Name == endMark {
			return nil
		}
		if header.Typeflag != tar.TypeReg {
			continue
		}
		if !filepath.IsLocal(filepath.FromSlash(header.Name)) {
			return fmt.Errorf("receive files: %q leads out of the folder", header.Name)
		}
		if err := each(File{Name: header.Name, Size: header.Size, Modified: header.ModTime, Content: files}); err != nil {
			return err
		}
	}
}

// Unpack writes what Read finds below dir, for its owner only. It is for a folder that nobody uses yet.
func Unpack(r io.Reader, dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("receive files: %w", err)
	}
	return Read(r, func(file File) error {
		path := filepath.Join(dir, filepath.FromSlash(file.Name))
		if err := unpack(file, path); err != nil {
			return fmt.Errorf("receive %s: %w", file.Name, err)
		}
		return nil
	})
}

func unpack(file File, path string) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	target, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(target, file.Content)
	if err = errors.Join(err, target.Close()); err != nil {
		return err
	}
	return os.Chtimes(path, file.Modified, file.Modified)
}
