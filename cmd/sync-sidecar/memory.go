package main

import "runtime/debug"

// What the heap may take, in bytes, in addition to rows (SPOOL_MEMORY).
const (
	ownMemory    = 20 << 20 // the sidecar itself
	streamMemory = 7 << 10  // each stream
)

// memoryTarget is the size that the garbage collector keeps the heap to, in bytes: memory is for the connector. It is no hard limit, but a heap that
// always needs more keeps the collector busy.
func memoryTarget(spool int64, streams int) int64 {
	return ownMemory + spool + int64(streams)*streamMemory
}

// boundMemory makes the garbage collector keep to the target, unless the user has said otherwise.
func boundMemory(env environment, target int64) {
	if env.getenv("GOMEMLIMIT") == "" && env.getenv("GOGC") == "" {
		debug.SetGCPercent(50)
		debug.SetMemoryLimit(target)
	}
}
