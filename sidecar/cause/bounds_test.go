package cause

import (
	"fmt"
	"strings"
	"testing"
)

// Whatever a source prints, a Tail stays small.
func TestTailIsBounded(t *testing.T) {
	var tail Tail
	for n := range 10_000 {
		tail.Add(fmt.Sprintf("a.b.Error%d: %s", n, strings.Repeat("x", 10*Limit)), true)
		tail.Add("Caused by: "+strings.Repeat("a.b.Error: ", Limit), false)
		tail.Add(strings.Repeat("more\n", 100), false)
		tail.Add("Traceback (most recent call last):\n  File \""+strings.Repeat("x", 10*Limit), false)
		tail.Add("SyntaxError: x", false)
		tail.Add("The above exception was the direct cause of the following exception:", false)
	}
	size := len(tail.root) + cap(tail.place) + cap(tail.last) + len(tail.found.head) + len(tail.found.within) + len(tail.found.root)
	for _, part := range tail.found.parts {
		size += len(part)
	}
	if size > (maxParts+10)*2*Limit || len(tail.found.parts) > maxParts || len(tail.Cause()) > Limit || len(tail.LastLine()) > Limit {
		t.Errorf("%d bytes are kept, the cause has %d", size, len(tail.Cause()))
	}
}

// A flood of log lines costs no memory.
func TestLinesDoNotAllocate(t *testing.T) {
	var tail Tail
	lines := floods()
	n := 0
	if allocs := testing.AllocsPerRun(1000, func() {
		tail.Add(lines[n%len(lines)], false)
		n++
	}); allocs != 0 {
		t.Errorf("%v allocations a line", allocs)
	}
}

// floods are lines as sources log them, none of which is a cause.
func floods() []string {
	return []string{
		"2024-05-01 10:11:12,345 [main] INFO  i.a.c.i.b.IntegrationRunner(run):87 - read 1000 records in 12 ms",
		"DEBUG:urllib3.connectionpool:https://api.example.com:443 \"GET /v1/users?page=12 HTTP/1.1\" 200 None",
		"reading page 12 of users, 100 rows so far, " + strings.Repeat("and so on, ", 10),
		"  indented: detail of something",
		"Fetching https://api.example.com/v1/users?page=12: done",
	}
}

func BenchmarkTail(b *testing.B) {
	var tail Tail
	lines := floods()
	size := 0
	b.ReportAllocs()
	for n := range b.N {
		line := lines[n%len(lines)]
		tail.Add(line, false)
		size += len(line) + 1
	}
	b.SetBytes(int64(size / b.N))
}

func FuzzTail(f *testing.F) {
	for _, name := range []string{"python-group", "python-pool", "java-chain", "node-causes", "rust-assert", "go-again", "python-argparse"} {
		f.Add(read(f, name+".txt"), 7)
	}
	f.Add("Caused by:\n  0: x\n^\n  ^\nx\n  at a.b\n", 0)
	f.Fuzz(func(t *testing.T, output string, failed int) {
		var tail Tail
		for n, line := range strings.Split(output, "\n") {
			tail.Add(line, n == failed)
			for _, text := range []string{tail.Cause(), tail.LastLine()} {
				if len(text) > Limit || strings.Contains(text, "\n") {
					t.Fatalf("%d bytes: %q", len(text), text)
				}
			}
		}
		if len(tail.found.parts) > maxParts {
			t.Fatalf("%d lines are kept", len(tail.found.parts))
		}
		tail.AddMessage(output, true)
		_ = tail.Cause()
	})
}
