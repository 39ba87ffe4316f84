package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/yaml"

	"sync-sidecar/runner"
	"sync-sidecar/sidecar"
)

// Objects are what a task needs of a cluster. Those that are nil are not needed; one of Pod, Job and CronJob is set.
type Objects struct {
	ServiceAccount *corev1.ServiceAccount
	Secret         *corev1.Secret
	ConfigMap      *corev1.ConfigMap
	NetworkPolicy  *networkingv1.NetworkPolicy
	Pod            *corev1.Pod
	Job            *batchv1.Job
	CronJob        *batchv1.CronJob
}

// New makes the objects of a task. The error says everything that is wrong with the options.
func New(task runner.Task, options Options) (Objects, error) {
	if err := errors.Join(options.Validate(task), options.checkKept(task)); err != nil {
		return Objects{}, err
	}
	return Render(task, options)
}

// Render is New for a caller that keeps the promises of Validate itself.
func Render(task runner.Task, options Options) (Objects, error) {
	b := newBuilder(options.inPod(task), options)
	objects := Objects{Secret: b.secret(), ConfigMap: b.configMap()}
	if err := checkSizes(objects.Secret, objects.ConfigMap); err != nil {
		return Objects{}, err
	}
	if options.ServiceAccount == "" {
		no := false
		objects.ServiceAccount = &corev1.ServiceAccount{TypeMeta: typeMeta("v1", "ServiceAccount"), ObjectMeta: b.meta(), AutomountServiceAccountToken: &no}
	}
	if options.NetworkPolicy {
		objects.NetworkPolicy = b.networkPolicy()
	}
	meta := b.meta()
	meta.Annotations = options.annotations(task)
	switch options.Kind {
	case KindPod:
		template := b.template()
		template.Spec.ActiveDeadlineSeconds = seconds(options.Job.ActiveDeadline)
		objects.Pod = &corev1.Pod{TypeMeta: typeMeta("v1", "Pod"), ObjectMeta: meta, Spec: template.Spec}
	case KindJob:
		spec := b.job()
		objects.Job = &batchv1.Job{TypeMeta: typeMeta("batch/v1", "Job"), ObjectMeta: meta, Spec: spec}
	case KindCronJob:
		objects.CronJob = b.cronJob(meta)
	}
	return objects, nil
}

// job is the spec of a Job. What the connector's container ends with is the sync's verdict: bad configuration and a check that failed are not tried
// again, and what the cluster did to a Pod (preemption, eviction, a node that went away) does not count as an attempt.
func (b *builder) job() batchv1.JobSpec {
	o := b.options.Job
	spec := batchv1.JobSpec{
		BackoffLimit: &o.BackoffLimit, ActiveDeadlineSeconds: seconds(o.ActiveDeadline), Template: b.template(),
		PodFailurePolicy: &batchv1.PodFailurePolicy{Rules: b.failureRules()},
	}
	if b.options.Shards > 1 {
		b.index(&spec)
	}
	if o.TTL > 0 {
		ttl := int32(math.Ceil(o.TTL.Seconds()))
		spec.TTLSecondsAfterFinished = &ttl
	}
	return spec
}

// failureRules say which failures are no Pod's fault, and which ones another Pod would have, too.
func (b *builder) failureRules() []batchv1.PodFailurePolicyRule {
	rules := []batchv1.PodFailurePolicyRule{{
		Action: batchv1.PodFailurePolicyActionIgnore, OnPodConditions: []batchv1.PodFailurePolicyOnPodConditionsPattern{
			{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue},
		},
	}}
	hopeless := func(container string, codes ...int32) {
		rules = append(rules, batchv1.PodFailurePolicyRule{
			Action: batchv1.PodFailurePolicyActionFailJob, OnExitCodes: &batchv1.PodFailurePolicyOnExitCodesRequirement{
				ContainerName: ptr(container), Operator: batchv1.PodFailurePolicyOnExitCodesOpIn, Values: codes,
			},
		})
	}
	hopeless(ContainerSource, sidecar.ExitUsage, sidecar.ExitCheckFailed)
	for _, step := range b.initContainers() {
		if step.Name != ContainerDiscover { // which leaves its failure to the next one
			hopeless(step.Name, sidecar.ExitUsage)
		}
	}
	return rules
}

// index makes a Job of several Pods, of which each knows which one it is. A shard is tried again by itself, while the others go on: the Job has
// failed once all have ended and one has used up its attempts.
func (b *builder) index(spec *batchv1.JobSpec) {
	shards, indexed := int32(b.options.Shards), batchv1.IndexedCompletion
	spec.CompletionMode, spec.Completions, spec.Parallelism = &indexed, &shards, &shards
	spec.BackoffLimit, spec.BackoffLimitPerIndex = nil, &b.options.Job.BackoffLimit
}

// cronJob runs the Job on a schedule; two runs of one sync would only wait for each other's lock.
func (b *builder) cronJob(meta metav1.ObjectMeta) *batchv1.CronJob {
	o := b.options.Job
	spec := batchv1.CronJobSpec{
		Schedule: o.Schedule, ConcurrencyPolicy: batchv1.ForbidConcurrent, StartingDeadlineSeconds: seconds(o.StartingDeadline),
		SuccessfulJobsHistoryLimit: &o.SuccessfulJobs, FailedJobsHistoryLimit: &o.FailedJobs,
		JobTemplate: batchv1.JobTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: meta.Labels, Annotations: meta.Annotations}, Spec: b.job()},
	}
	if o.ConcurrencyReplaces {
		spec.ConcurrencyPolicy = batchv1.ReplaceConcurrent
	}
	if o.TimeZone != "" {
		spec.TimeZone = &o.TimeZone
	}
	return &batchv1.CronJob{TypeMeta: typeMeta("batch/v1", "CronJob"), ObjectMeta: meta, Spec: spec}
}

// seconds is nil for no time.
func seconds(d time.Duration) *int64 {
	if d <= 0 {
		return nil
	}
	return ptr(int64(math.Ceil(d.Seconds())))
}

// metadataOfClouds are the addresses at which a Pod gets its node's credentials.
const (
	metadataV4 = "169.254.0.0/16"
	metadataV6 = "fd00:ec2::254/128"
)

// networkPolicy lets nobody in but who scrapes, and lets out to name servers and to where the caller says.
func (b *builder) networkPolicy() *networkingv1.NetworkPolicy {
	dns := intstr.FromInt32(53)
	policy := &networkingv1.NetworkPolicy{TypeMeta: typeMeta("networking.k8s.io/v1", "NetworkPolicy"), ObjectMeta: b.meta()}
	policy.Spec = networkingv1.NetworkPolicySpec{
		PodSelector: *b.selector(),
		PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress},
		Egress: []networkingv1.NetworkPolicyEgressRule{{Ports: []networkingv1.NetworkPolicyPort{
			{Protocol: ptr(corev1.ProtocolUDP), Port: &dns}, {Protocol: ptr(corev1.ProtocolTCP), Port: &dns},
		}}},
	}
	peers := []networkingv1.NetworkPolicyPeer{
		{IPBlock: &networkingv1.IPBlock{CIDR: "0.0.0.0/0", Except: []string{metadataV4}}},
		{IPBlock: &networkingv1.IPBlock{CIDR: "::/0", Except: []string{metadataV6}}},
	}
	if len(b.options.Egress) > 0 {
		peers = nil
	}
	for _, cidr := range b.options.Egress {
		peers = append(peers, networkingv1.NetworkPolicyPeer{IPBlock: &networkingv1.IPBlock{CIDR: cidr}})
	}
	policy.Spec.Egress = append(policy.Spec.Egress, networkingv1.NetworkPolicyEgressRule{To: peers})
	if b.metrics != 0 {
		port := intstr.FromInt32(b.metrics)
		policy.Spec.Ingress = []networkingv1.NetworkPolicyIngressRule{{Ports: []networkingv1.NetworkPolicyPort{
			{Protocol: ptr(corev1.ProtocolTCP), Port: &port},
		}}}
	}
	return policy
}

// List is every object that is set, in the order in which they are applied.
func (o Objects) List() []any {
	var list []any
	if o.ServiceAccount != nil {
		list = append(list, o.ServiceAccount)
	}
	if o.Secret != nil {
		list = append(list, o.Secret)
	}
	if o.ConfigMap != nil {
		list = append(list, o.ConfigMap)
	}
	if o.NetworkPolicy != nil {
		list = append(list, o.NetworkPolicy)
	}
	switch {
	case o.Pod != nil:
		list = append(list, o.Pod)
	case o.Job != nil:
		list = append(list, o.Job)
	case o.CronJob != nil:
		list = append(list, o.CronJob)
	}
	return list
}

// YAML is all of them as one file of several documents: keys sorted, and nothing that the cluster fills in.
func (o Objects) YAML() ([]byte, error) {
	var all bytes.Buffer
	for i, object := range o.List() {
		document, err := toYAML(object)
		if err != nil {
			return nil, fmt.Errorf("write the manifest: %w", err)
		}
		if i > 0 {
			all.WriteString("---\n")
		}
		all.Write(document)
	}
	return all.Bytes(), nil
}

func toYAML(object any) ([]byte, error) {
	encoded, err := json.Marshal(object)
	if err != nil {
		return nil, err
	}
	var tree map[string]any
	decoder := json.NewDecoder(bytes.NewReader(encoded))
	decoder.UseNumber()
	if err := decoder.Decode(&tree); err != nil {
		return nil, err
	}
	delete(tree, "status")
	prune(tree)
	return yaml.Marshal(tree)
}

// prune removes what typed objects have although nobody set it: it would show up as a difference to every tool that compares.
func prune(value any) {
	switch value := value.(type) {
	case map[string]any:
		for key, member := range value {
			empty, isMap := member.(map[string]any)
			if member == nil || isMap && len(empty) == 0 && (key == "resources" || key == "status" || key == "metadata") {
				delete(value, key)
				continue
			}
			prune(member)
		}
	case []any:
		for _, element := range value {
			prune(element)
		}
	}
}
