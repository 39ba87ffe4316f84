// Package bulkertest is a server that answers as Bulker does, for tests: it keeps what it commits, so that rows can be counted, and it fails on
// request.
//
// It imitates jitsucom/bulker at commit c5548cf with a Postgres as its warehouse. Its sources, of which none is documented by Bulker:
//
//   - HTTP: `/bulk/:destinationId`, `/post/:destinationId` and `/ready` of bulkerapp/app/router.go, the token check and the error shapes of
//     jitsubase/appbase/router_base.go, the time limits of bulkerapp/app/app.go. What is marked (measured) was seen at a real server with Kafka
//     3.9.1 and Postgres 15, or at a small copy of its handler.
//   - Rows and tables: bulkerlib/implementations/sql, as it was measured with Postgres 15.
//   - Refusals: answers.json lists those that are known, each with where from; Answer.Fault gives one to a load.
//
// The contract:
//
//   - Tokens: `Authorization: Bearer T`. Without: 401 {"error":"Authorization header with Bearer token is required"}. A wrong one is repeated in
//     the answer: 401 {"error":"Invalid token: T"}. /ready and /health ask for none.
//   - /ready and /health say 503 while Kafka is away (measured: `topic manager is outdated` after 50 s), and loads work all the same.
//   - Errors: {"error":"<type>: <text>"}; some are hidden: {"error":"error# <id>: <type>"}. A panic is 500 with an empty body.
//   - /bulk and /post check the token, then the destination, then that there is a tableName. mode is stream, batch, replace_table (also when
//     absent) or replace_partition, which fails always for want of a parameter that HTTP cannot give; pk, repeated, makes the load merge. Streams
//     are created before the body is read.
//   - The body is NDJSON, read by a bufio.Scanner with a buffer of 1 MiB: a line holds at most 1,048,575 bytes, or 1,048,576 when it is the last one
//     and has no line feed (measured). A line that begins with ABORT aborts; one that is no JSON object (blank, too) is an `unmarhsal error` (sic);
//     `null` is a panic. All of these are answered while the body still flows.
//   - A body that breaks off, or takes longer than the read timeout of 30 minutes from the first byte of the request, however steadily it flows
//     (measured), is a `scanner error`. Nothing is committed then, except in mode stream.
//   - At the end of a body with rows the load is committed, also when the client has gone, and answered 200 with a state. An empty body is
//     answered 200 without one and changes nothing.
//   - replace_table empties the table and fills it in one transaction; columns stay (measured). batch adds in one transaction; with pk, the last row
//     of a key wins. stream commits row by row.
//   - Keys become columns by Bulker's rules: objects are flattened, names cleaned and cut. Of two values for one column the last is kept (measured).
//   - Refused with a `stream complete error`: a key that is null or missing (23502), more than 1,600 columns (54011), {} alone in a new table
//     (42601), text that is not UTF-8 (22021), and from the second load on a column that is not plain ASCII and longer than 63 bytes (42701).
//   - A table whose first 43 characters take 63 bytes is dropped at the end of each load, which is COMPLETED all the same (measured).
//   - /post takes one object, unseen, and answers 200 {"message":"ok"}.
//
// What it does not imitate: types of columns, and so what does not fit into them; a primary key over rows that contradict it; tables whose names
// become one; the keys that are instructions to Bulker (`__sql_type…`, `JITSU_TABLE_NAME`), which are kept in the row as they came; what Bulker
// makes of NUL and lone surrogates. A few texts that JSON forbids and Bulker's parser takes (such as 007 or 1.) are errors here; in mode stream the
// rows become visible when the request ends.
package bulkertest
