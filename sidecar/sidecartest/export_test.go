package sidecartest

// PromiseNames are the names of all subtests of the suites.
func PromiseNames() []string {
	var names []string
	for _, p := range destinationPromises() {
		names = append(names, p.name)
	}
	for _, p := range journalPromises() {
		names = append(names, p.name)
	}
	return names
}
