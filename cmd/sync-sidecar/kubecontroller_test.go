package main

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"

	"sync-sidecar/sidecar/postgres/postgrestest"
)

// controllersTask is what Jitsu's sync-controller makes a Pod of for one command (jitsucom/bulker, sync-controller/job_runner.go, createPod).
type controllersTask struct {
	arguments string   // of the connector
	files     []string // of the configuration, which are in the Secret as NAME, and in the Pod as NAME.json.gz
	variables []string // that this command's sidecar has beside those that all have
}

// controllersTasks are by their command. No one has BULKER_URL, and what has no value is not set.
func controllersTasks() map[string]controllersTask {
	return map[string]controllersTask{
		"spec":     {"spec", nil, nil},
		"check":    {"check --config /config/config.json", []string{"config"}, []string{"STORAGE_KEY", "key-1"}},
		"discover": {"discover --config /config/config.json", []string{"config"}, []string{"STORAGE_KEY", "key-1"}},
		"read": {"read --config /config/config.json --catalog /config/catalog.json --state /config/state.json",
			[]string{"config", "catalog", "state", "destinationConfig"},
			[]string{"SYNC_ID", "sync-1", "TASK_ID", "task-1", "NAMESPACE", "raw_${SOURCE_NAMESPACE}"}},
	}
}

// controllersFiles are what the console gives the controller for a read: it names the table of each stream, and overwrites.
func controllersFiles(t *testing.T, s *kubeServers) map[string]string {
	t.Helper()
	return map[string]string{"config": `{"count":50,"records_per_slice":10,"parallelism":1}`, "state": `{}`,
		"destinationConfig": controllersDestination(t, s.databaseURL),
		"catalog": `{"streams":[{"stream":{"name":"users","namespace":"shop","table_name":"people","json_schema":{},
			"supported_sync_modes":["full_refresh","incremental"],"source_defined_primary_key":[["id"]]},
			"sync_mode":"incremental","destination_sync_mode":"overwrite","cursor_field":["updated_at"]}]}`}
}

// secretOf creates the Secret with the files, gzipped, and returns how a volume shows them.
func (k *kubeLine) secretOf(t *testing.T, name string, files []string, contents map[string]string) []map[string]string {
	t.Helper()
	data, items := map[string][]byte{}, []map[string]string{}
	for _, file := range files {
		var packed bytes.Buffer
		writer := gzip.NewWriter(&packed)
		if _, err := writer.Write([]byte(contents[file])); err != nil {
			t.Fatal(err)
		}
		if err := writer.Close(); err != nil {
			t.Fatal(err)
		}
		data[file] = packed.Bytes()
		items = append(items, map[string]string{"key": file, "path": file + ".json.gz"})
	}
	body, err := json.Marshal(map[string]any{"metadata": map[string]any{"name": name}, "immutable": true, "data": data})
	if err != nil {
		t.Fatal(err)
	}
	k.mustCreate(k.path("secrets"), string(body))
	return items
}

// controllersPod is the Pod but for the pull policy: no registry has our images. Its init container is of an image with a shell, here that of
// source-faker.
func (k *kubeLine) controllersPod(t *testing.T, s *kubeServers, command string) *kubePod {
	t.Helper()
	task, name := controllersTasks()[command], "airbyte-source-faker-"+command
	init := `mkfifo /pipes/stdout; mkfifo /pipes/stderr; chmod 777 /pipes/*; `
	mounts := []map[string]any{{"name": "pipes", "mountPath": "/pipes"}}
	volumes := []any{map[string]any{"name": "pipes", "emptyDir": map[string]any{}}}
	if len(task.files) > 0 {
		init += `cp /configmap/* /config/; gunzip /config/*.gz; chmod 777 /config/*; `
		mounts = append(mounts, map[string]any{"name": "configmap", "mountPath": "/configmap"}, map[string]any{"name": "config", "mountPath": "/config"})
		volumes = append(volumes, map[string]any{"name": "config", "emptyDir": map[string]any{}}, map[string]any{"name": "configmap",
			"secret": map[string]any{"secretName": name + "-config", "items": k.secretOf(t, name+"-config", task.files, controllersFiles(t, s))}})
	}
	var env []map[string]any
	variables := slices.Concat(controllersVariables(), task.variables, []string{"STDOUT_PIPE_FILE", "/pipes/stdout", "STDERR_PIPE_FILE", "/pipes/stderr",
		"COMMAND", command, "PACKAGE", "airbyte/source-faker", "PACKAGE_VERSION", "7", "DATABASE_URL", s.databaseURL,
		"STARTED_AT", time.Now().Format(time.RFC3339)})
	for i := 0; i < len(variables); i += 2 {
		env = slices.DeleteFunc(env, func(one map[string]any) bool { return one["name"] == variables[i] })
		env = append(env, map[string]any{"name": variables[i], "value": variables[i+1]})
	}
	shell := cmp.Or(os.Getenv("TEST_KUBE_SHELL_IMAGE"), "airbyte/source-faker:dev")
	meta := map[string]any{"name": name, "labels": map[string]any{"jitsu.com/creator": "bulker-sync-controller"}}
	pod, err := json.Marshal(map[string]any{"metadata": meta,
		"spec": map[string]any{"restartPolicy": "Never", "terminationGracePeriodSeconds": 60, "volumes": volumes,
			"initContainers": []any{map[string]any{"name": "init", "image": shell, "imagePullPolicy": "Never", "volumeMounts": mounts,
				"securityContext": map[string]any{"runAsUser": 0}, "command": []string{"sh", "-c", init + `echo "OK"`}}},
			"containers": []any{
				map[string]any{"name": "source", "image": "airbyte/source-faker:dev", "imagePullPolicy": "Never", "volumeMounts": mounts,
					"env": []any{map[string]any{"name": "USE_STREAM_CAPABLE_STATE", "value": "true"}, map[string]any{"name": "AUTO_DETECT_SCHEMA",
						"value": "true"}, map[string]any{"name": "JAVA_OPTS", "value": "-Xmx7000m"}},
					"command": []string{"sh", "-c", fmt.Sprintf(`eval "$AIRBYTE_ENTRYPOINT %s" 2> /pipes/stderr > /pipes/stdout`, task.arguments)}},
				map[string]any{"name": "sidecar", "image": k.image, "imagePullPolicy": "Never", "volumeMounts": mounts, "env": env,
					"resources": map[string]any{"limits": map[string]any{"cpu": "500m", "memory": "4Gi"}, "requests": map[string]any{"cpu": "0", "memory": "0"}}},
			}}})
	if err != nil {
		t.Fatal(err)
	}
	k.mustCreate(k.path("pods"), string(pod))
	return &kubePod{t: t, k: k, name: name}
}

// The image stands in for upstream's in each Pod that the controller makes: the Pod ends well, and what the console looks for is in the database.
func TestControllersPodOnACluster(t *testing.T) {
	t.Parallel()
	k := newKubeLine(t)
	k.allowRoot()
	for command, test := range map[string]struct{ sql, want string }{
		"spec":  {`select package, version, specs is not null, error is null from source_spec`, "airbyte/source-faker|7|t|t"},
		"check": {`select package, version, key, status from source_check`, "airbyte/source-faker|7|key-1|SUCCESS"},
		"discover": {`select package, version, key, status, jsonb_array_length(catalog->'streams') from source_catalog`,
			"airbyte/source-faker|7|key-1|SUCCESS|3"},
		"read": {`select t.status, t.description::jsonb #>> '{shop.users,events}', s.stream, (select count(*) from raw_shop.people)
			from source_task t join source_state s using (sync_id) where task_id = 'task-1'`, "SUCCESS|50|shop.users|50"},
	} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			s := k.serve(t)
			k.controllersPod(t, s, command).want(corev1.PodSucceeded, exitOK)
			wantLines(t, command, postgrestest.Query(t, s.database, test.sql), test.want)
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
