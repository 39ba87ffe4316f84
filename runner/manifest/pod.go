package manifest

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"sync-sidecar/runner"
	"sync-sidecar/sidecar"
)

// Names of the containers. Jitsu's controller calls its two by the same names.
const (
	ContainerInit     = "init"
	ContainerDiscover = "discover"
	ContainerState    = "state"
	ContainerSource   = "source"
	ContainerSidecar  = "sidecar"
)

// ownUser is the user of our own image, and the group that its volumes belong to.
const ownUser = int64(65532)

// Layout is where the containers find their folders. A connector's image may have anything at usual paths, so these have names of their own.
func Layout() runner.Layout {
	return runner.Layout{Shared: "/sync-sidecar.d", Private: "/sync-sidecar.private", LocalDir: "/data", Place: true,
		AwaitVerdict: true}
}

// givenDir is where the configuration is mounted, read-only, for init to copy.
const givenDir = "/sync-sidecar.given"

// builder makes the Pod of one task.
type builder struct {
	task    runner.Task
	options Options
	plan    runner.Plan
	// discovers says that the Pod asks the connector for its streams, since no catalog is given.
	discovers bool
	metrics   int32 // the port of METRICS_ADDRESS; 0 is none
}

func newBuilder(task runner.Task, options Options) *builder {
	b := &builder{task: task, options: options, discovers: task.Command == sidecar.CommandRead && task.Catalog == nil}
	layout := Layout()
	layout.AwaitVerdict = !options.Attended
	b.plan = runner.NewPlan(task, layout)
	b.metrics = portOf(task.Settings["METRICS_ADDRESS"])
	return b
}

// portOf is the port of HOST:PORT; 0 when there is none.
func portOf(address string) int32 {
	port, err := strconv.ParseInt(address[strings.LastIndexByte(address, ':')+1:], 10, 32)
	if err != nil || port < 1 || port > math.MaxUint16 {
		return 0
	}
	return int32(port)
}

// template is the Pod, without a name.
func (b *builder) template() corev1.PodTemplateSpec {
	o := b.options
	no, yes, grace := false, true, b.gracePeriod()
	spec := corev1.PodSpec{
		RestartPolicy:                 corev1.RestartPolicyNever,
		ServiceAccountName:            b.serviceAccount(),
		AutomountServiceAccountToken:  &no,
		EnableServiceLinks:            &no, // variables of every Service, which a connector could take for its own
		TerminationGracePeriodSeconds: &grace,
		NodeSelector:                  o.Placement.NodeSelector,
		Tolerations:                   o.Placement.Tolerations,
		PriorityClassName:             o.Placement.PriorityClassName,
		SecurityContext: &corev1.PodSecurityContext{
			FSGroup:        ptr(ownUser),
			SeccompProfile: &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		InitContainers: b.initContainers(),
		Containers:     []corev1.Container{b.source()},
		Volumes:        b.volumes(),
	}
	if !o.Security.Baseline {
		spec.SecurityContext.RunAsNonRoot = &yes
	}
	if b.options.Shards > 1 {
		spec.TopologySpreadConstraints = []corev1.TopologySpreadConstraint{b.spread()}
	}
	for _, name := range o.PullSecrets {
		spec.ImagePullSecrets = append(spec.ImagePullSecrets, corev1.LocalObjectReference{Name: name})
	}
	if worker := b.sidecar(); o.Plain {
		spec.Containers = append(spec.Containers, worker)
	} else {
		worker.RestartPolicy = ptr(corev1.ContainerRestartPolicyAlways)
		spec.InitContainers = append(spec.InitContainers, worker)
	}
	return corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: o.labels(b.task), Annotations: o.annotations(b.task)}, Spec: spec}
}

// spread puts the Pods of shards onto different nodes, where there are any that have room.
func (b *builder) spread() corev1.TopologySpreadConstraint {
	return corev1.TopologySpreadConstraint{MaxSkew: 1, TopologyKey: corev1.LabelHostname, WhenUnsatisfiable: corev1.ScheduleAnyway,
		LabelSelector: b.selector()}
}

// selector is that of the Pods.
func (b *builder) selector() *metav1.LabelSelector {
	labels := b.options.labels(b.task)
	return &metav1.LabelSelector{MatchLabels: map[string]string{LabelName: labels[LabelName], LabelInstance: labels[LabelInstance]}}
}

// gracePeriod is for both, one after the other: the kubelet ends a native sidecar only when the connector's container has ended.
func (b *builder) gracePeriod() int64 {
	return int64(math.Ceil((b.task.Grace + b.task.SidecarGrace() + 5*time.Second).Seconds()))
}

func (b *builder) serviceAccount() string {
	if b.options.ServiceAccount != "" {
		return b.options.ServiceAccount
	}
	return b.options.name(b.task)
}

// initContainers prepare the volume. A read without a catalog asks the connector for one, and looks for saved states only then: which of them the
// connector starts from depends on the catalog.
func (b *builder) initContainers() []corev1.Container {
	args := slices.Clone(b.plan.Init.Args)
	if b.options.Job.StartupJitter > 0 {
		args = append(args, "--startup-jitter", b.options.Job.StartupJitter.String())
	}
	if !b.discovers {
		return []corev1.Container{b.prepare(args)}
	}
	needsCatalog := func(arg string) bool { return arg == "--take-share" || arg == "--load-state" }
	late := append([]string{"init"}, slices.DeleteFunc(slices.Clone(args), func(arg string) bool { return !needsCatalog(arg) })...)
	steps := []corev1.Container{b.prepare(slices.DeleteFunc(args, needsCatalog)), b.discover()}
	if len(late) > 1 {
		steps = append(steps, b.own(ContainerState, late))
	}
	return steps
}

// prepare is the first step: pipes, the binary, and copies of what is given.
func (b *builder) prepare(args []string) corev1.Container {
	given := len(b.givenSources()) > 0
	if given {
		args = append(args, "--copy-config", givenDir+":"+b.plan.Layout.ConfigDir())
	}
	c := b.own(ContainerInit, args)
	if given {
		c.VolumeMounts = append(c.VolumeMounts, corev1.VolumeMount{Name: volumeGiven, MountPath: givenDir, ReadOnly: true})
	}
	return c
}

// own is a container of our own image.
func (b *builder) own(name string, args []string) corev1.Container {
	step := runner.Step{Env: b.plan.Sidecar.Env}
	return corev1.Container{
		Name: name, Image: b.options.SidecarImage, ImagePullPolicy: b.options.PullPolicy, Args: escaped(args), Env: b.env(step),
		Resources:                b.options.Resources.Sidecar,
		VolumeMounts:             b.ownMounts(),
		TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
		SecurityContext:          b.security(ownUser, true),
	}
}

// sidecar is the container that delivers.
func (b *builder) sidecar() corev1.Container {
	c := b.own(ContainerSidecar, b.plan.Sidecar.Args)
	if b.metrics == 0 {
		return c
	}
	c.Ports = []corev1.ContainerPort{{Name: "metrics", ContainerPort: b.metrics, Protocol: corev1.ProtocolTCP}}
	c.ReadinessProbe = b.probe("/readyz", 10, 3)
	// Restarting a sidecar ends its sync: only one that answers nobody for five minutes is better off so.
	c.LivenessProbe = b.probe("/healthz", 30, 10)
	return c
}

func (b *builder) probe(path string, period, failures int32) *corev1.Probe {
	probe := &corev1.Probe{PeriodSeconds: period, FailureThreshold: failures, TimeoutSeconds: 5}
	probe.HTTPGet = &corev1.HTTPGetAction{Path: path, Port: intOrName("metrics")}
	return probe
}

// source is the connector's container.
func (b *builder) source() corev1.Container {
	return b.connector(ContainerSource, append(append([]string{"exec", "--"}, b.options.Entrypoint...), b.plan.Connector.Args...))
}

// discover is the connector's container that asks for the streams and configures them.
func (b *builder) discover() corev1.Container {
	args := []string{"catalog", "--leave-failure"} // no other container is started after one that fails, and this one may not write to the database
	for _, stream := range b.options.Selection.Streams {
		args = append(args, "--streams", stream)
	}
	args = append(args, b.options.Selection.ChoiceArgs()...)
	if b.options.Selection.FullRefresh {
		args = append(args, "--full-refresh")
	}
	args = append(append(args, "--"), b.options.Entrypoint...)
	c := b.connector(ContainerDiscover, args)
	config := b.plan.Layout.ConfigDir()
	for _, pair := range [][2]string{{"CONFIG_FILE", runner.ConfigFile}, {"CATALOG_FILE", runner.CatalogFile}} {
		c.Env = append(c.Env, corev1.EnvVar{Name: pair[0], Value: config + "/" + pair[1]})
	}
	c.Env = append(c.Env, corev1.EnvVar{Name: "TMPDIR", Value: config}) // which is memory: it holds the configuration
	return c
}

// connector is a container of the connector's image, which sees neither the data nor the passwords.
func (b *builder) connector(name string, args []string) corev1.Container {
	layout := b.plan.Layout
	return corev1.Container{
		Name: name, Image: b.task.Image, ImagePullPolicy: b.options.PullPolicy,
		Command: []string{layout.Binary()}, Args: escaped(args), Env: b.env(b.plan.Connector),
		Resources: b.options.Resources.Connector,
		VolumeMounts: []corev1.VolumeMount{
			{Name: volumeShared, MountPath: layout.Shared}, {Name: volumeConfig, MountPath: layout.ConfigDir()},
		},
		TerminationMessagePolicy: corev1.TerminationMessageFallbackToLogsOnError,
		SecurityContext:          b.security(b.options.Security.ConnectorUser, false),
	}
}

// security is what a container may do. A connector may write into its own files: many do.
func (b *builder) security(user int64, readOnly bool) *corev1.SecurityContext {
	no := false
	s := &corev1.SecurityContext{
		AllowPrivilegeEscalation: &no,
		Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
	}
	if readOnly {
		s.ReadOnlyRootFilesystem = &readOnly
	}
	if user != 0 {
		s.RunAsUser = &user
	}
	if b.options.Security.Baseline && !readOnly { // its image's own user, who may need what root may
		s.Capabilities, s.AllowPrivilegeEscalation = nil, nil
	}
	return s
}

func ptr[T any](value T) *T { return &value }
