package airbyte

import (
	"errors"
	"io"
	"strings"
	"testing"
)

// The report on an oversize line says which message it was, so that a person can be told that the SPEC is too long rather than that there is none. It
// says that a row may be lost unless the beginning of the line rules that out.
func TestOversizeLineTellsItsType(t *testing.T) {
	const limit = 8 << 10
	long := strings.Repeat("x", limit)
	// Also of a line that is kept whole since the limit is small.
	m, err := NewReader(strings.NewReader(`{"type":"SPEC","spec":{"a":"`+long[:2000]+`"}}`+" \n"), Options{MaxLineBytes: 1024}).Next()
	if err != nil || m.Type != TypeDefect || m.Defect.Type != TypeSpec || m.Defect.Lost || m.Defect.State {
		t.Errorf("a whole message: %+v, %v", m.Defect, err)
	}
	for name, test := range map[string]struct {
		line        string
		kind        Type
		lost, state bool
	}{
		"spec":                     {`{"type":"SPEC","spec":{"documentationUrl":"` + long, TypeSpec, false, false},
		"catalog":                  {`{"type":"CATALOG","catalog":{"streams":[{"name":"` + long, TypeCatalog, false, false},
		"status":                   {`{"type":"CONNECTION_STATUS","connectionStatus":{"message":"` + long, TypeConnectionStatus, false, false},
		"control":                  {`{"type":"CONTROL","control":{"connectorConfig":{"config":{"a":"` + long, TypeControl, false, false},
		"trace":                    {`{"type":"TRACE","trace":{"error":{"message":"` + long, TypeTrace, false, false},
		"log":                      {`{"type":"LOG","log":{"message":"` + long, TypeLog, false, false},
		"record":                   {`{"type":"RECORD","record":{"stream":"a","data":{"a":"` + long, TypeRecord, true, false},
		"state":                    {`{"type":"STATE","state":{"data":{"a":"` + long, TypeState, false, true},
		"lower case":               {`{ "type" : "spec" , "spec" : {"a":"` + long, TypeSpec, false, false},
		"damaged":                  {`{"type":"SPEC","spec":{"a":NaN,"b":"` + long, TypeSpec, false, false},
		"spec first":               {`{"spec":{"documentationUrl":"` + long, TypeSpec, false, false},
		"catalog first":            {`{ "catalog":{"streams":[{"type":"RECORD","name":"` + long, TypeCatalog, false, false},
		"status first":             {`{"connectionStatus":{"message":"` + long, TypeConnectionStatus, false, false},
		"record after another":     {`{"id":1,"record":{"stream":"a","data":{"a":"` + long, TypeRecord, true, false},
		"wrapped":                  {`{"level":"info","message":{"type":"CATALOG","catalog":{"streams":[{"name":"` + long, TypeCatalog, true, true},
		"behind prose":             {`INFO found {"type":"CATALOG","catalog":{"streams":[{"name":"` + long, TypeCatalog, true, true},
		"rest of a row":            {`"data":{"a":{"type":"LOG","b":"` + long, TypeLog, true, true},
		"a whole message and more": {`{"type":"LOG","log":{"message":"a"}} {"type":"RECORD","record":{"stream":"a","data":{"a":"` + long, "", true, true},
		"unknown type":             {`{"type":"ACTION","action":{"type":"SPEC","a":"` + long, "", false, false},
		"prose":                    {long + long, "", true, true},
		"type beyond the head":     {`{"x":"` + long + `","type":"SPEC"}`, "", true, true},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := NewReader(strings.NewReader(test.line+"\n"), Options{MaxLineBytes: limit}).Next()
			if err != nil || m.Type != TypeDefect || m.Defect.Kind != DefectOversizeLine {
				t.Fatalf("Next() = %+v, %v", m, err)
			}
			if d := m.Defect; d.Type != test.kind || d.Lost != test.lost || d.State != test.state {
				t.Errorf("type %q, a row may be lost: %v, a state: %v; want %q, %v, %v", d.Type, d.Lost, d.State, test.kind, test.lost, test.state)
			}
		})
	}
}

// The type of any other damaged message is told, too, also of a source that writes the payload first.
func TestDefectTellsItsType(t *testing.T) {
	for line, want := range map[string]Defect{
		`{"type":"SPEC","spec":{"a":`:                              {Kind: DefectBrokenLine, Type: TypeSpec},
		`{"spec":{"a":`:                                            {Kind: DefectBrokenLine, Type: TypeSpec},
		`{"log":{"level":"INFO","message":"cut`:                    {Kind: DefectBrokenLine, Type: TypeLog},
		`{"state":{"type":"STREAM","stream":{"a":`:                 {Kind: DefectBrokenLine, Type: TypeState, State: true},
		`{"record":{"stream":"a","data":{"a":`:                     {Kind: DefectBrokenLine, Type: TypeRecord, Lost: true},
		`{"type":"RECORD","record":{"stream":"a","data":[]}}`:      {Kind: DefectPayload, Type: TypeRecord, Lost: true},
		`{"type":"CATALOG","catalog":null}`:                        {Kind: DefectPayload, Type: TypeCatalog},
		`{"type":"STATE","state":{"data":{"a":NaN}}}`:              {Kind: DefectNumber, Type: TypeState, State: true},
		`{"type":"ACTION"}`:                                        {Kind: DefectUnknownType},
		`{"log":{"message":"a"}}{"type":"TRACE","trace":{"error":`: {Kind: DefectBrokenLine, Type: TypeTrace},
	} {
		m, err := lastMessage(NewReader(strings.NewReader(line+"\n"), Options{}))
		if err != nil || m.Type != TypeDefect {
			t.Errorf("%s: %+v, %v", line, m, err)
			continue
		}
		if d := m.Defect; d.Kind != want.Kind || d.Type != want.Type || d.Lost != want.Lost || d.State != want.State {
			t.Errorf("%s: %+v, want %+v", line, *d, want)
		}
	}
}

// Wherever the end of the output cuts a message, even in its first bytes, the loss is reported. It may be that of a row until the type is told.
func TestCutMessageIsReportedWhereverItIsCut(t *testing.T) {
	for _, row := range []string{
		`{"type":"RECORD","record":{"stream":"users","data":{"id":1},"emitted_at":1735850275276}}`,
		`{"type": "RECORD", "record": {"stream": "users", "data": {"id": 1}, "emitted_at": 1735850275276}}`,
		`{"record":{"data":{"id":1},"stream":"users","emitted_at":1735850275276},"type":"RECORD"}`,
		`{"type":"CONNECTION_STATUS","connectionStatus":{"status":"SUCCEEDED"}}`,
	} {
		for n := 1; n < len(row); n++ {
			m, err := lastMessage(NewReader(strings.NewReader(row+"\n"+row[:n]), Options{}))
			if err != nil || m.Type != TypeDefect || m.Defect.Kind != DefectCutLine || m.Defect.Lost != mayBeRow(m.Defect.Type) {
				t.Errorf("%s: %s, %v, want a lost message", row[:n], describe(&m), err)
			}
		}
	}
	for _, text := range []string{`{"level":"info"`, `{not json`, `{"types`, `{"type":"DEB`, `{"records":[`} {
		if m, err := lastMessage(NewReader(strings.NewReader(text), Options{})); err != nil || m.Type != TypeText {
			t.Errorf("%s: %s, %v, want text", text, describe(&m), err)
		}
	}
}

// lastMessage reads to the end.
func lastMessage(r *Reader) (Message, error) {
	var last Message
	for {
		m, err := r.Next()
		if errors.Is(err, io.EOF) {
			return last, nil
		}
		if err != nil {
			return last, err
		}
		last = *m
	}
}
