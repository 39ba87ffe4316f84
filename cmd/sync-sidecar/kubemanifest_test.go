package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// TestManifestOnACluster gives every form to a real API server, as kubectl apply --dry-run=server does, in a namespace that enforces restricted. That
// is enforced of Pods, so the Pod of each Job is given to it, too.
func TestManifestOnACluster(t *testing.T) {
	t.Parallel()
	k := newKubeLine(t)
	for name, args := range manifestCases() {
		text, err := render(t, args)
		if err != nil {
			t.Fatal(err)
		}
		text = strings.ReplaceAll(text, "namespace: syncs", "namespace: "+k.namespace)
		for document := range strings.SplitSeq(text, "---\n") {
			kind, pod, problem := k.dryRun(document)
			if problem != nil {
				t.Errorf("%s: %s: %v", name, kind, problem)
			}
			if pod == nil {
				continue
			}
			err := k.dryRunPod(pod)
			if refused := err != nil && strings.Contains(err.Error(), "violates PodSecurity"); refused != (name == "baseline") || err != nil && !refused {
				t.Errorf("%s: the Pod: %v", name, err)
			}
		}
	}
}

// dryRun gives one document to the API server, except a Pod, which it returns, as it does that of a Job.
func (k *kubeLine) dryRun(document string) (kind string, pod *corev1.PodSpec, err error) {
	var head struct{ Kind string }
	if err := yaml.Unmarshal([]byte(document), &head); err != nil {
		return "", nil, err
	}
	body, err := yaml.YAMLToJSON([]byte(document))
	if err != nil {
		return head.Kind, nil, err
	}
	core, batch := k.path(""), "/apis/batch/v1/namespaces/"+k.namespace+"/"
	path := map[string]string{"Secret": core + "secrets", "ConfigMap": core + "configmaps", "ServiceAccount": core + "serviceaccounts",
		"Job": batch + "jobs", "CronJob": batch + "cronjobs",
		"NetworkPolicy": "/apis/networking.k8s.io/v1/namespaces/" + k.namespace + "/networkpolicies"}[head.Kind]
	switch head.Kind {
	case "Pod":
		var object corev1.Pod
		err := json.Unmarshal(body, &object)
		return head.Kind, &object.Spec, err
	case "Job":
		var object batchv1.Job
		err = json.Unmarshal(body, &object)
		pod = &object.Spec.Template.Spec
	case "CronJob":
		var object batchv1.CronJob
		err = json.Unmarshal(body, &object)
		pod = &object.Spec.JobTemplate.Spec.Template.Spec
	}
	if err != nil {
		return head.Kind, nil, err
	}
	// A member that the API server does not know is an error, as it is for kubectl.
	return head.Kind, pod, k.call(http.MethodPost, path+"?dryRun=All&fieldValidation=Strict", string(body), nil)
}

// dryRunPod gives a Pod to the API server, with the ServiceAccount that is there.
func (k *kubeLine) dryRunPod(spec *corev1.PodSpec) error {
	spec.ServiceAccountName, spec.PriorityClassName = "default", ""
	body, err := json.Marshal(map[string]any{"metadata": map[string]any{"name": "x"}, "spec": spec})
	if err != nil {
		return err
	}
	return k.call(http.MethodPost, k.path("pods?dryRun=All&fieldValidation=Strict"), string(body), nil)
}

// TestJobsOnACluster runs what is printed: the Pod finds out what there is to read, and the Job ends as the sync does.
func TestJobsOnACluster(t *testing.T) {
	t.Parallel()
	k := newKubeLine(t)
	for name, test := range map[string]struct {
		args      []string
		condition batchv1.JobConditionType
		says      string
	}{
		"native": {[]string{"--command", "check", "--config", "{}"}, batchv1.JobComplete, ""},
		"plain":  {[]string{"--command", "discover", "--config", "{}", "--plain"}, batchv1.JobComplete, ""},
		"failed": {[]string{"--command", "check", "--config", `{"faults":{"exit_code":{"command":"check","code":7}}}`, "--backoff-limit", "1"},
			batchv1.JobFailed, "BackoffLimitExceeded"},
		"wrong configuration": {[]string{"--command", "check", "--config", "{}", "--entrypoint", "/source-demo --none", "--plain", "--backoff-limit", "3"},
			batchv1.JobFailed, "PodFailurePolicy"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			object := strings.ReplaceAll(name, " ", "-")
			args := append([]string{"--name", object, "--sidecar-image", k.image, "--pull", "never", "--requests", "cpu=10m", "--sidecar-requests", "cpu=10m"},
				test.args...)
			text, err := render(t, append(args, k.demo))
			if err != nil {
				t.Fatal(err)
			}
			k.apply(t, text)
			var job batchv1.Job
			k.eventually(t, "the end of Job "+object, func() bool {
				job = batchv1.Job{} // what is zero is not in an answer
				if err := k.call(http.MethodGet, "/apis/batch/v1/namespaces/"+k.namespace+"/jobs/"+object, "", &job); err != nil {
					t.Error(err)
				}
				return slices.ContainsFunc(job.Status.Conditions, func(c batchv1.JobCondition) bool {
					return c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed
				})
			})
			for _, condition := range job.Status.Conditions {
				if condition.Type == test.condition && (test.says == "" || condition.Reason == test.says) {
					return
				}
			}
			t.Errorf("ended as %+v, want %s (%s)", job.Status.Conditions, test.condition, test.says)
		})
	}
}

// apply creates the objects of a manifest.
func (k *kubeLine) apply(t *testing.T, text string) {
	t.Helper()
	paths := map[string]string{"Secret": k.path("secrets"), "ServiceAccount": k.path("serviceaccounts"), "ConfigMap": k.path("configmaps"),
		"Job": "/apis/batch/v1/namespaces/" + k.namespace + "/jobs", "Pod": k.path("pods"),
		"CronJob": "/apis/batch/v1/namespaces/" + k.namespace + "/cronjobs"}
	for document := range strings.SplitSeq(text, "---\n") {
		var head struct{ Kind string }
		body, err := yaml.YAMLToJSON([]byte(document))
		if err == nil {
			err = yaml.Unmarshal([]byte(document), &head)
		}
		if err == nil {
			err = k.call(http.MethodPost, paths[head.Kind], string(body), nil)
		}
		if err != nil {
			t.Fatal(fmt.Errorf("%s: %w", head.Kind, err))
		}
	}
}
