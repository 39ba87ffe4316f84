package local

import "fmt"

// MissingRowsError says that a file of rows is smaller than the state counts on that its stream goes on from: the source would not send again what
// somebody took away.
type MissingRowsError struct {
	Path    string
	Exists  bool
	Bytes   int64 // that it has
	Covered int64 // bytes that the state covers
	State   string
}

// Error names the file, what is missing, and the ways out.
func (e *MissingRowsError) Error() string {
	has := "does not exist"
	if e.Exists {
		has = fmt.Sprintf("has %d bytes", e.Bytes)
	}
	return fmt.Sprintf("%s %s, and the state %q, which the source would go on from, covers %d bytes of it: put the file back as it was; "+
		"or read everything again (FULL_SYNC=true, `run read --full-refresh`); or remove that state from where it is kept, so that its streams start over",
		e.Path, has, e.State, e.Covered)
}
