package manifest

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"

	"sync-sidecar/runner"
)

// Labels and annotations. The prefix is a name, as the API asks for with what is not the user's own.
const (
	LabelName      = "app.kubernetes.io/name"
	LabelInstance  = "app.kubernetes.io/instance"
	LabelComponent = "app.kubernetes.io/component"
	// AnnotationSync is the SYNC_ID as it is, which a label or a name may not hold.
	AnnotationSync = "sync-sidecar/sync"
	// AnnotationPackage is the connector.
	AnnotationPackage = "sync-sidecar/connector"
)

// notInName are the characters that no object's name may have.
var notInName = regexp.MustCompile(`[^a-z0-9]+`)

// ObjectName makes a name that Kubernetes takes (a DNS label of at most longest characters) of any text. What does not fit gets a digest, so that two
// long names stay apart.
func ObjectName(text string, longest int) string {
	const digest = 8
	name := strings.Trim(notInName.ReplaceAllString(strings.ToLower(text), "-"), "-")
	if name == "" {
		name = "sync"
	}
	if len(name) <= longest && name == text {
		return name
	}
	sum := sha256.Sum256([]byte(text))
	name = strings.TrimRight(name[:min(len(name), longest-digest-1)], "-")
	return name + "-" + hex.EncodeToString(sum[:digest/2])
}

// labels are those of every object.
func (o Options) labels(task runner.Task) map[string]string {
	labels := map[string]string{LabelName: "sync-sidecar", LabelInstance: o.name(task), LabelComponent: string(task.Command)}
	for name, value := range o.Placement.Labels {
		labels[name] = value
	}
	return labels
}

// annotations are those of the workload and its Pod.
func (o Options) annotations(task runner.Task) map[string]string {
	annotations := map[string]string{AnnotationSync: task.SyncID, AnnotationPackage: task.Image}
	for name, value := range o.Placement.Annotations {
		annotations[name] = value
	}
	return annotations
}
