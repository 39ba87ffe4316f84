package volume

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAnswer(t *testing.T) {
	t.Parallel()
	question := filepath.Join(t.TempDir(), "question")
	if err := Answer(question); err == nil || !strings.Contains(err.Error(), "folder of the caller") {
		t.Errorf("without a question: %v", err)
	}
	if err := os.WriteFile(question, []byte("who?"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Answer(question); err != nil {
		t.Fatal(err)
	}
	if answer, err := os.ReadFile(question + ".answer"); err != nil || string(answer) != "who?" {
		t.Errorf("%q, %v", answer, err)
	}
}
