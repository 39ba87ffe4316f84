package main

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/docker/go-units"
	"github.com/google/shlex"
	"github.com/urfave/cli/v2"

	"sync-sidecar/runner/docker"
	"sync-sidecar/runner/manifest"
	"sync-sidecar/sidecar/session"
)

const groupKubernetes = "Kubernetes"

// podFlags are what `manifest kubernetes` and `run --kubernetes` say of a Pod alike.
func podFlags() []cli.Flag {
	const group = groupKubernetes
	return []cli.Flag{
		&cli.StringFlag{Name: "kube-namespace", Aliases: []string{"n"}, Category: group, Usage: "`NAMESPACE` of the objects"},
		&cli.IntFlag{Name: "shards", Category: group, Usage: "share the streams of a read out among so many Pods; needs Postgres"},
		&cli.StringSliceFlag{Name: "image-pull-secret", Category: group, Usage: "`NAME` of a Secret with a registry's password; repeat it"},
		&cli.StringFlag{Name: "service-account", Category: group, Usage: "`NAME` of a ServiceAccount that is there already"},
		&cli.StringFlag{Name: "pod-security", Category: group, Value: "restricted",
			Usage: "Pod Security `LEVEL`: restricted, or baseline (the connector runs as its image's user)"},
		&cli.Int64Flag{Name: "run-as-user", Category: group, Value: 1000, Usage: "`UID` of the connector; 0 with baseline is its image's user"},
		&cli.StringFlag{Name: "requests", Category: group, Value: "cpu=100m,memory=256Mi", Usage: "what the connector's container requests, `cpu=…,memory=…`"},
		&cli.StringFlag{Name: "limits", Category: group, Usage: "the most that the connector's container may use, `cpu=…,memory=…`"},
		&cli.StringFlag{Name: "sidecar-requests", Category: group, Value: "cpu=100m,memory=128Mi", Usage: "what the sidecar requests, `cpu=…,memory=…`"},
		&cli.StringFlag{Name: "sidecar-limits", Category: group, Usage: "the most that the sidecar may use (default: memory for SPOOL_MEMORY and itself)"},
		&cli.StringFlag{Name: "spool-size", Category: group, Value: "10Gi", Usage: "`SIZE` of the volume where rows wait"},
		&cli.StringFlag{Name: "spool-pvc", Category: group, Usage: "PersistentVolume`CLAIM` where rows wait (default: the node's disk)"},
		&cli.StringFlag{Name: "spool-storage-class", Category: group, Usage: "`CLASS` of a volume that each Pod gets for rows that wait"},
		&cli.StringFlag{Name: "config-size", Category: group, Value: "128Mi", Usage: "`SIZE` of the volume, in memory, for configuration, catalog and state"},
		&cli.StringSliceFlag{Name: "node-selector", Category: group, Usage: "`LABEL=VALUE` of the nodes that may run Pods; repeat it"},
		&cli.StringSliceFlag{Name: "toleration", Category: group, Usage: "`KEY[=VALUE][:EFFECT]` of a taint to tolerate; repeat it"},
		&cli.StringSliceFlag{Name: "annotation", Category: group, Usage: "`NAME=VALUE` for the Pods; repeat it"},
		&cli.StringSliceFlag{Name: "label", Category: group, Usage: "`NAME=VALUE` for every object; repeat it"},
		&cli.StringFlag{Name: "priority-class", Category: group, Usage: "`NAME` of the Pods' PriorityClass"},
	}
}

// podOptions are podFlags, with what Docker's flags say of a connector's image. All that is wrong is in the error.
func podOptions(c *cli.Context, settings map[string]string) (manifest.Options, error) {
	r := &podReader{cli: c}
	o := manifest.Options{
		Namespace: c.String("kube-namespace"), SidecarImage: cmp.Or(c.String("sidecar-image"), "sync-sidecar:latest"),
		Shards:      c.Int("shards"),
		PullSecrets: c.StringSlice("image-pull-secret"), ServiceAccount: c.String("service-account"),
		Security: manifest.Security{ConnectorUser: c.Int64("run-as-user")},
		Storage:  manifest.Storage{SpoolClaim: c.String("spool-pvc"), SpoolClass: c.String("spool-storage-class")},
		Placement: manifest.Placement{NodeSelector: r.pairs("node-selector"), Annotations: r.pairs("annotation"), Labels: r.pairs("label"),
			PriorityClassName: c.String("priority-class")},
	}
	switch level := c.String("pod-security"); level {
	case "restricted":
	case "baseline":
		o.Security.Baseline = true
		if !c.IsSet("run-as-user") {
			o.Security.ConnectorUser = 0
		}
	default:
		r.wrong("pod-security", level, errors.New("write restricted or baseline"))
	}
	switch pull := docker.Pull(c.String("pull")); pull {
	case docker.PullMissing, "":
		o.PullPolicy = manifest.PullMissing
	case docker.PullAlways:
		o.PullPolicy = manifest.PullAlways
	case docker.PullNever:
		o.PullPolicy = manifest.PullNever
	default:
		r.wrong("pull", string(pull), errors.New("write missing, always or never"))
	}
	o.Storage.SpoolSize = parsed(r, "spool-size", manifest.ParseQuantity)
	o.Storage.ConfigSize = parsed(r, "config-size", manifest.ParseQuantity)
	connector, sidecar := &o.Resources.Connector, &o.Resources.Sidecar
	connector.Requests, connector.Limits = parsed(r, "requests", manifest.ParseResources), parsed(r, "limits", r.connectorLimits)
	sidecar.Requests, sidecar.Limits = parsed(r, "sidecar-requests", manifest.ParseResources), parsed(r, "sidecar-limits", manifest.ParseResources)
	if c.String("sidecar-limits") == "" {
		sidecar.Limits = manifest.Memory(sidecarMemory(settings))
	}
	for _, text := range c.StringSlice("toleration") {
		o.Placement.AddToleration(text)
	}
	o.Entrypoint = parsed(r, "entrypoint", shlex.Split)
	return o, errors.Join(r.problems...)
}

// sidecarMemory is a limit, in bytes, that a sidecar with these settings stays below: what the heap is kept to, half as much again for what it grows
// by between two collections, and room for stacks, buffers of connections, and pages of the spool.
func sidecarMemory(settings map[string]string) int64 {
	spool := session.DefaultConfig().Load.Spool.Memory
	if set, err := strconv.ParseInt(settings["SPOOL_MEMORY"], 10, 64); err == nil {
		spool = set
	}
	const room, step = 256 << 20, 1 << 20
	return (memoryTarget(spool, 0)*3/2 + room) / step * step
}

// podReader reads flags of Kubernetes' forms and collects what is wrong with them.
type podReader struct {
	cli      *cli.Context
	problems []error
}

func (r *podReader) wrong(flag, value string, err error) {
	r.problems = append(r.problems, fmt.Errorf("--%s %q: %w", flag, value, err))
}

// connectorLimits are --limits, with what run's --memory and --cpus say for every engine.
func (r *podReader) connectorLimits(text string) (manifest.ResourceList, error) {
	if size := r.cli.String("memory"); size != "" {
		bytes, err := units.RAMInBytes(size)
		if err != nil || bytes <= 0 {
			return nil, fmt.Errorf("--memory %q: write a size as in 512m or 2g", size)
		}
		text += fmt.Sprintf(",memory=%d", bytes)
	}
	if cpus := r.cli.Float64("cpus"); cpus != 0 {
		text += fmt.Sprintf(",cpu=%g", cpus)
	}
	return manifest.ParseResources(text)
}

// parsed is the value of a text flag.
func parsed[T any](r *podReader, flag string, parse func(string) (T, error)) T {
	value, err := parse(r.cli.String(flag))
	if err != nil {
		r.wrong(flag, r.cli.String(flag), err)
	}
	return value
}

// pairs reads NAME=VALUE; nil when there are none.
func (r *podReader) pairs(flag string) map[string]string {
	var pairs map[string]string
	for _, text := range r.cli.StringSlice(flag) {
		name, value, found := strings.Cut(text, "=")
		if !found || name == "" {
			r.wrong(flag, text, errors.New("write NAME=VALUE"))
			continue
		}
		if pairs == nil {
			pairs = map[string]string{}
		}
		pairs[name] = value
	}
	return pairs
}
