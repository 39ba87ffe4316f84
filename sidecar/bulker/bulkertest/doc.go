// Package bulkertest is a server that answers as Bulker does, for tests: it keeps what it commits, so that rows can be counted, and it fails on
// request.
//
// It imitates the HTTP interface of jitsucom/bulker at commit c5548cf: `/bulk/:destinationId` and `/post/:destinationId` of
// bulkerapp/app/router.go, the token check and the error shapes of jitsubase/appbase/router_base.go, the time limits of bulkerapp/app/app.go.
// Neither path is documented by Bulker; the points marked (measured) were tried against a small copy of its handler. The contract:
//
//   - Tokens: `Authorization: Bearer T`. Without: 401 {"error":"Authorization header with Bearer token is required"}. A wrong one is repeated in
//     the answer: 401 {"error":"Invalid token: T"}. /ready and /health ask for none.
//   - Errors: {"error":"<type>: <text>"}; some are hidden: {"error":"error# <id>: <type>"}. A panic is 500 with an empty body.
//   - /bulk wants tableName; mode is stream, batch, replace_table (also when absent) or replace_partition, which fails always for want of a
//     parameter that HTTP cannot give; pk, repeated, makes the load merge. Streams are created before the body is read.
//   - The body is NDJSON, read by a bufio.Scanner: a line holds at most 1,048,575 bytes (measured). A line that begins with ABORT aborts; one that
//     is no JSON object (blank, too) is an `unmarhsal error` (sic); `null` is a panic. All of these are answered while the body still flows.
//   - A body that breaks off, or takes longer than the read timeout of 30 minutes from the first byte of the request, however steadily it flows
//     (measured), is a `scanner error`. Nothing is committed then, except in mode stream.
//   - At the end of a body with rows the load is committed, also when the client has gone, and answered 200 with a state. An empty body is
//     answered 200 without one and changes nothing.
//   - replace_table fills another table and swaps it in. batch adds in one transaction; with pk, the last row of a key wins, and all rows
//     whose key is null are one row (bulkerlib/implementations/sql/abstract_transactional.go). stream commits row by row.
//   - /post takes one object, unseen, and answers 200 {"message":"ok"}.
//
// What it does not imitate: types, columns and schemas of a warehouse, and what Bulker makes of names that no warehouse takes; a few texts that
// JSON forbids and Bulker's parser takes (such as 007 or 1.) are errors here; in mode stream the rows become visible when the request ends.
package bulkertest
