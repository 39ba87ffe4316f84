package manifest

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"sync-sidecar/runner"
)

// envKeyPrefix begins the keys of the Secret that hold variables of the connector.
const envKeyPrefix = "env."

// env is the environment of a step. What the caller gave the connector comes out of the Secret, since whoever may look at Pods may see the rest.
func (b *builder) env(step runner.Step) []corev1.EnvVar {
	var env []corev1.EnvVar
	for _, pair := range step.Env {
		name, value, _ := strings.Cut(pair, "=")
		variable := corev1.EnvVar{Name: name, Value: escape(value)}
		if slices.Contains(b.task.ConnectorEnv, pair) {
			variable = corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{
				LocalObjectReference: corev1.LocalObjectReference{Name: b.secretName()}, Key: envKeyPrefix + name,
			}}}
		}
		// A later value of a name wins in a process's environment; the API takes each name once.
		env = slices.DeleteFunc(env, func(earlier corev1.EnvVar) bool { return earlier.Name == name })
		env = append(env, variable)
	}
	if b.task.TaskID == "" && slices.ContainsFunc(step.Env, func(pair string) bool { return strings.HasPrefix(pair, "SYNC_ID=") }) {
		env = append(env, b.taskID()...)
	}
	return env
}

// Names by which the shards of a Job find each other.
const (
	labelJob        = "batch.kubernetes.io/job-name"
	labelJobUID     = "batch.kubernetes.io/controller-uid" // another Job of the same name is another task
	annotationIndex = "batch.kubernetes.io/job-completion-index"
)

// taskID names the run: the Pod's name tells runs apart, and leads from a task's row to the Pod. Shards have one task, that of their Job.
func (b *builder) taskID() []corev1.EnvVar {
	field := func(name, path string) corev1.EnvVar {
		return corev1.EnvVar{Name: name, ValueFrom: &corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: path}}}
	}
	if b.options.Shards < 2 {
		return []corev1.EnvVar{field("TASK_ID", "metadata.name")}
	}
	return []corev1.EnvVar{
		field("JOB_NAME", "metadata.labels['"+labelJob+"']"), field("JOB_UID", "metadata.labels['"+labelJobUID+"']"),
		{Name: "TASK_ID", Value: "$(JOB_NAME)-$(JOB_UID)"}, field("SHARD", "metadata.annotations['"+annotationIndex+"']"),
	}
}

// escape keeps Kubernetes from expanding $(NAME) in a value or an argument.
func escape(value string) string { return strings.ReplaceAll(value, "$(", "$$(") }

func escaped(args []string) []string {
	all := make([]string, len(args))
	for i, arg := range args {
		all[i] = escape(arg)
	}
	return all
}

func intOrName(name string) intstr.IntOrString { return intstr.FromString(name) }
