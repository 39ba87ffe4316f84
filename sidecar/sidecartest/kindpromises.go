package sidecartest

import "sync-sidecar/sidecar"

// kinds checks that a run with another kind of state leaves nothing behind that would be given back beside it.
func (j *journalTest) kinds() {
	const global, legacy = sidecar.GlobalStateKey, sidecar.LegacyStateKey
	for _, step := range []struct{ save, want []string }{
		{[]string{"users", `1`, "orders", `1`}, []string{"users", `1`, "orders", `1`}},
		{[]string{global, `{"g":1}`}, []string{global, `{"g":1}`}},
		{[]string{global, `{"g":2}`}, []string{global, `{"g":2}`}},
		{[]string{"users", `2`}, []string{"users", `2`}},
		{[]string{"users", `null`}, nil},
		{[]string{legacy, `{"l":1}`}, []string{legacy, `{"l":1}`}},
		{[]string{legacy, `{"l":2}`}, []string{legacy, `{"l":2}`}},
		{[]string{global, `{"g":3}`}, []string{global, `{"g":3}`}},
		{[]string{global, `null`}, nil},
	} {
		journal := j.open("task") // a source changes its kind between two runs
		j.save(journal, step.save...)
		j.holds(journal, step.want...)
		j.must(journal.Close(j.within()))
	}
}
