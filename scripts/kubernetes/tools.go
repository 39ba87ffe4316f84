//go:build tools

// Package kubernetes names the programs of a Kubernetes control plane and node that scripts/require-kubernetes.sh builds: a module of its own, so that
// their dependencies are not the project's.
package kubernetes

import (
	_ "k8s.io/kubernetes/cmd/kube-apiserver"
	_ "k8s.io/kubernetes/cmd/kube-controller-manager"
	_ "k8s.io/kubernetes/cmd/kube-scheduler"
	_ "k8s.io/kubernetes/cmd/kubelet"
)
