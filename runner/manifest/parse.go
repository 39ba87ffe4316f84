package manifest

import (
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// When the kubelet fetches an image.
const (
	PullMissing = corev1.PullIfNotPresent
	PullAlways  = corev1.PullAlways
	PullNever   = corev1.PullNever
)

// ResourceList is amounts by name: cpu, memory.
type ResourceList = corev1.ResourceList

// ParseQuantity reads a size as in 512Mi or 20Gi. The error says so.
func ParseQuantity(text string) (resource.Quantity, error) {
	quantity, err := resource.ParseQuantity(text)
	if err != nil || quantity.Sign() <= 0 {
		return resource.Quantity{}, errors.New("write a size above zero, as in 512Mi or 20Gi")
	}
	return quantity, nil
}

// Memory is a list with so many bytes of memory in it.
func Memory(bytes int64) corev1.ResourceList {
	return corev1.ResourceList{corev1.ResourceMemory: *resource.NewQuantity(bytes, resource.BinarySI)}
}

// ParseResources reads cpu=…,memory=…; nil when there are none. The error names the part that it cannot read.
func ParseResources(text string) (corev1.ResourceList, error) {
	var list corev1.ResourceList
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		quantity, err := resource.ParseQuantity(value)
		if err != nil || quantity.Sign() <= 0 {
			return nil, fmt.Errorf("%q: write cpu=500m,memory=1Gi", part)
		}
		if list == nil {
			list = corev1.ResourceList{}
		}
		list[corev1.ResourceName(name)] = quantity
	}
	return list, nil
}

// AddToleration reads KEY[=VALUE][:EFFECT], as `kubectl taint` writes taints, and adds it.
func (p *Placement) AddToleration(text string) {
	rest, effect, _ := strings.Cut(text, ":")
	key, value, valued := strings.Cut(rest, "=")
	t := corev1.Toleration{Key: key, Operator: corev1.TolerationOpExists, Effect: corev1.TaintEffect(effect)}
	if valued {
		t.Operator, t.Value = corev1.TolerationOpEqual, value
	}
	p.Tolerations = append(p.Tolerations, t)
}
