package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/docker/go-units"
	"github.com/google/shlex"

	"sync-sidecar/runner"
	"sync-sidecar/runner/docker"
	"sync-sidecar/runner/kubernetes"
	"sync-sidecar/runner/process"
)

// engine is Docker or a cluster for an image and processes for a local program, and how to leave it.
func (m *runMode) engine(ctx context.Context, task runner.Task) (runner.Engine, func() error, error) {
	if m.cli.Bool("kubernetes") {
		return m.cluster(task)
	}
	if m.cli.Int("shards") > 1 {
		return nil, nil, withCode(exitUsage, errors.New("--shards needs --kubernetes: each shard is a Pod"))
	}
	if m.cli.String("exec") != "" {
		if err := m.onlyInContainers(); err != nil {
			return nil, nil, withCode(exitUsage, err)
		}
		local := &process.Runner{Binary: m.env.executable, Environ: m.env.environ, TempDir: m.env.getenv("TMPDIR"), Keep: m.cli.Bool("keep")}
		return local, func() error { return nil }, nil
	}
	options, err := m.dockerOptions()
	if err != nil {
		return nil, nil, withCode(exitUsage, err)
	}
	engine, err := docker.New(ctx, options)
	if err != nil {
		return nil, nil, withCode(exitEnvironment, err)
	}
	return engine, engine.Close, nil
}

// onlyInContainers refuses what a local program has no use for.
func (m *runMode) onlyInContainers() error {
	var problems []error
	if m.cli.IsSet("volume") {
		problems = append(problems, errors.New("--volume: a local program sees the files of this machine: name their paths in its configuration"))
	}
	if m.cli.IsSet("user") {
		problems = append(problems, errors.New("--user: a local program runs as you do"))
	}
	return errors.Join(problems...)
}

// cluster is the one that kubectl would talk to.
func (m *runMode) cluster(task runner.Task) (runner.Engine, func() error, error) {
	c := m.cli
	pod, err := podOptions(c, task.Settings)
	for _, flag := range []string{"exec", "network", "add-host", "platform"} {
		if c.IsSet(flag) {
			err = errors.Join(err, fmt.Errorf("--%s has no meaning with --kubernetes", flag))
		}
	}
	if c.IsSet("volume") {
		err = errors.Join(err, errors.New("--volume: a cluster does not see the files of this machine: build them into the connector's image "+
			"(FROM, COPY), or run it with Docker"))
	}
	if c.IsSet("user") {
		err = errors.Join(err, errors.New("--user: on a cluster it is --run-as-user"))
	}
	if c.Duration("start-timeout") <= 0 {
		err = errors.Join(err, fmt.Errorf("--start-timeout %s: write a duration above zero, as in 5m", c.Duration("start-timeout")))
	}
	shared := task
	shared.Command = m.command // before a read comes a discover, of which there is one
	if err = errors.Join(err, pod.CheckShards(shared), checkSharedState(pod.Shards, task.State)); err != nil {
		return nil, nil, withCode(exitUsage, err)
	}
	pod.Job.ActiveDeadline = activeDeadline(c, task)
	engine, err := kubernetes.New(kubernetes.Options{Pod: pod, StartTimeout: c.Duration("start-timeout"), Keep: c.Bool("keep"),
		Cluster: kubernetes.Cluster{Kubeconfig: c.String("kubeconfig"), Variable: m.env.getenv("KUBECONFIG"), Home: m.env.getenv("HOME"),
			Context: c.String("context"), Namespace: c.String("kube-namespace")}})
	if err != nil {
		return nil, nil, withCode(exitEnvironment, err)
	}
	return engine, func() error { return nil }, nil
}

// dockerOptions are the flags that concern the Engine, and Docker's own environment.
func (m *runMode) dockerOptions() (docker.Options, error) {
	c := m.cli
	options := docker.Options{
		Daemon: daemonOf(m.env), Version: version(), Binary: m.env.executable, CertFile: m.env.getenv("SSL_CERT_FILE"),
		SidecarImage: c.String("sidecar-image"), Pull: docker.Pull(c.String("pull")), Platform: c.String("platform"),
		Network: c.String("network"), ExtraHosts: c.StringSlice("add-host"), CPUs: c.Float64("cpus"), Keep: c.Bool("keep"),
		Proxy: proxyVariables(m.env.environ), User: c.String("user"),
	}
	for _, text := range c.StringSlice("volume") {
		volume, err := docker.ParseVolume(text)
		if err != nil {
			return options, fmt.Errorf("--volume %q: %w", text, err)
		}
		options.Volumes = append(options.Volumes, volume)
	}
	if !slices.Contains([]docker.Pull{docker.PullMissing, docker.PullAlways, docker.PullNever}, options.Pull) {
		return options, fmt.Errorf("--pull %q: write missing, always or never", options.Pull)
	}
	if size := c.String("memory"); size != "" {
		bytes, err := units.RAMInBytes(size)
		if err != nil || bytes <= 0 {
			return options, fmt.Errorf("--memory %q: write a size as in 512m or 2g", size)
		}
		options.Memory = bytes
	}
	if options.CPUs < 0 {
		return options, fmt.Errorf("--cpus %v: write a number above zero", options.CPUs)
	}
	words, err := shlex.Split(c.String("entrypoint"))
	if err != nil {
		return options, fmt.Errorf("--entrypoint %q: %w", c.String("entrypoint"), err)
	}
	options.Entrypoint = words
	return options, nil
}

// daemonOf is which Engine Docker's environment names.
func daemonOf(env environment) docker.Daemon {
	getenv := env.getenv
	folder := getenv("DOCKER_CONFIG")
	if folder == "" {
		folder = filepath.Join(getenv("HOME"), ".docker")
	}
	return docker.Daemon{Host: getenv("DOCKER_HOST"), Context: getenv("DOCKER_CONTEXT"), ConfigDir: folder, CertPath: getenv("DOCKER_CERT_PATH"),
		TLSVerify: getenv("DOCKER_TLS_VERIFY") != "", APIVersion: getenv("DOCKER_API_VERSION")}
}

// proxyVariables are those that programs look for, in both spellings.
func proxyVariables(environ []string) []string {
	var found []string
	for _, pair := range environ {
		name, _, _ := strings.Cut(pair, "=")
		switch strings.ToUpper(name) {
		case "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "FTP_PROXY":
			found = append(found, pair)
		}
	}
	return found
}
