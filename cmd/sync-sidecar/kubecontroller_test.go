package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// The Pod that Jitsu's sync-controller makes (jitsucom/bulker, sync-controller/job_runner.go, createPod) but for the pull policy: no registry has our
// images. Its init container is of an image with a shell, here that of source-faker.
func TestControllersPodOnACluster(t *testing.T) {
	t.Parallel()
	k := newKubeLine(t)
	k.allowRoot()
	shell := cmp.Or(os.Getenv("TEST_KUBE_SHELL_IMAGE"), "airbyte/source-faker:dev")
	files := map[string]string{"config.json": `{"count":50,"records_per_slice":10,"parallelism":1}`, "state.json": `{}`,
		"catalog.json": `{"streams":[{"stream":{"name":"users","json_schema":{},"supported_sync_modes":["full_refresh","incremental"]},
			"sync_mode":"incremental","destination_sync_mode":"append_dedup","cursor_field":["updated_at"],"primary_key":[["id"]]}]}`}
	body, err := json.Marshal(map[string]any{"metadata": map[string]any{"name": "given"}, "stringData": files})
	if err != nil {
		t.Fatal(err)
	}
	k.mustCreate(k.path("secrets"), string(body))
	for command, arguments := range map[string]string{"spec": "spec", "check": "check --config /config/config.json",
		"discover": "discover --config /config/config.json",
		"read":     "read --config /config/config.json --catalog /config/catalog.json --state /config/state.json"} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			s := k.serve(t)
			mounts := []map[string]any{{"name": "pipes", "mountPath": "/pipes"}, {"name": "configmap", "mountPath": "/configmap"},
				{"name": "config", "mountPath": "/config"}}
			var env []map[string]any
			variables := append(controllersVariables(), "STDOUT_PIPE_FILE", "/pipes/stdout", "STDERR_PIPE_FILE", "/pipes/stderr", "COMMAND", command,
				"PACKAGE", "airbyte/source-faker", "PACKAGE_VERSION", "7", "DATABASE_URL", s.databaseURL, "SYNC_ID", "sync-1", "TASK_ID", "task-1",
				"STORAGE_KEY", "key-1", "BULKER_URL", s.bulkerURL)
			for i := 0; i < len(variables); i += 2 {
				env = append(env, map[string]any{"name": variables[i], "value": variables[i+1]})
			}
			pod, err := json.Marshal(map[string]any{"metadata": map[string]any{"name": "controllers-" + command}, "spec": map[string]any{
				"restartPolicy": "Never", "terminationGracePeriodSeconds": 60,
				"initContainers": []any{map[string]any{"name": "init", "image": shell, "imagePullPolicy": "Never", "volumeMounts": mounts,
					"securityContext": map[string]any{"runAsUser": 0},
					"command": []string{"sh", "-c", `mkfifo /pipes/stdout; mkfifo /pipes/stderr; chmod 777 /pipes/*; cp /configmap/* /config/; ` +
						`gunzip /config/*.gz; chmod 777 /config/*; echo "OK"`}}},
				"containers": []any{
					map[string]any{"name": "source", "image": "airbyte/source-faker:dev", "imagePullPolicy": "Never", "volumeMounts": mounts,
						"command": []string{"sh", "-c", fmt.Sprintf(`eval "$AIRBYTE_ENTRYPOINT %s" 2> /pipes/stderr > /pipes/stdout`, arguments)}},
					map[string]any{"name": "sidecar", "image": k.image, "imagePullPolicy": "Never", "volumeMounts": mounts, "env": env,
						"resources": map[string]any{"limits": map[string]any{"cpu": "500m", "memory": "4Gi"}, "requests": map[string]any{"cpu": "0", "memory": "0"}}},
				},
				"volumes": []any{map[string]any{"name": "pipes", "emptyDir": map[string]any{}}, map[string]any{"name": "config", "emptyDir": map[string]any{}},
					map[string]any{"name": "configmap", "secret": map[string]any{"secretName": "given"}}},
			}})
			if err != nil {
				t.Fatal(err)
			}
			k.mustCreate(k.path("pods"), string(pod))
			p := &kubePod{t: t, k: k, name: "controllers-" + command}
			p.want(corev1.PodSucceeded, exitOK)
			if command == "read" {
				s.wantTask(t, "task-1", "SUCCESS")
				if rows, err := s.bulker.Count("users"); err != nil || rows != 50 {
					t.Errorf("%d rows, %v", rows, err)
				}
			}
		})
	}
}

// allowRoot lets the namespace run Pods of any kind, as the controller's need.
func (k *kubeLine) allowRoot() {
	k.t.Helper()
	var namespace corev1.Namespace
	err := k.call(http.MethodGet, "/api/v1/namespaces/"+k.namespace, "", &namespace)
	if err == nil {
		delete(namespace.Labels, "pod-security.kubernetes.io/enforce")
		var body []byte
		if body, err = json.Marshal(namespace); err == nil {
			err = k.call(http.MethodPut, "/api/v1/namespaces/"+k.namespace, string(body), nil)
		}
	}
	if err != nil {
		k.t.Fatal(err)
	}
}
