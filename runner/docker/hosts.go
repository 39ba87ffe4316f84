package docker

import (
	"fmt"
	"maps"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"sync-sidecar/runner"
)

// gatewayName is what containers call the machine of the Engine, on every Engine (host-gateway, since 20.10).
const gatewayName = "host.docker.internal"

// localHostDSN finds the host in a key-value connection string of libpq.
var localHostDSN = regexp.MustCompile(`(^|\s)(host\s*=\s*)'?(localhost|127\.0\.0\.1|::1)'?(\s|$)`)

// Reachable rewrites a URL, or a libpq key-value string, that says localhost: inside a container that would be the container. Everything else stays
// as it is; changed says whether anything did.
func Reachable(address string) (rewritten string, changed bool) {
	if !strings.Contains(address, "://") {
		rewritten = localHostDSN.ReplaceAllString(address, "${1}${2}"+gatewayName+"${4}")
		return rewritten, rewritten != address
	}
	parsed, err := url.Parse(address)
	if err != nil || !isLocalHost(parsed.Hostname()) {
		return address, false
	}
	if parsed.Port() == "" {
		parsed.Host = gatewayName
	} else {
		parsed.Host = net.JoinHostPort(gatewayName, parsed.Port())
	}
	return parsed.String(), true
}

func isLocalHost(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// settingsInside is the task's settings as they make sense inside a container, and a note for each that changes: on a network of its own localhost is
// not this machine, and a folder for the spool is one of the volume.
func settingsInside(task runner.Task, network string) (inside map[string]string, notes []string) {
	inside = make(map[string]string, len(task.Settings))
	for _, name := range slices.Sorted(maps.Keys(task.Settings)) {
		value := task.Settings[name]
		if name == "SPOOL_DIR" {
			notes = append(notes, "SPOOL_DIR is a folder of this machine: the sidecar's container spools to its volume")
			continue
		}
		inside[name] = value
		if network == "host" || !slices.Contains(task.AddressSettings, name) {
			continue
		}
		if address, changed := Reachable(value); changed {
			inside[name] = address
			notes = append(notes, fmt.Sprintf("%s names this machine: containers reach it as %s "+
				"(a server that only listens on 127.0.0.1 needs --network host)", name, gatewayName))
		}
	}
	return inside, notes
}

// reachableProxies are proxy variables as they make sense inside a container: a proxy of this machine is reached by the gateway's name.
func reachableProxies(pairs []string, network string) []string {
	if network == "host" {
		return pairs
	}
	all := make([]string, len(pairs))
	for i, pair := range pairs {
		name, address, _ := strings.Cut(pair, "=")
		all[i] = pair
		if strings.EqualFold(name, "NO_PROXY") { // which is names
			continue
		}
		scheme := ""
		if !strings.Contains(address, "://") {
			scheme = "http://" // which is what programs take it for
		}
		if reachable, changed := Reachable(scheme + address); changed {
			all[i] = name + "=" + strings.TrimPrefix(reachable, scheme)
		}
	}
	return all
}
