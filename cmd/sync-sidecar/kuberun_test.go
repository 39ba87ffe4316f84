package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/yaml"
)

// A read, and another that goes on from the folder that the first one brought back.
func TestRunOnKubernetes(t *testing.T) {
	t.Parallel()
	k := newKubeLine(t)
	for _, round := range []struct{ config, total string }{{`{"count":1000}`, "1,000"}, {`{"count":1100}`, "100"}} {
		got := k.run(k.args("read", "--config", round.config)...)
		if got.code != 0 || !strings.Contains(got.stdout, "total") || !strings.Contains(got.stdout, " "+round.total+" ") {
			t.Fatalf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
		}
	}
	if rows := k.rows("customers") + k.rows("products") + k.rows("orders"); rows != 1100 {
		t.Errorf("%d rows, want 1100", rows)
	}
	got := k.run(k.args("spec")...)
	if got.code != 0 || !strings.Contains(got.stdout, "connectionSpecification") {
		t.Errorf("spec: exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	if left := k.left(); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestRunOnKubernetesFails(t *testing.T) {
	t.Parallel()
	k := newKubeLine(t)
	for name, test := range map[string]struct {
		command string
		args    []string
		image   string
		code    int
		says    string
	}{
		"check said FAILED": {"check", []string{"--config", `{"faults":{"check_failed":"no such account"}}`}, "", exitCheckFailed, "no such account"},
		"the connector failed": {"check", []string{"--config", `{"faults":{"exit_code":{"command":"check","code":7}}}`}, "", exitFailed,
			"exited with code 7"},
		"no image":   {"spec", nil, "sync-sidecar.example/none:v1", exitEnvironment, "ErrImageNeverPull"},
		"no program": {"spec", []string{"--entrypoint", "/none"}, "", exitEnvironment, "/none"},
		"no node":    {"spec", []string{"--node-selector", "disk=none", "--start-timeout", "3s"}, "", exitEnvironment, "no node for the Pod"},
		"no context": {"spec", []string{"--context", "nowhere"}, "", exitEnvironment, "nowhere"},
		"out of memory": {"read", []string{"--config", `{"count":10,"faults":{"huge_row":{"bytes":200000000}}}`, "--memory", "64m"}, "", exitFailed,
			"ran out of memory (limit 64 MiB"},
		"Docker's flags": {"spec", []string{"--network", "host"}, "", exitUsage, "--network has no meaning"},
		"no namespace":   {"spec", []string{"--kube-namespace", "sync-sidecar-none"}, "", exitEnvironment, "sync-sidecar-none"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			line := &kubeLine{commandLine: newCommandLine(t), api: k.api, namespace: k.namespace, image: k.image, demo: k.demo}
			line.env = append(line.env, k.env[len(k.env)-1])
			if test.image != "" {
				line.demo = test.image
			}
			got := line.run(line.args(test.command, test.args...)...)
			if got.code != test.code || !strings.Contains(got.stdout+got.stderr, test.says) {
				t.Errorf("exit code %d, want %d and %q\n%s%s", got.code, test.code, test.says, got.stdout, got.stderr)
			}
		})
	}
	t.Cleanup(func() {
		if left := k.left(); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})
}

func TestRunOnKubernetesIsInterrupted(t *testing.T) {
	t.Parallel()
	for name, signals := range map[string][]syscall.Signal{"once": {syscall.SIGINT}, "twice": {syscall.SIGINT, syscall.SIGINT}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := newKubeLine(t)
			command, stdout, stderr := k.command(k.args("read", "--config", `{"count":1000000,"rate":1000}`)...)
			if err := command.Start(); err != nil {
				t.Fatal(err)
			}
			k.running()
			for _, number := range signals {
				if err := command.Process.Signal(number); err != nil {
					t.Error(err)
				}
			}
			if code := codeOf(t, command.Wait()); code != exitSignal+2 {
				t.Errorf("exit code %d: %s", code, stderr)
			}
			if len(signals) == 1 && !strings.Contains(stdout.String(), "CANCELLED") {
				t.Errorf("no table with what there is: %s%s", stdout, stderr)
			}
			if left := k.left(); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// A killed run can clean nothing up: the next one of this machine does, and delivers every row once.
func TestRunOnKubernetesIsKilled(t *testing.T) {
	t.Parallel()
	k := newKubeLine(t)
	command, _, _ := k.command(k.args("read", "--config", `{"counts":{"orders":1000},"rate":100}`, "--streams", "orders")...)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	k.running()
	if err := command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if code := codeOf(t, command.Wait()); code != -1 {
		t.Errorf("exit code %d", code)
	}
	got := k.run(k.args("read", "--config", `{"counts":{"orders":1000}}`, "--streams", "orders")...)
	if got.code != 0 || k.rows("orders") != 1000 {
		t.Errorf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	k.eventually(t, "nothing left", func() bool { return len(k.left()) == 0 }) // the Secret goes with its Pod, when the cluster comes to it
}

// The rights that docs/kubernetes.md lists are all that a run needs, and without one of them it says which.
func TestRunOnKubernetesNeedsTheRightsThatAreDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/kubernetes.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(page), "kind: Role\n")
	role, _, closed := strings.Cut(rest, "```")
	if !found || !closed {
		t.Fatal("docs/kubernetes.md shows no Role")
	}
	k := newKubeLine(t)
	as := k.asUser("runner", "kind: Role\n"+role)
	got := as.run(as.args("read", "--config", `{"count":10}`)...)
	if got.code != 0 || strings.Contains(got.stderr, "WARN") {
		t.Errorf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	less := k.asUser("less", strings.Replace("kind: Role\n"+role, "pods/exec", "pods/attach", 1))
	got = less.run(less.args("spec")...)
	if got.code != exitEnvironment || !strings.Contains(got.stderr, "docs/kubernetes.md") || !strings.Contains(got.stderr, "pods/exec") {
		t.Errorf("exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	if left := k.left(); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// asUser is the same command line with the rights of a ServiceAccount that has this Role.
func (k *kubeLine) asUser(name, role string) *kubeLine {
	k.t.Helper()
	rbac := "/apis/rbac.authorization.k8s.io/v1/namespaces/" + k.namespace
	var object map[string]any
	if err := yaml.Unmarshal([]byte(role), &object); err != nil {
		k.t.Fatal(err)
	}
	object["metadata"] = map[string]any{"name": name}
	encoded, err := json.Marshal(object)
	if err != nil {
		k.t.Fatal(err)
	}
	k.mustCreate(rbac+"/roles", string(encoded))
	k.mustCreate(k.path("serviceaccounts"), fmt.Sprintf(`{"metadata":{"name":%q}}`, name))
	k.mustCreate(rbac+"/rolebindings", fmt.Sprintf(`{"metadata":{"name":%q},"roleRef":{"apiGroup":"rbac.authorization.k8s.io","kind":"Role","name":%q},
		"subjects":[{"kind":"ServiceAccount","name":%q,"namespace":%q}]}`, name, name, name, k.namespace))
	var token struct{ Status struct{ Token string } }
	if err := k.call(http.MethodPost, k.path("serviceaccounts/"+name+"/token"), `{"spec":{"expirationSeconds":3600}}`, &token); err != nil {
		k.t.Fatal(err)
	}
	config, err := clientcmd.LoadFromFile(os.Getenv("TEST_KUBECONFIG"))
	if err != nil {
		k.t.Fatal(err)
	}
	if err := clientcmdapi.FlattenConfig(config); err != nil {
		k.t.Fatal(err)
	}
	user := config.AuthInfos[config.Contexts[config.CurrentContext].AuthInfo]
	user.Token, user.TokenFile, user.ClientCertificateData, user.ClientKeyData, user.Exec = token.Status.Token, "", nil, nil, nil
	path := filepath.Join(k.dir, name+".kubeconfig")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		k.t.Fatal(err)
	}
	line := &kubeLine{commandLine: newCommandLine(k.t), api: k.api, namespace: k.namespace, image: k.image, demo: k.demo}
	line.env = append(line.env, "KUBECONFIG="+path)
	return line
}

// Whatever the name of a sync, its objects have names that the API takes, and nothing of the configuration is in the Pod.
func TestRunOnKubernetesKeepsSecretsOutOfThePod(t *testing.T) {
	t.Parallel()
	k := newKubeLine(t)
	command, _, stderr := k.command(k.args("read", "--config", `{"count":1000000,"rate":1000,"api_key":"hunter2-hunter2"}`,
		"--env", "SOME_TOKEN=hunter3-hunter3", "--database-url", "postgres://sync:hunter4-hunter4@192.0.2.1/none", "--startup-timeout", "1m",
		"--sync-id", "A_Sync.with-a-name-that-is-much-longer-than-any-of-Kubernetes_labels-may-be-0123456789")...)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	k.eventually(t, "a Pod", func() bool { return len(k.pods()) > 0 })
	time.Sleep(time.Second) // for more of its status
	encoded, err := json.Marshal(k.pods())
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"hunter2", "hunter3", "hunter4", base64.StdEncoding.EncodeToString([]byte("hunter2-hunter2"))} {
		if strings.Contains(string(encoded), secret) {
			t.Errorf("the Pod shows %s", secret)
		}
	}
	if err := command.Process.Signal(syscall.SIGINT); err != nil {
		t.Error(err)
	}
	if code := codeOf(t, command.Wait()); code != exitSignal+2 {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	if left := k.left(); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
