package layout

// Walk finds the values of a row, and writes none.
func (e *Encoder) Walk(row []byte) error { return e.walk(row) }
