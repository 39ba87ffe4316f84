// Package kubernetes carries out a plan as a Pod of a cluster. The Pod is that of package manifest, with a second container for the sidecar; what the
// API's exec can do in it (bringing files in and out, ending one container before the other) is done by the binary that init places.
//
// Rights: pods (create, get, list, delete), pods/log (get), pods/exec (create), secrets (create, delete), in one namespace.
package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Cluster says which cluster is meant, as kubectl does.
type Cluster struct {
	// Kubeconfig is --kubeconfig; Variable is KUBECONFIG, a list of paths; Home is where .kube/config is looked for without both. When none of them
	// leads anywhere, a Pod's own rights are used.
	Kubeconfig, Variable, Home string
	Context                    string
	Namespace                  string // empty is the context's
}

// client is the API of one namespace.
type client struct {
	config    *rest.Config
	api       *rest.RESTClient
	parameter runtime.ParameterCodec
	namespace string
}

// dial reads the kubeconfig; the error says where it looked. It connects to nothing.
func dial(c Cluster, warn func(string)) (*client, error) {
	rules := &clientcmd.ClientConfigLoadingRules{ExplicitPath: c.Kubeconfig, Precedence: filepath.SplitList(c.Variable)}
	if len(rules.Precedence) == 0 {
		rules.Precedence = []string{filepath.Join(c.Home, ".kube", "config")}
	}
	overrides := &clientcmd.ConfigOverrides{CurrentContext: c.Context}
	overrides.Context.Namespace = c.Namespace
	loader := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides)
	config, err := loader.ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("read the kubeconfig (--kubeconfig, KUBECONFIG, or ~/.kube/config): %w", err)
	}
	namespace, _, err := loader.Namespace()
	if err != nil {
		return nil, fmt.Errorf("read the kubeconfig: %w", err)
	}
	const requests = 50 // a second: one run asks for its Pod a few times a second
	config.QPS, config.Burst = requests, requests
	config.WarningHandler = warnings(warn)
	scheme := runtime.NewScheme()
	version := corev1.SchemeGroupVersion
	scheme.AddKnownTypes(version, &corev1.Pod{}, &corev1.PodList{}, &corev1.Secret{}, &corev1.PodLogOptions{}, &corev1.PodExecOptions{})
	metav1.AddToGroupVersion(scheme, version)
	config.GroupVersion, config.APIPath = &version, "/api"
	config.NegotiatedSerializer = serializer.NewCodecFactory(scheme).WithoutConversion()
	api, err := rest.RESTClientFor(config)
	if err != nil {
		return nil, fmt.Errorf("set up the cluster's API: %w", err)
	}
	return &client{config: config, api: api, parameter: runtime.NewParameterCodec(scheme), namespace: namespace}, nil
}

// warnings passes on what the API server warns of.
type warnings func(string)

// HandleWarningHeader is what client-go calls.
func (w warnings) HandleWarningHeader(code int, _, text string) {
	const isWarning = 299
	if code == isWarning && text != "" {
		w(text)
	}
}

// createPod creates a Pod and returns it as it is then.
func (c *client) createPod(ctx context.Context, pod *corev1.Pod) (*corev1.Pod, error) {
	created := &corev1.Pod{}
	err := c.api.Post().Namespace(c.namespace).Resource("pods").Body(pod).Do(ctx).Into(created)
	return created, c.explain("create the Pod", err)
}

func (c *client) createSecret(ctx context.Context, secret *corev1.Secret) error {
	return c.explain("create the Secret", c.api.Post().Namespace(c.namespace).Resource("secrets").Body(secret).Do(ctx).Error())
}

// pod is the Pod as it is now; nil when it is gone.
func (c *client) pod(ctx context.Context, name string) (*corev1.Pod, error) {
	pod := &corev1.Pod{}
	err := c.api.Get().Namespace(c.namespace).Resource("pods").Name(name).Do(ctx).Into(pod)
	if apierrors.IsNotFound(err) {
		return nil, nil //nolint:nilnil // no Pod is an answer
	}
	return pod, c.explain("look at the Pod", err)
}

// pods are those with these labels.
func (c *client) pods(ctx context.Context, selector string) ([]corev1.Pod, error) {
	list := &corev1.PodList{}
	options := &metav1.ListOptions{LabelSelector: selector}
	err := c.api.Get().Namespace(c.namespace).Resource("pods").VersionedParams(options, c.parameter).Do(ctx).Into(list)
	return list.Items, c.explain("list Pods", err)
}

// remove deletes an object, whose containers get so many seconds. What is not there is no error.
func (c *client) remove(ctx context.Context, resource, name string, grace int64) error {
	options := &metav1.DeleteOptions{GracePeriodSeconds: &grace}
	err := c.api.Delete().Namespace(c.namespace).Resource(resource).Name(name).Body(options).Do(ctx).Error()
	if apierrors.IsNotFound(err) {
		return nil
	}
	return c.explain("remove "+resource+"/"+name, err)
}

// isForbidden says that a right is missing. What refuses an upgrade has no code of its own.
func isForbidden(err error) bool {
	return apierrors.IsForbidden(err) || strings.Contains(err.Error(), "is forbidden: ")
}

// isRefused says that trying again is no use.
func isRefused(err error) bool {
	return err != nil && (isForbidden(err) || apierrors.IsUnauthorized(err))
}

// explain says what was tried, and where the rights stand.
func (c *client) explain(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case isForbidden(err):
		return fmt.Errorf("%s in namespace %s: %w (docs/kubernetes.md lists the rights that a run needs)", what, c.namespace, err)
	case apierrors.IsUnauthorized(err):
		return fmt.Errorf("%s: the cluster does not know you: renew your login (%w)", what, err)
	}
	return fmt.Errorf("%s in namespace %s: %w", what, c.namespace, err)
}
