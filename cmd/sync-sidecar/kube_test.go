package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// kubeLine is a command line with a namespace of its own on a real cluster, which enforces the Pod Security Standard restricted.
type kubeLine struct {
	*commandLine
	api       *rest.RESTClient
	namespace string
	image     string // of the sidecar
	demo      string // of the demo source
}

// kubeconfig is of the cluster that tests may use: make test-kube names one. Its nodes have the images.
func kubeconfig(t *testing.T) string {
	t.Helper()
	path := os.Getenv("TEST_KUBECONFIG")
	if path == "" || testing.Short() {
		t.Skip("needs a cluster: TEST_KUBECONFIG")
	}
	return path
}

func newKubeLine(t *testing.T) *kubeLine {
	t.Helper()
	path := kubeconfig(t)
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		t.Fatal(err)
	}
	config.NegotiatedSerializer = serializer.NewCodecFactory(runtime.NewScheme())
	const requests = 100
	config.QPS, config.Burst = requests, requests
	var connections sync.Map
	config.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		connection, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err == nil {
			connections.Store(connection, nil)
		}
		return connection, err
	}
	t.Cleanup(func() { // client-go keeps them for later, and their goroutines
		connections.Range(func(connection, _ any) bool { return connection.(net.Conn).Close() == nil || true })
	})
	api, err := rest.UnversionedRESTClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	k := &kubeLine{commandLine: newCommandLine(t), api: api, namespace: fmt.Sprintf("sync-sidecar-%d-%d", os.Getpid(), time.Now().UnixNano()),
		image: cmp.Or(os.Getenv("TEST_KUBE_IMAGE"), "sync-sidecar:latest"),
		demo:  cmp.Or(os.Getenv("TEST_KUBE_DEMO_IMAGE"), "sync-sidecar/source-demo:dev")}
	k.env = append(k.env, "KUBECONFIG="+path)
	k.mustCreate("/api/v1/namespaces", fmt.Sprintf(`{"metadata":{"name":%q,"labels":{"pod-security.kubernetes.io/enforce":"restricted"}}}`, k.namespace))
	t.Cleanup(func() {
		if err := k.call(http.MethodDelete, "/api/v1/namespaces/"+k.namespace, "", nil); err != nil {
			t.Error(err)
		}
	})
	// The controllers give each new namespace its default ServiceAccount, which every Pod needs.
	k.eventually(k.t, "the ServiceAccount default", func() bool {
		return k.call(http.MethodGet, k.path("serviceaccounts/default"), "", nil) == nil
	})
	return k
}

// path is one of the core API's in the namespace.
func (k *kubeLine) path(resource string) string {
	return "/api/v1/namespaces/" + k.namespace + "/" + resource
}

// call asks the API, with a deadline; the answer goes into the value that into points at.
func (k *kubeLine) call(method, path, body string, into any) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	location, query, _ := strings.Cut(path, "?")
	request := k.api.Verb(method).AbsPath(location).SetHeader("Content-Type", "application/json")
	for pair := range strings.SplitSeq(query, "&") {
		if name, value, found := strings.Cut(pair, "="); found {
			request = request.Param(name, value)
		}
	}
	if body != "" {
		request = request.Body([]byte(body))
	}
	answer, err := request.Do(ctx).Raw()
	if err != nil {
		return errors.Join(err, errors.New(string(answer)))
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(answer, into)
}

func (k *kubeLine) mustCreate(path, body string) {
	k.t.Helper()
	if err := k.call(http.MethodPost, path, body, nil); err != nil {
		k.t.Fatal(err)
	}
}

// eventually polls, with a deadline.
func (k *kubeLine) eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	const limit = 3 * time.Minute // machines of CI are slow
	for deadline := time.Now().Add(limit); !is(); {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, limit)
		}
		time.Sleep(100 * time.Millisecond) // polling with a deadline
	}
}

// pods are those of the namespace.
func (k *kubeLine) pods() []corev1.Pod {
	k.t.Helper()
	var list corev1.PodList
	if err := k.call(http.MethodGet, k.path("pods"), "", &list); err != nil {
		k.t.Fatal(err)
	}
	return list.Items
}

// left is what a run should not have left: Pods, and Secrets of ours.
func (k *kubeLine) left() []string {
	k.t.Helper()
	var names []string
	for _, pod := range k.pods() {
		names = append(names, "pod/"+pod.Name)
	}
	var secrets corev1.SecretList
	if err := k.call(http.MethodGet, k.path("secrets"), "", &secrets); err != nil {
		k.t.Fatal(err)
	}
	for _, secret := range secrets.Items {
		names = append(names, "secret/"+secret.Name)
	}
	return names
}

// args are those of a run on the cluster.
func (k *kubeLine) args(command string, more ...string) []string {
	args := []string{"run", command, "--kubernetes", "--kube-namespace", k.namespace, "--sidecar-image", k.image, "--pull", "never",
		"--requests", "cpu=10m", "--sidecar-requests", "cpu=10m"}
	return append(append(args, more...), k.demo)
}

// running waits until the sidecar of a read runs, and has done so for long enough that run has seen it.
func (k *kubeLine) running() {
	k.t.Helper()
	k.eventually(k.t, "a running sidecar", func() bool {
		for _, pod := range k.pods() {
			for _, status := range pod.Status.ContainerStatuses {
				running := status.State.Running
				if status.Name == "sidecar" && running != nil && time.Since(running.StartedAt.Time) > 8*time.Second && !strings.Contains(pod.Name, "discover") {
					return true
				}
			}
		}
		return false
	})
}

// rows counts the lines of what a run brought back of a stream.
func (k *kubeLine) rows(stream string) int {
	k.t.Helper()
	content, err := os.ReadFile(filepath.Join(k.dir, "sync-data", "source-demo", "rows", stream+".ndjson"))
	if err != nil {
		k.t.Fatal(err)
	}
	return strings.Count(string(content), "\n")
}
