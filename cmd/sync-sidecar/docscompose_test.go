package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// passedByCompose are the settings that compose.yaml takes from .env, but for those that the head of the Compose project's .env.example explains.
func passedByCompose(t *testing.T, settings []setting) []setting {
	t.Helper()
	yaml, err := os.ReadFile(composeFile)
	if err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile(composeEnv)
	if err != nil {
		t.Fatal(err)
	}
	head, _, _ := strings.Cut(string(example), envMark)
	passed, explained := variables(`(?m)^      ([A-Z_]+):$`, string(yaml)), variables(`(?m)^#?([A-Z_]+)=`, head)
	return slices.DeleteFunc(slices.Clone(settings), func(s setting) bool {
		return !slices.Contains(passed, s.variable) || slices.Contains(explained, s.variable)
	})
}

// What the head of the Compose project's .env.example lists is what the Compose files take, and they take nothing that it does not list.
func TestDocsListWhatComposeTakes(t *testing.T) {
	content, err := os.ReadFile(composeEnv)
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("../../compose/*.yaml")
	if err != nil || len(files) < 6 {
		t.Fatalf("Compose files: %v, %v", files, err)
	}
	taken := []string{"COMPOSE_FILE", "COMPOSE_PATH_SEPARATOR"} // by Compose itself
	for _, path := range files {
		yaml, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		taken = append(taken, variables(`\$\{([A-Z_]+)`, string(yaml))...)
		taken = append(taken, variables(`(?m)^      ([A-Z_]+):(?: #.*)?$`, string(yaml))...)
	}
	listed := variables(`(?m)^#?([A-Z_]+)=`, string(content))
	for _, variable := range listed {
		if !slices.Contains(taken, variable) {
			t.Errorf("%s is listed, and no Compose file takes it", variable)
		}
	}
	for _, variable := range taken {
		if !slices.Contains(listed, variable) {
			t.Errorf("a Compose file takes %s, which %s does not list", variable, composeEnv)
		}
	}
}
