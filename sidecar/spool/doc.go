// Package spool holds rows until a destination has acknowledged them: in memory first, beyond that on the disk.
//
// In come the rows of one batch, from one goroutine (Spool.Add). Out they go as sidecar.Rows, to any number of readers, each from the first byte and
// as often as needed: a load can be sent again (I1). All spools of a process share a Space: a pool of buffers, and one unlinked file that is divided
// into slots. No lock is held while the disk is read or written: a disk that hangs blocks the goroutine that writes to it and no other (I4).
package spool
