// Package manifest renders a task as Kubernetes objects: a Pod, or a Job or CronJob of it, with the Secret, the ConfigMap, the ServiceAccount and the
// NetworkPolicy that go with it. In come a task and options, out go typed objects, or YAML in a stable order; nothing talks to a cluster here.
//
// The Pod is that of docs/kubernetes.md: `init` prepares the shared volume, `sidecar` runs beside the connector's container, whose command is `exec`.
// Every form passes Pod Security's level "restricted" unless told otherwise.
package manifest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/validation"

	"sync-sidecar/runner"
	"sync-sidecar/sidecar"
)

// Kind is what the Pod is wrapped into.
type Kind string

// The kinds.
const (
	KindPod     Kind = "Pod"
	KindJob     Kind = "Job"
	KindCronJob Kind = "CronJob"
)

// Options are what a manifest can choose beside the task. SidecarImage is needed.
type Options struct {
	Kind      Kind
	Name      string // of every object; empty is made of the task's SyncID
	Namespace string // empty leaves it to whoever applies the objects
	// Plain makes the sidecar a second container in place of a native sidecar, an init container that goes on (Kubernetes 1.29).
	Plain        bool
	SidecarImage string
	PullPolicy   corev1.PullPolicy
	PullSecrets  []string
	Entrypoint   []string         // of the connector; empty is AIRBYTE_ENTRYPOINT of its image
	Selection    runner.Selection // of a read without a catalog, which discovers it in the Pod
	// Shards is how many Pods of a Job share the streams of a read out among them; fewer than two are one Pod that reads them all.
	Shards int

	// Secret is the name of a Secret that is there already, with config.json and SecretKeys in it; then none is rendered.
	Secret     string
	SecretKeys []string
	// OneSecret puts the catalog into the Secret, too, where otherwise a ConfigMap holds it.
	OneSecret bool
	// Attended says that somebody looks at how each container ends: then the connector's ends as the connector did, and not as the sync.
	Attended bool

	Security  Security
	Resources Resources
	Storage   Storage
	Placement Placement
	Job       JobOptions

	ServiceAccount string // that is there already; empty renders one without a token
	NetworkPolicy  bool
	Egress         []string // CIDRs that the NetworkPolicy lets out to; empty is everything but the cloud's metadata
}

// Security is what the Pod may do.
type Security struct {
	// Baseline lets the connector run as its image's user, who may be root. Otherwise it runs as ConnectorUser.
	Baseline      bool
	ConnectorUser int64
}

// Resources of the two containers that work. Init steps take those of the container that they prepare.
type Resources struct {
	Connector, Sidecar corev1.ResourceRequirements
}

// Storage says where things wait and stay.
type Storage struct {
	SpoolSize  resource.Quantity // limit of the spool's volume; rows wait there until they are acknowledged
	SpoolClaim string            // a PersistentVolumeClaim in place of the node's disk
	SpoolClass string            // a volume of this StorageClass for each Pod, of SpoolSize
	ConfigSize resource.Quantity // limit of the configuration's volume, which is memory
	DataClaim  string            // a PersistentVolumeClaim for LOCAL_DIR
}

// Placement says where Pods run, and what they are marked with.
type Placement struct {
	NodeSelector      map[string]string
	Tolerations       []corev1.Toleration
	Annotations       map[string]string
	Labels            map[string]string
	PriorityClassName string
}

// JobOptions are what only a Job or a CronJob has.
type JobOptions struct {
	Schedule, TimeZone  string
	BackoffLimit        int32
	ActiveDeadline      time.Duration // of the Pod, too; zero is none
	TTL                 time.Duration // until a finished Job is removed; zero is never
	SuccessfulJobs      int32         // history limits of a CronJob
	FailedJobs          int32
	StartingDeadline    time.Duration
	StartupJitter       time.Duration // a random part of which each Pod waits first
	ConcurrencyReplaces bool          // a CronJob's next run ends the one before, where otherwise it is left out
}

// Validate says everything that is wrong with the options for a task, at once.
func (o Options) Validate(task runner.Task) error {
	var problems []error
	wrong := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if !slices.Contains([]Kind{KindPod, KindJob, KindCronJob}, o.Kind) {
		wrong("--kind %q: write Pod, Job or CronJob", o.Kind)
	}
	if o.Kind == KindCronJob && o.Job.Schedule == "" {
		wrong("a CronJob needs --schedule, as in '15 * * * *'")
	}
	if o.Kind != KindCronJob && o.Job.Schedule != "" {
		wrong("--schedule is for --kind CronJob")
	}
	if name := o.name(task); len(validation.IsDNS1123Label(name)) > 0 || len(name) > o.longestName() {
		wrong("--name %q: use lower-case letters, digits and '-', at most %d, beginning and ending with a letter or digit", name, o.longestName())
	}
	if o.Security.ConnectorUser < 0 || o.Security.ConnectorUser == 0 && !o.Security.Baseline {
		wrong("--run-as-user %d: root needs --pod-security baseline", o.Security.ConnectorUser)
	}
	if o.Storage.SpoolClaim != "" && o.Storage.SpoolClass != "" {
		wrong("--spool-pvc and --spool-storage-class are both given: which one is meant?")
	}
	if o.Shards > 1 && o.Kind == KindPod {
		wrong("--shards is for --kind Job and CronJob, which make several Pods")
	}
	problems = append(problems, o.CheckShards(task))
	problems = append(problems, o.checkSecret(task)...)
	return errors.Join(problems...)
}

// CheckShards says what Pods that share streams out cannot do without, all at once.
func (o Options) CheckShards(task runner.Task) error {
	var problems []error
	switch {
	case o.Shards < 0:
		problems = append(problems, fmt.Errorf("--shards %d is less than 0", o.Shards))
	case o.Shards < 2:
		return nil
	case task.Command != sidecar.CommandRead:
		problems = append(problems, fmt.Errorf("--shards is for read: %s asks for one thing", task.Command))
	}
	if !task.JournalAtServer {
		problems = append(problems, errors.New("--shards needs Postgres (DATABASE_URL, or DESTINATION_URL), by which the Pods agree on who reads what: "+
			"a local folder is one process's"))
	}
	if !task.RowsAtServer {
		problems = append(problems, errors.New("--shards needs a server that takes the rows (DESTINATION_URL or BULKER_URL): "+
			"a local folder is one process's"))
	}
	if limit := task.Settings["STREAM_LIMIT"]; limit != "" && limit != "0" {
		problems = append(problems, errors.New("--shards and --stream-limit: some rows of each stream are read in turns, by one Pod"))
	}
	if o.Storage.SpoolClaim != "" {
		problems = append(problems, errors.New("--shards and --spool-pvc: several Pods would share one volume; write --spool-storage-class for one each"))
	}
	return errors.Join(problems...)
}

// checkKept says what would be lost with the Pod.
func (o Options) checkKept(task runner.Task) error {
	if task.RowsAtServer && task.JournalAtServer || task.Command != sidecar.CommandRead || o.Storage.DataClaim != "" {
		return nil
	}
	return fmt.Errorf("rows or state would be lost with the Pod: set %s, or give a volume for LOCAL_DIR (--data-pvc CLAIM)", missing(task))
}

// missing are the settings without which the local folder is needed.
func missing(task runner.Task) string {
	switch {
	case !task.RowsAtServer && !task.JournalAtServer:
		return "where rows go (BULKER_URL) and DATABASE_URL"
	case task.RowsAtServer:
		return "DATABASE_URL"
	}
	return "where rows go (BULKER_URL)"
}

// checkSecret says what is given twice, or not at all, with a Secret of the caller's.
func (o Options) checkSecret(task runner.Task) []error {
	var problems []error
	if o.Secret == "" {
		if len(o.SecretKeys) > 0 {
			problems = append(problems, errors.New("--secret-key needs --secret: the name of the Secret that holds it"))
		}
		return problems
	}
	if task.Config != nil {
		problems = append(problems, fmt.Errorf("--config and --secret are both given: the configuration is config.json of Secret %s", o.Secret))
	}
	for _, name := range task.SecretSettings {
		if task.Settings[name] != "" && !slices.Contains(o.SecretKeys, name) {
			problems = append(problems, fmt.Errorf("%s is set, and so is --secret: put it into Secret %s and write --secret-key %s", name, o.Secret, name))
		}
	}
	if len(task.ConnectorEnv) > 0 {
		problems = append(problems, fmt.Errorf("--env is kept in a Secret of its own making: with --secret %s there is none", o.Secret))
	}
	return problems
}

// longestName leaves room for what the controllers append: a CronJob's Jobs get 11 characters, a Job's Pods 6 or so, and with an index 4 more.
func (o Options) longestName() int {
	const forIndex = 4
	longest := 57
	if o.Kind == KindCronJob {
		longest = 52
	}
	if o.Shards > 1 {
		longest -= forIndex
	}
	return longest
}

// name is that of every object.
func (o Options) name(task runner.Task) string {
	if o.Name != "" {
		return o.Name
	}
	return ObjectName(task.SyncID, o.longestName())
}
