package main

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
)

// corpus is the output of a source with rows of one kind: a block of whole lines that is repeated. The same kind is the same bytes in every run.
type corpus struct {
	kind    string
	streams int
	block   []byte
	rows    int64 // in a block
	data    int64 // bytes of the rows' data in a block, with a line feed each
}

// kinds of rows: 0.3, 1.5 and 20 KB, nested objects of short values, Python's \uXXXX for other scripts, the same as UTF-8.
func kinds() []string { return []string{"small", "medium", "large", "nested", "escaped", "utf8"} }

// blockSize is about how large a block is.
const blockSize = 8 << 20

// newCorpus makes rows of a kind in one stream, with a STATE and a LOG after every thousand.
func newCorpus(kind string) corpus { return newInterleaved(kind, 1, 1000) }

// newInterleaved makes rows that go to the streams in turn, each with a STATE after so many of its rows.
func newInterleaved(kind string, streams, rowsPerState int) corpus {
	random := rand.New(rand.NewPCG(1, 2))
	c := corpus{kind: kind, streams: streams}
	var out bytes.Buffer
	turn := streams * rowsPerState
	for row := 0; out.Len() < blockSize || row%turn != 0; row++ {
		stream, data := streamName(row%streams), rowOf(random, kind, row)
		fmt.Fprintf(&out, `{"type":"RECORD","record":{"stream":"%s","data":%s,"emitted_at":%d}}`+"\n", stream, data, 1735850275276+row)
		c.rows++
		c.data += int64(len(data)) + 1
		if row/streams%rowsPerState == rowsPerState-1 {
			fmt.Fprintf(&out, `{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":"%s"},"stream_state":{"id":%d}},`+
				`"sourceStats":{"recordCount":%d.0}}}`+"\n", stream, row, rowsPerState)
		}
		if row%1000 == 999 && rowsPerState > 1 {
			out.WriteString(`{"type":"LOG","log":{"level":"DEBUG","message":"Read 1000 records"}}` + "\n")
		}
	}
	c.block = out.Bytes()
	return c
}

func streamName(n int) string { return fmt.Sprintf("rows_%d", n) }

func rowOf(random *rand.Rand, kind string, row int) string {
	fields := map[string]int{"small": 5, "medium": 28, "large": 40, "escaped": 8, "utf8": 18}[kind]
	if kind == "nested" {
		return fmt.Sprintf(`{"id":%d,"tree":%s}`, row, tree(random, 3))
	}
	var b strings.Builder
	fmt.Fprintf(&b, `{"id":%d,"price":%d.%02d,"active":%t,"deleted_at":null,"updated_at":"2024-05-%02dT10:11:12.345Z"`,
		row, random.IntN(1000), random.IntN(100), row%2 == 0, 1+row%28)
	for n := range fields {
		text := strings.Repeat("lorem ipsum ", 1+random.IntN(4))
		switch kind {
		case "large":
			text = strings.Repeat(text, 16)
		case "utf8":
			text = "Съешь ещё этих 日本語の文字列 😀 naïve café " + strconv.Itoa(n)
		case "escaped":
			text = strings.Trim(strconv.QuoteToASCII("Съешь ещё этих мягких 日本語の文字列 "+strconv.Itoa(n)), `"`)
		}
		fmt.Fprintf(&b, `,"field_%d":"%s"`, n, text)
	}
	b.WriteByte('}')
	return b.String()
}

func tree(random *rand.Rand, depth int) string {
	if depth == 0 {
		if random.IntN(2) == 0 {
			return strconv.Itoa(random.IntN(100000))
		}
		return strconv.Quote("v" + strconv.Itoa(random.IntN(1000)))
	}
	var members []string
	for n := range 5 {
		members = append(members, fmt.Sprintf(`"k%d":%s`, n, tree(random, depth-1)))
	}
	return "{" + strings.Join(members, ",") + `,"list":[1,2,3,"x"]}`
}

// blocks is how often the block is repeated to give about size bytes; at least once.
func (c corpus) blocks(size int64) int64 {
	return max(1, (size+int64(len(c.block))/2)/int64(len(c.block)))
}

// bytes is what so many blocks are, without the statuses around them.
func (c corpus) bytes(blocks int64) int64 { return blocks * int64(len(c.block)) }

// write writes a whole transcript: the streams start, their rows, the streams are complete.
func (c corpus) write(out io.Writer, blocks int64) error {
	if err := c.statuses(out, "STARTED"); err != nil {
		return err
	}
	for range blocks {
		if err := writeAll(out, c.block); err != nil {
			return err
		}
	}
	return c.statuses(out, "COMPLETE")
}

// writeAll writes in pieces as `cat` would.
func writeAll(out io.Writer, block []byte) error {
	const piece = 256 << 10
	for len(block) > 0 {
		n := min(piece, len(block))
		if _, err := out.Write(block[:n]); err != nil {
			return err
		}
		block = block[n:]
	}
	return nil
}

func (c corpus) statuses(out io.Writer, status string) error {
	var lines bytes.Buffer
	for n := range c.streams {
		writeStatus(&lines, streamName(n), status)
	}
	_, err := out.Write(lines.Bytes())
	return err
}

// writeStatus writes what a source says of a stream.
func writeStatus(out *bytes.Buffer, stream, status string) {
	fmt.Fprintf(out, `{"type":"TRACE","trace":{"type":"STREAM_STATUS","emitted_at":1735850275276,`+
		`"stream_status":{"stream_descriptor":{"name":"%s"},"status":"%s"}}}`+"\n", stream, status)
}

// catalog is the configured catalog of the corpus; mode is append (incremental) or overwrite (full refresh).
func (c corpus) catalog(mode string) []byte {
	sync := "incremental"
	if mode == "overwrite" {
		sync = "full_refresh"
	}
	var streams []string
	for n := range c.streams {
		streams = append(streams, fmt.Sprintf(`{"stream":{"name":"%s","json_schema":{"type":"object"},`+
			`"supported_sync_modes":["full_refresh","incremental"]},"sync_mode":"%s","cursor_field":["id"],"destination_sync_mode":"%s"}`,
			streamName(n), sync, mode))
	}
	return []byte(`{"streams":[` + strings.Join(streams, ",") + `]}`)
}
