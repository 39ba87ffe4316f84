package main

import (
	"cmp"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"sync-sidecar/sidecar/bulker/bulkertest"
	"sync-sidecar/sidecar/postgres/postgrestest"
)

// door is a way from the cluster to a server that listens on this machine only. It can be shut for a while, as if the server were away.
type door struct {
	t        *testing.T
	listener net.Listener
	inside   string

	mu    sync.Mutex
	shut  bool
	conns map[net.Conn]bool
	going sync.WaitGroup
}

// openDoor opens one to an address.
func openDoor(t *testing.T, inside string) *door {
	t.Helper()
	listener, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	d := &door{t: t, listener: listener, inside: inside, conns: map[net.Conn]bool{}}
	d.going.Go(d.serve)
	t.Cleanup(func() {
		_ = listener.Close()
		d.set(true)
		d.going.Wait()
	})
	return d
}

func (d *door) serve() {
	for {
		outer, err := d.listener.Accept()
		if err != nil {
			return
		}
		inner, err := net.Dial("tcp", d.inside)
		if err != nil || !d.keep(outer, inner) {
			_ = outer.Close()
			if inner != nil {
				_ = inner.Close()
			}
			continue
		}
		for _, pair := range [][2]net.Conn{{outer, inner}, {inner, outer}} {
			d.going.Go(func() {
				_, _ = io.Copy(pair[0], pair[1])
				_, _ = pair[0].Close(), pair[1].Close()
			})
		}
	}
}

func (d *door) keep(conns ...net.Conn) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, conn := range conns {
		d.conns[conn] = true
	}
	return !d.shut
}

// set shuts the door, which breaks what goes through it, or opens it again.
func (d *door) set(shut bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.shut = shut
	for conn := range d.conns {
		if shut {
			_ = conn.Close()
			delete(d.conns, conn)
		}
	}
}

// kubeServers are a Bulker and a Postgres that Pods reach.
type kubeServers struct {
	bulker                 *bulkertest.Server
	database               string // as this machine reaches it
	toBulker, toDatabase   *door
	bulkerURL, databaseURL string // as Pods reach them
	tables                 bool   // rows go into the database instead of Bulker
}

// flags say where rows and the journal go.
func (s *kubeServers) flags() []string {
	if s.tables {
		return []string{"--destination-url", s.databaseURL}
	}
	return []string{"--bulker-url", s.bulkerURL, "--database-url", s.databaseURL}
}

// serve starts the servers. Pods reach this machine at TEST_KUBE_HOST, which is the node's own address when the cluster is here.
func (k *kubeLine) serve(t *testing.T) *kubeServers {
	t.Helper()
	var nodes corev1.NodeList
	if err := k.call(http.MethodGet, "/api/v1/nodes", "", &nodes); err != nil || len(nodes.Items) == 0 {
		t.Fatal(err, len(nodes.Items))
	}
	host := os.Getenv("TEST_KUBE_HOST")
	for _, address := range nodes.Items[0].Status.Addresses {
		if address.Type == corev1.NodeInternalIP {
			host = cmp.Or(host, address.Address)
		}
	}
	server, err := bulkertest.New(bulkertest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	s := &kubeServers{bulker: server, database: postgrestest.Database(t)}
	reach := func(address string) (*door, string) {
		parsed, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		d := openDoor(t, parsed.Host)
		_, port, _ := net.SplitHostPort(d.listener.Addr().String())
		parsed.Host = net.JoinHostPort(host, port)
		return d, parsed.String()
	}
	s.toBulker, s.bulkerURL = reach(server.URL)
	s.toDatabase, s.databaseURL = reach(s.database)
	return s
}
