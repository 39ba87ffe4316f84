// Command pause holds the namespaces of a Pod and collects its orphans, as the image registry.k8s.io/pause does where a registry can be reached.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGCHLD)
	for received := range signals {
		if received != syscall.SIGCHLD {
			return
		}
		for collected := 1; collected > 0; {
			var err error
			if collected, err = syscall.Wait4(-1, nil, syscall.WNOHANG, nil); err != nil {
				break
			}
		}
	}
}
