package session

import (
	"errors"
	"strings"
	"testing"
)

func TestDropLargest(t *testing.T) {
	t.Parallel()
	row := []byte(`{"id":7,"a":"` + strings.Repeat("x", 500) + `","b":{"c":"` + strings.Repeat("y", 300) + `"},"d":1e400}`)
	smaller, dropped, err := dropLargest(row, 200, [][]string{{"id"}})
	if err != nil || string(smaller) != `{"id":7,"a":null,"b":null,"d":1e400}` || strings.Join(dropped, ",") != "a,b" {
		t.Fatalf("%s, dropped %v, %v", smaller, dropped, err)
	}
	if smaller, dropped, err = dropLargest(row, 400, nil); err != nil || strings.Join(dropped, ",") != "a" || len(smaller) > 400 {
		t.Fatalf("%s, dropped %v, %v", smaller, dropped, err)
	}
	if _, _, err = dropLargest([]byte(`{"id":"`+strings.Repeat("x", 500)+`"}`), 100, [][]string{{"id"}}); !errors.Is(err, errAllKeys) {
		t.Fatalf("a key was dropped: %v", err)
	}
}
