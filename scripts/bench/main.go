// Command bench measures speed and memory: the sidecar's road from the pipe to a server beside `curl`, its reader beside one by way of a map, how it
// keeps up with a source and a server, rows into Postgres beside psql (postgres), and (peers, dlt) others on the same input.
//
//	go run ./scripts/bench [options] [section …]
//
// Everything that is compared is measured in the same run, in interleaved rounds; a ratio is the median of the rounds' ratios, so that a machine that
// is busy for a while does not decide. It needs the programs of `make build` and curl; peers needs more, which `make bench-peers` brings.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := bench(ctx, os.Args[1:], os.Stdout)
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	default:
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 1
	}
}

// options of a run.
type options struct {
	programs string // folder of sync-sidecar, source-demo and bulker-test-server
	rounds   int
	kinds    []string
	size     int64  // bytes of output that each road carries in a round
	scratch  string // folder for pipes and what is delivered; removed at the end
	peers    peers
}

// section is one table.
type section struct {
	name string
	run  func(ctx context.Context, o options, out io.Writer) error
}

// sections in the order in which they run; those of byName only when they are named.
func sections() (always, byName []section) {
	return []section{{"road", road}, {"reader", reader}, {"pace", pace}, {"soak", soak}, {"streams", manyStreams}, {"demo", demo}},
		[]section{{"large", large}, {"peers", comparePeers}, {"grown", grown}, {"start", startUp}, {"postgres", besidePsql}, {"dlt", besideDlt}}
}

func bench(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 2 && (args[0] == readerChild || args[0] == referenceChild) {
		return readAsChild(args[0], args[1], out)
	}
	o := options{}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.StringVar(&o.programs, "programs", "bin", "`folder` of the programs")
	flags.IntVar(&o.rounds, "rounds", 5, "rounds of each comparison")
	chosenKinds := flags.String("rows", strings.Join(kinds(), ","), "`kinds` of rows")
	size := flags.String("size", "", "`bytes` that each road carries in a round, as in 200MB or 10GB (default 400MB; large: 10GB)")
	o.peers.addFlags(flags)
	flags.Usage = func() { describe(flags) }
	if err := flags.Parse(args); err != nil {
		return err
	}
	o.kinds = strings.Split(*chosenKinds, ",")
	var err error
	if o.size, err = parseSize(*size); err != nil {
		return err
	}
	if o.programs, err = filepath.Abs(o.programs); err != nil {
		return err
	}
	chosen, err := choose(flags.Args())
	if err != nil {
		return err
	}
	if o.scratch, err = os.MkdirTemp("", "bench-"); err != nil {
		return err
	}
	for _, s := range chosen {
		if err = s.run(ctx, o, out); err != nil {
			err = fmt.Errorf("%s: %w", s.name, err)
			break
		}
	}
	return errors.Join(err, os.RemoveAll(o.scratch))
}

func describe(flags *flag.FlagSet) {
	always, byName := sections()
	text := "usage: bench [options] [section …]\nsections:"
	for _, s := range always {
		text += " " + s.name
	}
	for _, s := range byName {
		text += " [" + s.name + "]"
	}
	fmt.Fprintln(flags.Output(), text)
	flags.PrintDefaults()
}

// choose finds sections by their names; without a name those that always run.
func choose(names []string) ([]section, error) {
	always, byName := sections()
	if len(names) == 0 {
		return always, nil
	}
	var chosen []section
	for _, name := range names {
		found := false
		for _, s := range append(always, byName...) {
			if s.name == name {
				chosen, found = append(chosen, s), true
			}
		}
		if !found {
			return nil, fmt.Errorf("there is no section %q", name)
		}
	}
	return chosen, nil
}

// parseSize reads 200MB, 10GB or a number of bytes; empty is 0.
func parseSize(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	number, unit := strings.ToUpper(text), int64(1)
	for suffix, factor := range map[string]int64{"GB": 1e9, "MB": 1e6} {
		if rest, found := strings.CutSuffix(number, suffix); found {
			number, unit = rest, factor
		}
	}
	var size int64
	if _, err := fmt.Sscanf(number, "%d", &size); err != nil || size <= 0 {
		return 0, fmt.Errorf("size %q: write it as in 200MB or 10GB", text)
	}
	return size * unit, nil
}
