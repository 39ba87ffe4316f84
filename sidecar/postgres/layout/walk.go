package layout

import (
	"errors"
	"math"
	"strings"
	"unicode/utf8"
)

// errRow is a row that is no JSON object on one line.
var errRow = errors.New("row is no JSON object")

const (
	// maxFlatten is how deep objects are flattened. Deeper ones stay text: nobody's columns are that deep.
	maxFlatten = 200
	// maxNodes and maxSpelled bound what is remembered of the keys of rows, which a connector could make as many as its rows, or as long: so many keys,
	// and so many bytes of their names.
	maxNodes, maxSpelled = 1 << 14, 4 << 20
	// keptLoose is how many values without a column keep their room from row to row.
	keptLoose = 1 << 12
)

// node is a key of the rows, at its place: what was once found out about it.
type node struct {
	parent  *node
	spelled string // as it stands in rows, with its escapes
	path    string // the flattened key, as Bulker joins it
	depth   int
	whole   bool  // an object here is one value
	at      int   // its place in the parent's order
	column  int   // the index, or one of the constants above
	id      int32 // negative for one that is seen this once
	row     int64 // the row in which it was seen last

	children map[string]*node // by their spelling
	order    []*node          // in the order in which rows were seen to have them
	touched  []*node          // those that the row has, unless this is the root
	loose    int              // where its value is in walker.loose, if it is there
}

// slot is the value of a column in the row.
type slot struct {
	value
	row  int64 // the row that it is from
	node int32
}

// loose is a value that has no column of its own in the row.
type loose struct {
	value
	node   *node
	name   string
	reason reason
}

// walker finds the value of each column in a row.
type walker struct {
	plan  *Plan
	learn bool // unknown keys become columns
	root  *node
	nodes []*node
	size  int // of the names of nodes
	slots []slot
	seen  []bool // by column: its key was in some row
	loose []loose
	row   int64
	json  []byte
}

func newWalker(p *Plan, learn bool) walker {
	return walker{plan: p, learn: learn, root: &node{}, slots: make([]slot, len(p.columns)), seen: make([]bool, len(p.columns))}
}

// walk takes a row apart into slots and loose.
func (w *walker) walk(row []byte) error {
	if cap(w.loose) > keptLoose {
		w.loose = nil
	}
	w.json, w.loose = row, w.loose[:0]
	w.row++
	i := skipSpace(row, 0)
	if i >= len(row) || row[i] != '{' || len(row) > math.MaxInt32 {
		return errRow
	}
	end := w.object(w.root, i+1)
	if end < 0 || skipSpace(row, end) != len(row) {
		return errRow
	}
	if w.learn {
		w.addColumns()
	}
	return nil
}

// object walks over the members of an object, from after its brace; negative when it is broken.
func (w *walker) object(parent *node, i int) int {
	b := w.json
	if i = skipSpace(b, i); i < len(b) && b[i] == '}' {
		return i + 1
	}
	next := 0
	for {
		if i >= len(b) || b[i] != '"' {
			return -1
		}
		child, end := w.member(parent, i+1, next)
		if child == nil {
			return -1
		}
		next = child.at + 1
		if i = end; i >= len(b) || b[i] != ':' {
			if i = skipSpace(b, i); i >= len(b) || b[i] != ':' {
				return -1
			}
		}
		if i++; i < len(b) && b[i] <= ' ' {
			i = skipSpace(b, i)
		}
		switch {
		case child.row == w.row:
			w.forget(child) // of equal keys the last one counts
		case parent != w.root:
			parent.touched = append(parent.touched, child)
		}
		child.row = w.row
		if child.touched = child.touched[:0]; cap(child.touched) > keptLoose {
			child.touched = nil
		}
		if i = w.value(child, i); i < 0 {
			return -1
		}
		if i < len(b) && b[i] <= ' ' {
			i = skipSpace(b, i)
		}
		if i >= len(b) || b[i] != ',' {
			break
		}
		if i++; i < len(b) && b[i] <= ' ' {
			i = skipSpace(b, i)
		}
	}
	if i >= len(b) || b[i] != '}' {
		return -1
	}
	return i + 1
}

// value takes the value of a member, or walks into it.
func (w *walker) value(n *node, i int) int {
	if i < len(w.json) && w.json[i] == '{' && !n.whole {
		return w.object(n, i+1)
	}
	v, ok := scanValue(w.json, i)
	if !ok {
		return -1
	}
	w.put(n, v)
	return int(v.to)
}

// member finds the node of the key that begins at i, after its quote, and the index after the closing quote. Rows mostly have their keys in the same
// order, so the node is most likely the next one.
func (w *walker) member(parent *node, i, next int) (*node, int) {
	b := w.json
	if next < len(parent.order) {
		likely := parent.order[next]
		if end := i + len(likely.spelled); end < len(b) && b[end] == '"' && string(b[i:end]) == likely.spelled {
			return likely, end + 1
		}
	}
	end, _ := skipString(b, i)
	if end < 0 {
		return nil, -1
	}
	spelled := b[i : end-1]
	if known, ok := parent.children[string(spelled)]; ok {
		return known, end
	}
	return w.grow(parent, string(spelled), next), end
}

// grow makes the node of a new key.
func (w *walker) grow(parent *node, spelled string, next int) *node {
	name := spelled
	if strings.IndexByte(spelled, '\\') >= 0 {
		name = string(unescape(nil, []byte(spelled)))
	}
	name = w.plan.fold(strings.ToValidUTF8(name, string(utf8.RuneError)))
	n := &node{parent: parent, spelled: spelled, path: join(parent.path, name), depth: parent.depth + 1, column: unresolved,
		at: next, id: int32(len(w.nodes))}
	n.whole = n.depth >= maxFlatten || w.plan.whole[n.path]
	if w.size += len(n.spelled) + len(n.path); len(w.nodes) >= maxNodes || w.size > maxSpelled {
		n.id = -1
		return n // seen this once
	}
	w.nodes = append(w.nodes, n)
	if parent.children == nil {
		parent.children = map[string]*node{}
	}
	n.at = len(parent.order)
	parent.order = append(parent.order, n)
	parent.children[spelled] = n
	return n
}
