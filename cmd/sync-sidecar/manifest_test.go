package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/yaml"
)

// manifestCases are all forms of a manifest, by the name of the file that holds what is expected.
func manifestCases() map[string][]string {
	servers := []string{"--bulker-url", "http://bulker.jitsu:3042", "--database-url", "postgres://sync:secret-pw@postgres.jitsu/sync"}
	config := []string{"--config", `{"count":1000,"api_key":"secret-key"}`}
	image := "airbyte/source-faker:7.2.1"
	with := func(lists ...[]string) []string {
		var args []string
		for _, list := range lists {
			args = append(args, list...)
		}
		return append(args, image)
	}
	return map[string][]string{
		"job":   with(config, servers, []string{"--catalog", "testdata/manifest/catalog.json"}),
		"plain": with(config, servers, []string{"--catalog", "testdata/manifest/catalog.json", "--plain", "--kind", "pod"}),
		"cronjob-everything": with(config, servers, []string{"--kind", "CronJob", "--schedule", "15 * * * *", "--time-zone", "Europe/Berlin",
			"--sync-id", "Faker_1", "--streams", "users,products", "--env", "LOCALE=$(HOME)", "--env", "API_TOKEN=secret-token",
			"--sidecar-image", "registry.example.com/sync-sidecar:v1", "--pull", "always", "--image-pull-secret", "registry", "--entrypoint", "python main.py",
			"--kube-namespace", "syncs", "--requests", "cpu=1,memory=1Gi", "--limits", "memory=2Gi", "--sidecar-limits", "cpu=2,memory=1Gi",
			"--spool-size", "50Gi", "--spool-storage-class", "fast", "--node-selector", "disk=ssd", "--toleration", "dedicated=syncs:NoSchedule",
			"--toleration", "spot", "--annotation", "team=data", "--label", "cost-center=42", "--priority-class", "low", "--backoff-limit", "2",
			"--active-deadline", "6h", "--ttl", "24h", "--history-limit", "1", "--failed-history-limit", "5", "--starting-deadline", "10m",
			"--network-policy", "--egress", "10.0.0.0/8", "--state-age", "30s", "--metrics-address", ":9090"}),
		"shards": with(config, servers, []string{"--shards", "3", "--catalog", "testdata/manifest/catalog.json"}),
		"shards-cronjob": with(config, []string{"--destination-url", "postgres://sync:secret-pw@postgres.jitsu/sync", "--shards", "12", "--kind", "CronJob",
			"--schedule", "@hourly", "--backoff-limit", "0", "--startup-jitter", "0", "--network-policy"}),
		"folder": with(config, []string{"--data-pvc", "rows", "--network-policy"}),
		"held-secret": with([]string{"--secret", "mine", "--secret-key", "DATABASE_URL", "--secret-key", "BULKER_AUTH_TOKEN",
			"--bulker-url", "http://bulker"}),
		"baseline":     with(config, []string{"--command", "check", "--pod-security", "baseline", "--kind", "Pod"}),
		"spec":         with([]string{"--command", "spec", "--kind", "Pod", "--service-account", "mine"}),
		"full-refresh": with(config, servers, []string{"--full-refresh", "--spool-pvc", "spool", "--timeout", "2h"}),
	}
}

func render(t *testing.T, args []string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	env := environment{stdout: &out, stderr: &out, getenv: func(string) string { return "" }}
	err := oneApp(t, newApp(env), append([]string{"sync-sidecar", "manifest", "kubernetes"}, args...)...)
	return out.String(), err
}

// TestManifest holds every form against the file of its name; -update writes the files anew.
func TestManifest(t *testing.T) {
	t.Parallel()
	for name, args := range manifestCases() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := render(t, args)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", "manifest", name+".yaml")
			if *update {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil || got != string(want) {
				t.Errorf("differs from %s (%v); if it should, run with -update\n%s", path, err, got)
			}
			checkDocuments(t, got)
		})
	}
}

// checkDocuments reads each document into its type, strictly, and looks where secrets are.
func checkDocuments(t *testing.T, text string) {
	t.Helper()
	for document := range strings.SplitSeq(text, "---\n") {
		var head struct{ Kind string }
		if err := yaml.Unmarshal([]byte(document), &head); err != nil {
			t.Fatal(err)
		}
		object, known := map[string]any{"Pod": &corev1.Pod{}, "Job": &batchv1.Job{}, "CronJob": &batchv1.CronJob{}, "Secret": &corev1.Secret{},
			"ConfigMap": &corev1.ConfigMap{}, "ServiceAccount": &corev1.ServiceAccount{}, "NetworkPolicy": &networkingv1.NetworkPolicy{}}[head.Kind]
		if !known {
			t.Fatalf("kind %q", head.Kind)
		}
		if err := yaml.UnmarshalStrict([]byte(document), object); err != nil {
			t.Errorf("%s: %v", head.Kind, err)
		}
		if head.Kind != "Secret" && strings.Contains(document, "secret-") {
			t.Errorf("%s holds a secret:\n%s", head.Kind, document)
		}
		for _, noise := range []string{"\nstatus:", "creationTimestamp", "resources: {}", "null"} {
			if strings.Contains(document, noise) {
				t.Errorf("%s holds %q", head.Kind, noise)
			}
		}
	}
}

func TestManifestRefuses(t *testing.T) {
	t.Parallel()
	config := []string{"--config", "{}"}
	servers := []string{"--bulker-url", "http://bulker", "--database-url", "postgres://pg/db"}
	both := slices.Concat(servers, config)
	for name, test := range map[string]struct {
		args []string
		want string
	}{
		"rows that would be lost":   {config, "set where rows go (BULKER_URL) and DATABASE_URL, or give a volume"},
		"state that would be lost":  {append([]string{"--bulker-url", "http://bulker"}, config...), "set DATABASE_URL, or give a volume"},
		"no schedule":               {append([]string{"--kind", "cronjob"}, config...), "needs --schedule"},
		"a schedule of a Job":       {append([]string{"--schedule", "* * * * *"}, config...), "is for --kind CronJob"},
		"an unknown kind":           {append([]string{"--kind", "Deployment"}, config...), `--kind "Deployment"`},
		"a bad name":                {append([]string{"--name", "My_Sync"}, config...), `--name "My_Sync"`},
		"root in restricted":        {append([]string{"--run-as-user", "0"}, config...), "root needs --pod-security baseline"},
		"an unknown level":          {append([]string{"--pod-security", "none"}, config...), "restricted or baseline"},
		"no configuration":          {servers, "needs --config"},
		"config in two places":      {append([]string{"--secret", "mine"}, config...), "--config and --secret are both given"},
		"a password beside secret":  {append([]string{"--secret", "mine"}, servers...), "--secret-key DATABASE_URL"},
		"a key that is no secret":   {[]string{"--secret", "mine", "--secret-key", "BATCH_ROWS"}, `--secret-key "BATCH_ROWS"`},
		"a key without a secret":    {append([]string{"--secret-key", "DATABASE_URL"}, config...), "--secret-key needs --secret"},
		"two spools":                {append([]string{"--spool-pvc", "a", "--spool-storage-class", "b"}, config...), "which one is meant?"},
		"a bad quantity":            {append([]string{"--spool-size", "lots"}, config...), `--spool-size "lots"`},
		"a bad limit":               {append([]string{"--limits", "memory"}, config...), `--limits "memory"`},
		"a bad pair":                {append([]string{"--label", "x"}, config...), `--label "x"`},
		"one state for every run":   {append([]string{"--kind", "CronJob", "--schedule", "@daily", "--state", "{}"}, config...), "with the same state"},
		"shards in one Pod":         {append([]string{"--shards", "3", "--kind", "Pod"}, both...), "--shards is for --kind Job and CronJob"},
		"shards of a check":         {append([]string{"--shards", "3", "--command", "check"}, both...), "--shards is for read"},
		"shards with a folder":      {append([]string{"--shards", "3", "--data-pvc", "rows"}, config...), "--shards needs Postgres"},
		"shards with rows there":    {append([]string{"--shards", "3", "--data-pvc", "x", "--database-url", "postgres://x"}, config...), "takes the rows"},
		"shards on one volume":      {append([]string{"--shards", "3", "--spool-pvc", "spool"}, both...), "--spool-storage-class for one each"},
		"shards of some rows":       {append([]string{"--shards", "3", "--stream-limit", "5"}, both...), "--shards and --stream-limit"},
		"fewer shards than none":    {append([]string{"--shards", "-1"}, both...), "--shards -1"},
		"a state of all streams":    {append([]string{"--shards", "2", "--state", `[{"type":"LEGACY","data":{"a":1}}]`}, both...), "without --shards"},
		"an unknown command":        {append([]string{"--command", "write"}, config...), `"write"`},
		"a configuration too large": {append([]string{"--config", incompressible()}, servers...), "more than an object of Kubernetes holds"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := render(t, append(test.args, "image"))
			if err == nil || !strings.Contains(err.Error(), test.want) || exitCode(err) != exitUsage {
				t.Errorf("%v (exit code %d), want %q", err, exitCode(err), test.want)
			}
		})
	}
}

// incompressible is a configuration of more than 1 MiB, packed.
func incompressible() string {
	var text strings.Builder
	state := uint64(88172645463325252)
	for range 250_000 {
		state ^= state << 13
		state ^= state >> 7
		state ^= state << 17
		const letters = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-"
		for shift := range 8 {
			text.WriteByte(letters[state>>(8*shift)&63])
		}
	}
	return `{"x":"` + text.String() + `"}`
}
