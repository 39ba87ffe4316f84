package layout

// put gives a value to the column of its key.
func (w *walker) put(n *node, v value) {
	if n.column == unresolved {
		n.column = w.plan.lookup(n.path, false)
	}
	switch n.column {
	case missing:
		if v.kind != kindNull {
			w.addLoose(loose{value: v, node: n, name: n.path, reason: newKey})
		}
		return
	case overflow:
		if v.kind != kindNull {
			w.addLoose(loose{value: v, node: n, name: n.path, reason: noColumn})
		}
		return
	}
	s := &w.slots[n.column]
	w.seen[n.column] = true
	if s.row == w.row && s.kind != kindNull && (s.node != n.id || n.id < 0) && !w.alike(s, n) {
		if v.kind == kindNull {
			return
		}
		w.collide(n.column)
	}
	*s = slot{value: v, row: w.row, node: n.id}
}

// alike says that the value of a slot is of the same key, spelled with other escapes.
func (w *walker) alike(s *slot, n *node) bool {
	return s.node >= 0 && w.nodes[s.node].path == n.path && w.nodes[s.node].parent == n.parent
}

// collide keeps the value of a key whose column another key of the row takes.
func (w *walker) collide(column int) {
	s := &w.slots[column]
	lost := loose{value: s.value, name: w.plan.columns[column].Name, reason: sameColumn}
	if s.node >= 0 {
		lost.node = w.nodes[s.node]
		lost.name = lost.node.path
	}
	w.addLoose(lost)
}

// addLoose adds a value that has no column.
func (w *walker) addLoose(l loose) {
	if l.node == nil {
		w.loose = append(w.loose, l)
		return
	}
	if at := l.node.loose; at < len(w.loose) && w.loose[at].node == l.node {
		w.loose[at] = l
		return
	}
	l.node.loose = len(w.loose)
	w.loose = append(w.loose, l)
}

// addColumns makes columns of the keys that have none, once the whole row was walked over: a later member of the same key may have replaced a value.
func (w *walker) addColumns() {
	for i := range w.loose {
		l := w.loose[i]
		if l.reason != newKey || l.kind == kindNone {
			continue
		}
		w.loose[i].kind = kindNone
		l.node.column = w.plan.lookup(l.node.path, true)
		for len(w.slots) < len(w.plan.columns) {
			w.slots, w.seen = append(w.slots, slot{}), append(w.seen, false)
		}
		w.put(l.node, l.value)
	}
}

// lacks says that a key of the row has no column yet.
func (w *walker) lacks() bool {
	for i := range w.loose {
		if w.loose[i].reason == newKey && w.loose[i].kind != kindNone {
			return true
		}
	}
	return false
}

// forget takes back what the row had at a key before.
func (w *walker) forget(n *node) {
	if n.column >= 0 {
		if s := &w.slots[n.column]; s.row == w.row && s.node == n.id {
			s.row--
		}
	}
	if n.loose < len(w.loose) && w.loose[n.loose].node == n {
		w.loose[n.loose].kind = kindNone
	}
	for _, child := range n.touched {
		w.forget(child)
		child.row--
	}
}
