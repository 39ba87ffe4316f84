package runner

// Image is what a connector's image says of itself.
type Image struct {
	Entrypoint []string
	// Announced is AIRBYTE_ENTRYPOINT, by which Airbyte's and Jitsu's pods start a connector; empty when the image does not set it.
	Announced    string
	Architecture string // of the image, as amd64
	Machine      string // that of the Engine
	Labels       map[string]string
}
