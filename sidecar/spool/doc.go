// Package spool holds rows until a destination has acknowledged them: in memory first, beyond that on the disk.
//
// In come the rows of one batch, from one goroutine (Spool.Add). Out they go as sidecar.Rows, to any number of readers, from the first byte and as often
// as it takes (I1: a load can be sent again). All spools of a process share a Space: recycled buffers, and one unlinked file in slots. No lock is held
// while the disk is read or written, so that one that hangs holds up nobody but the goroutine that writes to it (I4).
package spool
