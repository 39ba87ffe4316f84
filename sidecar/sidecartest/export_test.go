package sidecartest

import "slices"

// PromiseNames are the names of all subtests of the suites.
func PromiseNames() []string {
	var names []string
	for _, p := range slices.Concat(loadPromises(), failurePromises(), placePromises(), endPromises()) {
		names = append(names, p.name)
	}
	for _, p := range slices.Concat(statePromises(), recordPromises(), lockPromises()) {
		names = append(names, p.name)
	}
	return names
}
