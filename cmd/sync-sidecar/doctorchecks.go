package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"sync-sidecar/runner"
	"sync-sidecar/runner/docker"
	"sync-sidecar/runner/kubernetes"
	"sync-sidecar/sidecar"
	"sync-sidecar/sidecar/bulker"
	"sync-sidecar/sidecar/postgres"
)

// Limits of what is fine.
const (
	clockTolerance = 30 * time.Second
	littleDisk     = 1 << 30 // bytes
)

// checkDocker connects to the Engine. Without one it is nil, which is fine for who runs local programs.
func (d *doctor) checkDocker(ctx context.Context) (engine *docker.Runner, leave func()) {
	leave = func() {}
	options, err := d.dockerOptions()
	if err == nil {
		engine, err = docker.New(ctx, options)
	}
	if err != nil {
		g, fix := gradeFail, "start Docker, or name its socket in DOCKER_HOST"
		if d.cli.String("exec") != "" {
			g, fix = gradeWarn, "nothing, as long as connectors are local programs (--exec)"
		}
		_ = d.tell(found("Docker", g, err.Error(), fix)...) //nolint:errcheck // the next line fails, too
		return nil, leave
	}
	leave = func() { _ = engine.Close() } //nolint:errcheck // nothing was sent that an error could lose
	machine, err := engine.Machine(ctx)
	if err != nil {
		_ = d.tell(found("Docker", gradeFail, err.Error(), "look at the Engine's log")...) //nolint:errcheck // as above
		return nil, leave
	}
	kind := ""
	if machine.Rootless {
		kind = ", rootless"
	}
	text := fmt.Sprintf("Engine %s for %s%s at %s", machine.Version, machine.Architecture, kind, machine.Host)
	_ = d.tell(append(found("Docker", gradeOK, text, ""), clock("the Engine's machine", machine.Ahead)...)...) //nolint:errcheck // as above
	return engine, leave
}

// clock compares another machine's with this one's.
func clock(whose string, ahead time.Duration) []finding {
	difference := ahead.Abs().Round(time.Second)
	if difference <= clockTolerance {
		return found("clock", gradeOK, "as on "+whose, "")
	}
	way := "ahead of"
	if ahead < 0 {
		way = "behind"
	}
	return found("clock", gradeWarn, fmt.Sprintf("%s is %s %s this one", whose, difference, way),
		"set both by NTP: tokens and certificates that are checked there may not be valid yet, or not any more")
}

// checkContainers runs a connector that does nothing, from end to end.
func (d *doctor) checkContainers(ctx context.Context, engine *docker.Runner) []finding {
	const check = "containers"
	if engine == nil {
		return found(check, gradeSkip, "there is no Engine", "")
	}
	image, err := engine.Sidecar(ctx)
	if err != nil {
		return found(check, gradeFail, err.Error(), "name an image that the Engine has with --sidecar-image")
	}
	options, err := d.dockerOptions()
	if err != nil {
		return found(check, gradeFail, err.Error(), "")
	}
	options.Entrypoint, options.Pull, options.Platform = []string{"/sync-sidecar", doctorSource}, docker.PullNever, ""
	trial, err := docker.New(ctx, options)
	if err != nil {
		return found(check, gradeFail, err.Error(), "")
	}
	defer trial.Close() //nolint:errcheck // nothing was sent that an error could lose
	localDir, err := filepath.Abs(d.cli.String("local-dir"))
	if err != nil {
		return found(check, gradeFail, err.Error(), "")
	}
	began := time.Now()
	task := runner.Task{Command: sidecar.CommandSpec, SyncID: "sync-sidecar-doctor", TaskID: newTaskID(began), Image: image, LocalDir: localDir,
		StartedAt: began, Grace: 5 * time.Second}
	_, existed := os.Stat(localDir)
	if err := os.MkdirAll(localDir, 0o755); err != nil {
		return found(check, gradeSkip, "--local-dir cannot be made: "+err.Error(), "set --local-dir to a folder that can")
	}
	mounted, err := trial.Try(ctx, task)
	err = errors.Join(err, os.RemoveAll(task.Folder()))
	if errors.Is(existed, os.ErrNotExist) {
		err = errors.Join(err, os.Remove(localDir))
	}
	if err != nil {
		return found(check, gradeFail, err.Error(), "look at the Engine's log; volumes need a local driver, pipes a Linux kernel")
	}
	took := time.Since(began).Round(100 * time.Millisecond)
	text := fmt.Sprintf("volumes and named pipes between containers work (%s for init, connector and sidecar)", took)
	folder := found("folder", gradeOK, "the Engine sees --local-dir: rows go there while they arrive", "")
	if !mounted {
		folder = found("folder", gradeWarn, "the Engine does not see --local-dir, or as another user: each read copies its rows there and back",
			"nothing, if the folder is small; else run where the Engine is, or deliver to a server")
	}
	return append(found(check, gradeOK, text, ""), folder...)
}

// checkImage looks at the connector's image, when one is named.
func (d *doctor) checkImage(ctx context.Context, engine *docker.Runner) []finding {
	const check = "image"
	name := d.cli.String("image")
	if name == "" {
		name = d.cli.Args().First()
	}
	switch {
	case name == "":
		return found(check, gradeSkip, "no connector's image was named (--image)", "")
	case engine == nil:
		return found(check, gradeSkip, "there is no Engine", "")
	}
	entrypoint, notes, err := engine.Connector(ctx, name)
	if err != nil {
		return found(check, gradeFail, err.Error(), "build or pull the image, or name its program with --entrypoint")
	}
	var all []finding
	for _, note := range notes {
		all = append(all, found(check, gradeWarn, note, "")...)
	}
	if len(entrypoint) > 0 {
		all = append(all, found(check, gradeOK, fmt.Sprintf("%s starts %q", name, strings.Join(entrypoint, " ")), "")...)
	}
	return all
}

// checkFolder looks for room for rows.
func (d *doctor) checkFolder(context.Context) []finding {
	return room("rows' disk", d.cli.String("local-dir"), "set --local-dir to a folder on another disk")
}

// checkSpool looks for room for rows that wait for a server.
func (d *doctor) checkSpool(context.Context) []finding {
	folder := d.settings["SPOOL_DIR"]
	if folder == "" {
		folder = os.TempDir()
	}
	return room("spool's disk", folder, "set SPOOL_DIR to a folder on another disk: a full refresh needs its size there")
}

// room says how much is free where a folder is, or is to be.
func room(check, folder, fix string) []finding {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return found(check, gradeFail, err.Error(), fix)
	}
	there := folder
	for {
		if _, err := os.Stat(there); err == nil || there == filepath.Dir(there) {
			break
		}
		there = filepath.Dir(there)
	}
	var disk syscall.Statfs_t
	if err := syscall.Statfs(there, &disk); err != nil {
		return found(check, gradeFail, fmt.Sprintf("%s: %v", there, err), fix)
	}
	if err := writable(there); err != nil {
		return found(check, gradeFail, fmt.Sprintf("%s cannot be written by user %d: %v", there, os.Getuid(), err), fix)
	}
	free := uint64(disk.Bsize) * disk.Bavail // types differ between systems
	detail := fmt.Sprintf("%.1f GB free at %s", float64(free)/1e9, there)
	if free < littleDisk {
		return found(check, gradeWarn, detail, fix)
	}
	return found(check, gradeOK, detail, "")
}

// writable makes a file in a folder, and removes it.
func writable(folder string) error {
	file, err := os.CreateTemp(folder, ".sync-sidecar-doctor-*")
	if err != nil {
		return err
	}
	return errors.Join(file.Close(), os.Remove(file.Name()))
}

// checkBulker asks Bulker what a read asks it before it begins.
func (d *doctor) checkBulker(ctx context.Context) []finding {
	const check = "Bulker"
	url := d.settings["BULKER_URL"]
	if url == "" {
		return found(check, gradeSkip, "BULKER_URL is not set: rows go elsewhere", "")
	}
	destination := d.cli.String("sync-id")
	if destination == "" {
		return found(check, gradeWarn, "without SYNC_ID (--sync-id) it is not known which destination to ask for",
			"set SYNC_ID to a destination of Bulker's")
	}
	client, err := bulker.New(bulker.Options{URL: url, Token: d.settings["BULKER_AUTH_TOKEN"], DestinationID: destination, SyncID: destination})
	if err != nil {
		return found(check, gradeFail, err.Error(), "correct BULKER_URL")
	}
	switch err := client.Ready(ctx); {
	case errors.Is(err, bulker.ErrNotReady):
		return found(check, gradeWarn, err.Error(), "look whether its Kafka is up: loads may work all the same")
	case err != nil:
		return found(check, gradeFail, err.Error(), "")
	}
	return found(check, gradeOK, fmt.Sprintf("%s takes the token and knows destination %q", client, destination), "")
}

// checkKubernetes asks the cluster that `run --kubernetes` would use, where one is configured.
func (d *doctor) checkKubernetes(ctx context.Context) []finding {
	const check = "Kubernetes"
	config := filepath.Join(d.env.getenv("HOME"), ".kube", "config")
	_, err := os.Stat(config)
	if d.cli.String("kubeconfig") == "" && d.env.getenv("KUBECONFIG") == "" && err != nil && !d.cli.Bool("kubernetes") {
		return found(check, gradeSkip, "no cluster is configured (KUBECONFIG, ~/.kube/config)", "")
	}
	cluster, err := kubernetes.New(kubernetes.Options{Cluster: kubernetes.Cluster{Kubeconfig: d.cli.String("kubeconfig"),
		Variable: d.env.getenv("KUBECONFIG"), Home: d.env.getenv("HOME"), Context: d.cli.String("context"), Namespace: d.cli.String("kube-namespace")}})
	if err != nil {
		return found(check, gradeFail, err.Error(), "correct KUBECONFIG, or choose another --context")
	}
	where, err := cluster.Check(ctx)
	if err != nil {
		return found(check, gradeFail, err.Error(), "look whether kubectl get pods works there")
	}
	return found(check, gradeOK, where+" lets us see Pods", "")
}

// checkPostgres connects to the servers that are named, and looks for tables and rights. It changes nothing.
func (d *doctor) checkPostgres(ctx context.Context) []finding {
	all := found("Postgres", gradeSkip, "DATABASE_URL is not set: results, state and status go to the folder", "")
	if url := d.settings["DATABASE_URL"]; url != "" {
		all = examine(ctx, "Postgres", "DATABASE_URL", url, true)
	}
	if url := d.settings["DESTINATION_URL"]; url != "" {
		all = append(all, examine(ctx, "destination", "DESTINATION_URL", url, false)...)
	}
	return all
}

// examine looks at one server: its clock, whether tables can be made, and, for a journal, whether those that are there can be used.
func examine(ctx context.Context, check, variable, url string, journal bool) []finding {
	x, err := postgres.Examine(ctx, variable, url)
	if err != nil {
		return found(check, gradeFail, err.Error(), "start the server, or correct "+variable+" (host, user, password, sslmode)")
	}
	name := fmt.Sprintf("PostgreSQL %s, user %s, schema %s", x.Version, x.User, x.Schema)
	all := clock("Postgres", x.Ahead)
	forbidden := strings.Join(x.Forbidden, ", ")
	switch {
	case journal && len(x.Forbidden) > 0:
		return append(all, found(check, gradeFail, name+": may not use "+forbidden,
			fmt.Sprintf("grant select, insert, update, delete on %s to %s", forbidden, x.User))...)
	case !x.MayCreate && (!journal || len(x.Missing) > 0):
		return append(all, found(check, gradeFail, name+": may not make the tables that are missing",
			fmt.Sprintf("grant create on schema %s to %s, or let its owner make them", x.Schema, x.User))...)
	case journal && len(x.Missing) > 0:
		there := len(x.Tables) - len(x.Missing)
		return append(all, found(check, gradeOK, fmt.Sprintf("%s: %d of %d tables are there, the others will be made", name, there, len(x.Tables)), "")...)
	}
	return append(all, found(check, gradeOK, name+": tables and rights are there", "")...)
}
