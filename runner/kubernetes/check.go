package kubernetes

import "context"

// Check asks the cluster for the Pods of runs, and says which cluster and namespace that was. The error says what to do.
func (r *Runner) Check(ctx context.Context) (where string, err error) {
	where = "namespace " + r.client.namespace + " of " + r.client.config.Host
	_, err = r.client.pods(ctx, "app.kubernetes.io/managed-by=sync-sidecar")
	return where, err
}
