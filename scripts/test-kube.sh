#!/usr/bin/env bash
# test-kube.sh runs the tests that need a Kubernetes cluster: on that of TEST_KUBECONFIG, whose nodes must have the images (TEST_KUBE_IMAGE and
# TEST_KUBE_DEMO_IMAGE name them) and reach this machine (at TEST_KUBE_HOST), or else on one that is built and started here.
set -euo pipefail

cd "$(dirname "$0")/.."
export TEST_KUBE_IMAGE=${TEST_KUBE_IMAGE:-sync-sidecar:latest} TEST_KUBE_DEMO_IMAGE=${TEST_KUBE_DEMO_IMAGE:-sync-sidecar/source-demo:dev}
if [ -z "${TEST_KUBECONFIG:-}" ]; then
	TEST_KUBECONFIG=$(scripts/require-kubernetes.sh)
	export TEST_KUBECONFIG
	# In CI nothing may stay behind; a developer's next run is faster when it does.
	[ "${CI:-}" != true ] || trap 'scripts/require-kubernetes.sh stop' EXIT
	TEST_KUBE_KUBELET=$(scripts/require-kubernetes.sh kubelet) # which one test stops for a while
	export TEST_KUBE_KUBELET
	scripts/require-kubernetes.sh load "$TEST_KUBE_IMAGE" "$TEST_KUBE_DEMO_IMAGE" airbyte/source-faker:dev
fi
# Pods mostly wait, so that more of them than there are processors run side by side.
go test -count=1 -timeout 20m -parallel 5 -run 'Kubernetes|OnACluster' "$@" ./cmd/sync-sidecar
