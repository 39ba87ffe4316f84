package local

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"sync-sidecar/sidecar"
)

// logFile is the log, oldLogFile the one before it. A log that has grown beyond maxLog becomes the old one.
const (
	logFile    = "log.txt"
	oldLogFile = "log.old.txt"
	maxLog     = 64 << 20
)

// AppendLogs adds one line per record: time, level, logger, message. Further lines of a message are indented.
func (f *Folder) AppendLogs(_ context.Context, logs []sidecar.LogRecord) (err error) {
	var text bytes.Buffer
	for _, log := range logs {
		text.WriteString(log.Time.UTC().Format("2006-01-02T15:04:05.000Z "))
		text.WriteString(log.Level)
		text.WriteByte(' ')
		text.WriteString(log.Logger)
		text.WriteByte(' ')
		text.WriteString(strings.ReplaceAll(strings.TrimRight(log.Message, "\r\n"), "\n", "\n    "))
		text.WriteByte('\n')
	}
	f.texts.Lock()
	defer f.texts.Unlock()
	path := filepath.Join(f.dir, logFile)
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return diskError(path, err)
	}
	_, err = file.Write(text.Bytes())
	info, statErr := file.Stat()
	if err = errors.Join(err, statErr, file.Close()); err != nil {
		return diskError(path, err)
	}
	if info.Size() > maxLog {
		if err := os.Rename(path, filepath.Join(f.dir, oldLogFile)); err != nil {
			return diskError(path, err)
		}
	}
	return nil
}
