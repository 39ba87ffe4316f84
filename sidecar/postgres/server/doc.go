// Package server is what rooms that talk to Postgres share: the URL as its users write it, connections that can be cut, which errors can pass, the
// words for those that cannot, and texts that Postgres takes.
package server
