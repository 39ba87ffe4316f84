package main

import (
	"time"

	"github.com/urfave/cli/v2"

	"sync-sidecar/runner"
	"sync-sidecar/sidecar"
)

// Groups of flags in the help.
const (
	groupConnector = "Connector"
	groupDocker    = "Docker"
	groupOutput    = "Output"
)

// runFlags are the flags of one command of run: its own, and the sidecar's, which are passed through.
func runFlags(command sidecar.Command) []cli.Flag {
	flags := append(connectorFlags(command), dockerFlags()...)
	flags = append(flags, projectFlags()...)
	flags = append(flags, clusterFlags()...)
	flags = append(flags, podFlags()...)
	flags = append(flags, outputFlags()...)
	return append(flags, passedFlags(sidecarFlags())...)
}

func connectorFlags(command sidecar.Command) []cli.Flag {
	flags := []cli.Flag{
		&cli.StringFlag{Name: "image", Category: groupConnector, Usage: "run the connector's `IMAGE` in Docker"},
		&cli.StringFlag{Name: "exec", Category: groupConnector, Usage: "run a local `PROGRAM` with its first arguments as the connector, without Docker"},
		&cli.StringSliceFlag{Name: "env", Aliases: []string{"e"}, Category: groupConnector,
			Usage: "`NAME=VALUE` for the connector, or NAME to pass on; repeat it"},
		&cli.StringSliceFlag{Name: "env-file", Category: groupConnector, Usage: "`FILE` of NAME=VALUE lines for the connector"},
		&cli.StringFlag{Name: "ca", Category: groupConnector,
			Usage: "certificates that the connector trusts, a PEM `FILE`, as of a proxy (SSL_CERT_FILE, REQUESTS_CA_BUNDLE, NODE_EXTRA_CA_CERTS)"},
		&cli.DurationFlag{Name: "grace", Category: groupConnector, Value: 10 * time.Second,
			Usage: "how long the connector may take to end when it is stopped"},
		&cli.DurationFlag{Name: "timeout", Category: groupConnector, Usage: "how long the whole run may take, as in 30m (default: TASK_TIMEOUT_HOURS)"},
		&cli.StringFlag{Name: "sync-id", Category: groupConnector, EnvVars: []string{"SYNC_ID"},
			Usage: "`NAME` under which results, rows and state are kept (default: that of the image or program)"},
		&cli.StringFlag{Name: "local-dir", Category: groupConnector, Value: "sync-data", EnvVars: []string{"LOCAL_DIR"},
			Usage: "`FOLDER` for rows, results and state that no server takes"},
	}
	if command != sidecar.CommandSpec {
		flags = append(flags, &cli.StringFlag{Name: "config", Aliases: []string{"c"}, Category: groupConnector,
			Usage: "the connector's configuration: a `FILE` (JSON or YAML), - for stdin, or JSON; ${NAME} in its strings is taken from the environment"},
			&cli.BoolFlag{Name: "no-validate", Category: groupConnector, Usage: "do not check the configuration against the connector's spec first"})
	}
	if command == sidecar.CommandRead {
		flags = append(flags,
			&cli.StringFlag{Name: "catalog", Category: groupConnector, Usage: "configured catalog, a `FILE` (default: discover, and read all streams)"},
			&cli.StringSliceFlag{Name: "streams", Category: groupConnector, Usage: "read only these streams, `NAME,NAME`; * and ? stand for any letters"},
			&cli.StringSliceFlag{Name: "sync-mode", Category: groupConnector,
				Usage: "read all streams, or one, as `[STREAM=]MODE` says: full_refresh or incremental (default: incremental where a cursor is known)"},
			&cli.StringSliceFlag{Name: "cursor", Category: groupConnector, Usage: "read a stream incrementally by a field, `STREAM=FIELD`"},
			&cli.StringSliceFlag{Name: "primary-key", Category: groupConnector,
				Usage: "tell a stream's rows apart by `STREAM=FIELD,FIELD`; a.b is a field of an object"},
			&cli.Int64Flag{Name: "limit", Category: groupConnector, Usage: "so many rows of each stream are enough, `N`; the next read has the rest"},
			&cli.BoolFlag{Name: "discover", Category: groupConnector, Usage: "discover the streams again, whenever that was done last"},
			&cli.DurationFlag{Name: "catalog-age", Category: groupConnector, Value: runner.DefaultCatalogAge,
				Usage: "how long discovered streams are used before the connector is asked again"},
			&cli.StringFlag{Name: "state", Category: groupConnector, Usage: "state to go on from, a `FILE` (default: what was saved)"},
			&cli.BoolFlag{Name: "no-state", Category: groupConnector, Usage: "do not use the saved state"},
			&cli.BoolFlag{Name: "full-refresh", Category: groupConnector, EnvVars: []string{"FULL_SYNC"}, Usage: "read everything again and replace the rows"},
			&cli.StringFlag{Name: "html", Category: groupOutput, Usage: "write a page about the read to `FILE`: verdict, streams, fields; it holds no rows"},
		)
	}
	return flags
}

// clusterFlags say which cluster a run is for, as kubectl's flags do.
func clusterFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "kubernetes", Category: groupKubernetes, Usage: "run the connector's image as a Pod of a cluster"},
		&cli.StringFlag{Name: "kubeconfig", Category: groupKubernetes, Usage: "`FILE` that says where clusters are (default: KUBECONFIG, ~/.kube/config)"},
		&cli.StringFlag{Name: "context", Category: groupKubernetes, Usage: "`NAME` of a context in the kubeconfig (default: its current one)"},
		&cli.DurationFlag{Name: "start-timeout", Category: groupKubernetes, Value: 5 * time.Minute,
			Usage: "how long the Pod may stand still before it runs: for a node, an image"},
	}
}

func dockerFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "entrypoint", Category: groupDocker, Usage: "the connector's `PROGRAM` instead of the image's ENTRYPOINT"},
		&cli.StringFlag{Name: "network", Category: groupDocker, Usage: "`NETWORK` of all containers, as in host (default: the bridge)"},
		&cli.StringSliceFlag{Name: "add-host", Category: groupDocker, Usage: "extra `HOST:IP` for all containers"},
		&cli.StringFlag{Name: "memory", Category: groupDocker, Usage: "the most memory the connector may use, a `SIZE` as in 2g"},
		&cli.Float64Flag{Name: "cpus", Category: groupDocker, Usage: "how many CPUs the connector may use"},
		&cli.StringSliceFlag{Name: "volume", Category: groupDocker,
			Usage: "a file or folder of this machine, or a volume of the Engine, for the connector, `FILE:PATH[:ro]`; repeat it"},
		&cli.StringFlag{Name: "user", Category: groupDocker, Usage: "whom the connector runs as, `UID[:GID]` (default: its image's user)"},
		&cli.StringFlag{Name: "platform", Category: groupDocker, Usage: "`OS/ARCH` of the connector's image"},
		&cli.StringFlag{Name: "pull", Category: groupDocker, Value: "missing", Usage: "fetch images when `missing`, always or never"},
		&cli.StringFlag{Name: "sidecar-image", Category: groupDocker, Usage: "`IMAGE` of the sidecar (default: made from this binary)"},
		&cli.BoolFlag{Name: "keep", Usage: "leave containers, volumes and temporary files when the run is over", Category: groupDocker},
	}
}

func outputFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "output", Aliases: []string{"o"}, Category: groupOutput, Usage: "`FORMAT` of the result: table, or json (of a read: one event a line)"},
		&cli.StringFlag{Name: "report", Category: groupOutput, Usage: "also write all that is known of the end into a `FILE`, as JSON"},
		&cli.BoolFlag{Name: "dry-run", Category: groupOutput, Usage: "say what would be created and started, and do nothing"},
		&cli.BoolFlag{Name: "quiet", Aliases: []string{"q"}, Category: groupOutput, Usage: "no progress and no logs"},
		&cli.BoolFlag{Name: "verbose", Category: groupOutput, Usage: "all logs of the connector and the sidecar, not only warnings and errors"},
	}
}
