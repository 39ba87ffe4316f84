package states

import (
	"strings"
	"testing"
)

// The output of a connector that was kept holds states between other messages: the last of each counts.
func TestFromLines(t *testing.T) {
	t.Parallel()
	message := func(name, state string) string { return `{"type":"STATE","state":` + entry(name, state) + "}\n" }
	for name, test := range map[string]struct {
		output string
		want   string
		are    bool
	}{
		"messages": {"\n" + `{"type":"LOG","log":{}}` + "\r\n" + message("a", `1`) + message("b", `2`) + message("a", `3`), "+ a 3 + b 2", true},
		"GLOBAL": {strings.Repeat(`{"type":"STATE","state":{"type":"GLOBAL","global":{"shared_state":1}}}`+"\n", 2),
			`+ _GLOBAL_STATE {"shared_state":1}`, true},
		"one document":      {message("a", `1`), "", false},
		"one of many lines": {"[\n" + message("a", `1`) + "]", "", false},
		"prose":             {message("a", `1`) + "done\n", "", false},
		"other lines":       {"{}\n{}\n", "", false},
		"no state":          {strings.Repeat(`{"type":"LOG","log":{}}`+"\n", 2), "", false},
		"nothing":           {"", "", false},
	} {
		states, are := FromLines([]byte(test.output))
		change, _ := Import(nil, states, nil)
		if got := strings.Join(described(change), " "); are != test.are || got != test.want {
			t.Errorf("%s: %q, %t", name, got, are)
		}
	}
}
