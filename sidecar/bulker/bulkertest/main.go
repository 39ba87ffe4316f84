package bulkertest

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
)

// Main runs a server as a process until ctx ends. Its first line on stdout is `listening on http://…`. Killed, and started again with the same
// -dir, it holds every load that it had acknowledged.
func Main(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parseFlags(args, stderr)
	if err != nil {
		return err
	}
	s, err := New(o)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(stdout, "listening on %s\n", s.URL); err != nil {
		return errors.Join(err, s.Close())
	}
	<-ctx.Done()
	return s.Close()
}

// parseFlags reads the command line.
func parseFlags(args []string, stderr io.Writer) (Options, error) {
	var o Options
	flags := flag.NewFlagSet("bulker-test-server", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.Addr, "addr", "127.0.0.1:0", "`address` to listen at")
	flags.StringVar(&o.Dir, "dir", "", "`folder` that keeps what is committed (default: one that goes with the process)")
	flags.StringVar(&o.Token, "token", "", "that requests must bear (default: none is asked for)")
	flags.DurationVar(&o.ReadTimeout, "read-timeout", readTimeout, "of a whole request")
	flags.IntVar(&o.RowsPerSecond, "rows-per-second", 0, "that are taken from one request (default: as they come)")
	flags.DurationVar(&o.MergeTime, "merge-time", 0, "that a commit takes")
	flags.BoolVar(&o.Discard, "discard", false, "count rows and bytes without keeping them")
	flags.BoolVar(&o.NotReady, "not-ready", false, "say no at /ready, as Bulker does without Kafka")
	flags.Func("destination", "`id` of a destination that exists; repeat for more (default: every one exists)", func(id string) error {
		o.Destinations = append(o.Destinations, id)
		return nil
	})
	const faultUsage = "`JSON` of a fault; {\"moment\":\"end\",\"commit\":true} cuts the connection after a commit; repeat for more"
	flags.Func("fault", faultUsage, func(text string) error {
		var f Fault
		if err := json.Unmarshal([]byte(text), &f); err != nil {
			return err
		}
		o.Faults = append(o.Faults, f)
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return Options{}, err
	}
	if flags.NArg() > 0 {
		return Options{}, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	return o, nil
}
