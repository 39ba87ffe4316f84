package layout

// append appends a value that is not null to its column.
func (e *Encoder) append(line []byte, at int, c *field, v value) ([]byte, outcome) {
	switch c.class {
	case classText:
		return e.appendText(line, at, c, v)
	case classInt:
		return e.appendInt(line, c, v)
	case classFloat:
		return e.appendFloat(line, c, v)
	case classNumeric:
		return e.appendNumeric(line, c, v)
	case classBool:
		return e.appendBool(line, v)
	case classStamp, classDate:
		return e.appendMoment(line, at, c, v)
	case classJSON:
		return e.appendJSON(line, at, c, v)
	case classTime:
		return e.appendTime(line, c, v)
	case classUUID:
		return e.appendUUID(line, v)
	case classNetwork:
		return e.appendNetwork(line, c, v)
	case classBytes:
		return e.appendBytes(line, v)
	case classEnum:
		return e.appendLabel(line, c, v)
	case classArray:
		return e.appendArray(line, at, c, v)
	case classOther:
	}
	return e.appendText(line, at, c, v) // the server will say
}

// appendBool appends a value to a column of booleans.
func (e *Encoder) appendBool(line []byte, v value) ([]byte, outcome) {
	switch v.kind {
	case kindTrue:
		return append(line, 't'), fits
	case kindFalse:
		return append(line, 'f'), fits
	case kindInt, kindFloat:
		if n, ok := readDecimal(e.digits[:0], e.json[v.from:v.to]).integer(8); ok && n == 0 || n == 1 {
			return append(line, "ft"[n]), fits
		}
	case kindString:
		switch string(e.plain(v)) {
		case "1", "t", "T", "TRUE", "true", "True":
			return append(line, 't'), fits
		case "0", "f", "F", "FALSE", "false", "False":
			return append(line, 'f'), fits
		}
	}
	return line, misfit
}
