package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/airbyte"
)

// taskFile is the record of the last read.
const taskFile = "task.json"

// task is task.json.
type task struct {
	SyncID         string          `json:"sync_id,omitempty"`
	TaskID         string          `json:"task_id,omitempty"`
	Package        string          `json:"package,omitempty"`
	PackageVersion string          `json:"package_version,omitempty"`
	StartedBy      json.RawMessage `json:"started_by,omitempty"`
	StartedAt      time.Time       `json:"started_at"`
	UpdatedAt      time.Time       `json:"updated_at"`
	Status         sidecar.Status  `json:"status"`
	Error          string          `json:"error,omitempty"`
	Streams        json.RawMessage `json:"streams,omitempty"` // TaskRecord.Description
}

// SaveTask records the status of the task, and finishes the streams that it says are a success (see Finish). After a Lock that was refused it fails
// with the same error: task.json is that of the run which holds the lock.
func (f *Folder) SaveTask(ctx context.Context, record sidecar.TaskRecord) error {
	f.mu.Lock()
	refused := f.refused
	f.mu.Unlock()
	if refused != nil {
		return refused
	}
	if err := f.writeTask(record); err != nil {
		return err
	}
	return f.FinishTask(ctx, record)
}

// Interrupted implements sidecar.InterruptionFinder. There is one task.json, which the next SaveTask replaces.
func (f *Folder) Interrupted(context.Context) ([]string, error) {
	f.texts.Lock()
	defer f.texts.Unlock()
	earlier, err := f.readTask()
	if err != nil || earlier.Status != sidecar.StatusRunning || f.sameTask(earlier) {
		return nil, err
	}
	return []string{earlier.TaskID}, nil
}

// writeTask writes task.json, unless the same task was cancelled, or has ended and this comes late.
func (f *Folder) writeTask(record sidecar.TaskRecord) error {
	f.texts.Lock()
	defer f.texts.Unlock()
	earlier, err := f.readTask()
	if err != nil {
		return err
	}
	if f.sameTask(earlier) && !mayFollow(earlier.Status, record.Status) {
		return nil
	}
	startedBy, err := rawJSON(f.identity.StartedBy)
	if err != nil {
		return fmt.Errorf("encode STARTED_BY: %w", err)
	}
	streams, err := rawJSON(record.Description)
	if err != nil {
		return fmt.Errorf("encode the description of the task: %w", err)
	}
	return f.writeJSON(taskFile, task{
		SyncID: f.identity.SyncID, TaskID: f.identity.TaskID, Package: f.identity.Package, PackageVersion: f.identity.PackageVersion,
		StartedBy: startedBy, StartedAt: f.startedAt(), UpdatedAt: now(), Status: record.Status, Error: record.Error, Streams: streams,
	})
}

// sameTask says whether task.json is of this task; tasks without an id are told apart by their start.
func (f *Folder) sameTask(earlier task) bool {
	return earlier.TaskID == f.identity.TaskID && (earlier.TaskID != "" || earlier.StartedAt.Equal(f.startedAt()))
}

// startedAt is when the task started, as task.json shows it.
func (f *Folder) startedAt() time.Time { return f.identity.StartedAt.UTC().Truncate(time.Millisecond) }

// readTask reads task.json. What cannot be understood there must not keep a verdict from being written (I2): it counts as nothing.
//
// +checklocks:f.texts
func (f *Folder) readTask() (task, error) {
	content, err := os.ReadFile(filepath.Join(f.dir, taskFile))
	if errors.Is(err, os.ErrNotExist) {
		return task{}, nil
	}
	if err != nil {
		return task{}, diskError(filepath.Join(f.dir, taskFile), err)
	}
	var earlier task
	if json.Unmarshal(content, &earlier) != nil {
		earlier = task{}
	}
	return earlier, nil
}

// mayFollow says whether a task of status from may become one of status to.
func mayFollow(from, to sidecar.Status) bool {
	switch from {
	case sidecar.StatusCancelled:
		return false
	case "", sidecar.StatusPending, sidecar.StatusRunning:
		return true
	default:
		return final(to)
	}
}

// final says whether a task of this status has ended.
func final(status sidecar.Status) bool {
	return status != sidecar.StatusPending && status != sidecar.StatusRunning
}

// mergeRate is how many bytes of rows a slow disk surely brings to one row per key in a second.
const mergeRate = 4 << 20

// mergeTime gives the merge of streams the time that it needs: the deadline of ctx is meant for a line in task.json, and that is written. An end of
// ctx for another reason still ends the merge.
func (f *Folder) mergeTime(ctx context.Context, streams []airbyte.StreamDescriptor) (context.Context, context.CancelFunc) {
	f.mu.Lock()
	var size int64
	for _, stream := range streams {
		if file, found := f.files[stream]; found {
			size += file.end
		}
	}
	f.mu.Unlock()
	merging, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute+time.Duration(size/mergeRate)*time.Second)
	end := func() {
		if errors.Is(ctx.Err(), context.Canceled) {
			cancel()
		}
	}
	end() // AfterFunc takes a moment
	stop := context.AfterFunc(ctx, end)
	return merging, func() { stop(); cancel() }
}

// FinishTask finishes the streams that a task says are a success, once it has ended.
func (f *Folder) FinishTask(ctx context.Context, record sidecar.TaskRecord) error {
	if !final(record.Status) {
		return nil
	}
	var described map[string]struct {
		Status     sidecar.Status `json:"status"`
		Unfinished bool           `json:"unfinished"`
	}
	if record.Description != "" {
		if err := json.Unmarshal([]byte(record.Description), &described); err != nil {
			return fmt.Errorf("the description of the task is not a JSON object of streams: %w", err)
		}
	}
	f.mu.Lock()
	if f.files == nil { // no read began here: another one may be at work, and state.json is its own
		f.mu.Unlock()
		return nil
	}
	var done []airbyte.StreamDescriptor
	for stream := range f.files {
		said := described[stream.String()]
		if !said.Unfinished && (record.Status == sidecar.StatusSuccess || said.Status == sidecar.StatusSuccess) {
			done = append(done, stream)
		}
	}
	f.mu.Unlock()
	if record.Status != sidecar.StatusSuccess && record.Status != sidecar.StatusPartial {
		return f.vouch(done) // there may be no time for more
	}
	merging, cancel := f.mergeTime(ctx, done)
	defer cancel()
	return f.Finish(merging, done)
}
