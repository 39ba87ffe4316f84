// Package sidecar is the contract between the parts of a sync, in nouns: what a Destination and a Journal promise, and what a sync reports. Every
// room that takes part in a sync may import it; it imports only the protocol.
//
// # Invariants
//
// Each is kept by the packages named behind it, where its number stands in comments.
//
//	I1 a state is saved only after every row that it covers is acknowledged                    checkpoint, spool
//	I2 a verdict is always recorded                                                            session, recorder
//	I3 success needs exit status 0, EOF, every stream COMPLETE, every row acknowledged,
//	   and counts that agree                                                                   verdict, tally
//	I4 every wait has a deadline and obeys cancellation                                        session (watchdog, shutdown), loader
//	I5 no secret reaches a log, a table or an error text                                       secret, logs
//	I6 a failed or cancelled full refresh leaves the previous table as it was                  loader, the destinations
//	I7 nothing that a connector writes crashes the session, and nothing of it vanishes
//	   without being counted                                                                   airbyte, tally
//
// # The road of a row
//
//	FIFO → pipe → airbyte.Reader → session → loader → spool → Destination → acknowledged → checkpoint → recorder → Journal
//
// docs/ARCHITECTURE.md walks along it.
package sidecar
