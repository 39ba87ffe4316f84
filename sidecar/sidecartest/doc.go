// Package sidecartest is for tests: a Destination and a Journal in memory, rows in memory, and the suites that every adapter must pass.
//
// VerifyDestination and VerifyJournal check what the interfaces of package sidecar promise, one subtest for each promise. An adapter's test says how
// to open it, and how to look at what it keeps without asking it: so that "the rows are there" does not rest on the adapter's own word. Capabilities
// and the optional interfaces (Finisher, Resumer, Mirrorer, LockKeeper) are found by the suites; a promise that is none of an adapter's is skipped.
//
// The doubles pass the suites, too, so that tests of the session, the loader and the recorder rest on what a real adapter does.
package sidecartest
