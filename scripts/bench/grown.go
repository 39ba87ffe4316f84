package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
)

// The demonstration source as an image, made by `make images`, and the size of its rows in grown.
const (
	demoImage     = "sync-sidecar/source-demo:dev"
	grownRowBytes = 2500
	newRows       = 30
)

// Goals, in seconds over the connector's own time.
const (
	grownGoal = 1.5
	startGoal = 0.7
)

// grown reads thirty new rows into folders that hold 10 MB, 1 GB and, with -size 10GB, 10 GB already, by key, beside the connector alone. The Engine
// may be on another machine (DOCKER_HOST).
func grown(ctx context.Context, o options, out io.Writer) error {
	sizes := []int64{10e6, 1e9}
	if o.size > 1e9 {
		sizes = append(sizes, o.size)
	}
	source, withDocker := filepath.Join(o.programs, "source-demo"), hasDemoImage(ctx)
	title := "Grown: 30 new rows into a folder that holds many, by key, beside the connector alone (medians of %d rounds)"
	t := newTable(out, fmt.Sprintf(title, o.rounds), "folder", "by", "connector alone s", "run read s", "s over it")
	for _, size := range sizes {
		g, err := newGrowing(ctx, o, source, size)
		if err != nil {
			return err
		}
		if err := g.measure(ctx, t, "a program", g.alone, "--exec", source); err != nil {
			return err
		}
		if withDocker {
			err = errors.Join(g.giveVolume(ctx), g.measure(ctx, t, "an image", g.container, "--image", demoImage, "--pull", "never"),
				docker(ctx, "volume", "rm", "--force", g.volume()))
		}
		if err = errors.Join(err, os.RemoveAll(g.folder)); err != nil {
			return err
		}
	}
	if !withDocker {
		t.row("", "an image", "not measured: no Docker Engine has "+demoImage+" (make images)")
	}
	return t.end()
}

// growing is a folder and what is read into it.
type growing struct {
	o       options
	source  string
	size    int64
	rows    int64 // that the source has
	folder  string
	catalog string
	config  string // of the connector alone, which has nothing but new rows
}

// newGrowing fills a folder.
func newGrowing(ctx context.Context, o options, source string, size int64) (*growing, error) {
	folder, err := os.MkdirTemp(o.scratch, "grown-")
	if err != nil {
		return nil, err
	}
	g := &growing{o: o, source: source, size: size, rows: size / grownRowBytes, folder: folder, catalog: filepath.Join(folder, "catalog.json"),
		config: filepath.Join(folder, "config.json")}
	if err := os.WriteFile(g.config, []byte(ordersOf(newRows)), 0o600); err != nil {
		return nil, err
	}
	if err := configureCatalog(ctx, o, source, g.config, g.catalog); err != nil {
		return nil, err
	}
	_, err = g.read(ctx, "--exec", source)
	return g, err
}

// ordersOf is a configuration of so many orders, and nothing else.
func ordersOf(rows int64) string {
	return fmt.Sprintf(`{"counts":{"orders":%d},"row_bytes":%d}`, rows, grownRowBytes)
}

// measure adds a row to the table.
func (g *growing) measure(ctx context.Context, t *table, by string, alone func(context.Context) (usage, error), connector ...string) error {
	if _, err := g.read(ctx, connector...); err != nil { // makes the sidecar's image
		return err
	}
	results, err := play(ctx, g.o.rounds, contestant{"alone", alone}, contestant{"run read", func(ctx context.Context) (usage, error) {
		g.rows += newRows
		return g.read(ctx, connector...)
	}})
	if err != nil {
		return err
	}
	var over []float64
	for i := range results[0] {
		over = append(over, (results[1][i].wall - results[0][i].wall).Seconds())
	}
	t.row(megabytes(g.size), by, number("%.2f", results[0].wall()), number("%.2f", results[1].wall()), atMost("%.2f", median(over), grownGoal))
	return nil
}

func megabytes(size int64) string { return fmt.Sprintf("%d MB", size/1e6) }

// read is `run read` of what the source has.
func (g *growing) read(ctx context.Context, connector ...string) (usage, error) {
	arguments := []string{"run", "read", "--config", ordersOf(g.rows), "--catalog", g.catalog, "--streams", "orders", "--quiet",
		"--local-dir", filepath.Join(g.folder, "data"), "--sync-id", "bench"}
	command := exec.CommandContext(ctx, filepath.Join(g.o.programs, "sync-sidecar"), append(arguments, connector...)...)
	command.Env = append(os.Environ(), "BULKER_URL=", "DATABASE_URL=")
	return timed(func() (usage, error) { return runProgram(command) })
}

// alone is the program that reads as many rows as are new.
func (g *growing) alone(ctx context.Context) (usage, error) {
	return timed(func() (usage, error) {
		return runProgram(exec.CommandContext(ctx, g.source, "read", "--config", g.config, "--catalog", g.catalog))
	})
}

// volume is what the container of the connector alone finds its files in.
func (g *growing) volume() string { return "sync-sidecar-bench-" + filepath.Base(g.folder) }

// giveVolume fills it. The Engine may not see the folder.
func (g *growing) giveVolume(ctx context.Context) error {
	holder := g.volume()
	if err := docker(ctx, "create", "--name", holder, "--volume", g.volume()+":/given", demoImage, "spec"); err != nil {
		return err
	}
	return errors.Join(docker(ctx, "cp", g.config, holder+":/given/config.json"), docker(ctx, "cp", g.catalog, holder+":/given/catalog.json"),
		docker(ctx, "rm", holder))
}

// docker runs a command of Docker's that nobody measures.
func docker(ctx context.Context, arguments ...string) error {
	if said, err := exec.CommandContext(ctx, "docker", arguments...).CombinedOutput(); err != nil {
		return fmt.Errorf("docker %s: %w: %s", arguments[0], err, said)
	}
	return nil
}

// container is the same by `docker run`.
func (g *growing) container(ctx context.Context) (usage, error) {
	return timed(func() (usage, error) {
		return runProgram(exec.CommandContext(ctx, "docker", "run", "--rm", "--user", "0:0", "--volume", g.volume()+":/given:ro", demoImage,
			"read", "--config", "/given/config.json", "--catalog", "/given/catalog.json"))
	})
}

// hasDemoImage says whether there is an Engine with the image.
func hasDemoImage(ctx context.Context) bool {
	return exec.CommandContext(ctx, "docker", "image", "inspect", demoImage).Run() == nil
}

// startUp compares `run spec` with `docker run IMAGE spec`.
func startUp(ctx context.Context, o options, out io.Writer) error {
	if !hasDemoImage(ctx) {
		return errors.New("no Docker Engine has " + demoImage + ": make images")
	}
	ours := func(ctx context.Context) (usage, error) {
		return timed(func() (usage, error) {
			return runProgram(exec.CommandContext(ctx, filepath.Join(o.programs, "sync-sidecar"), "run", "spec", "--image", demoImage, "--pull", "never",
				"--quiet", "--local-dir", filepath.Join(o.scratch, "start")))
		})
	}
	if _, err := ours(ctx); err != nil { // makes the sidecar's image
		return err
	}
	plain := func(ctx context.Context) (usage, error) {
		return timed(func() (usage, error) {
			return runProgram(exec.CommandContext(ctx, "docker", "run", "--rm", demoImage, "spec"))
		})
	}
	results, err := play(ctx, 2*o.rounds, contestant{"docker run", plain}, contestant{"run spec", ours})
	if err != nil {
		return err
	}
	var over []float64
	for i := range results[0] {
		over = append(over, (results[1][i].wall - results[0][i].wall).Seconds())
	}
	title := "Start: `run spec --image` beside `docker run --rm IMAGE spec` (medians of %d rounds)"
	t := newTable(out, fmt.Sprintf(title, 2*o.rounds), "docker run s", "run spec s", "s over it", "time ÷ docker run")
	t.row(number("%.2f", results[0].wall()), number("%.2f", results[1].wall()), atMost("%.2f", median(over), startGoal),
		number("%.2f", results[1].wallRatio(results[0])))
	return t.end()
}
