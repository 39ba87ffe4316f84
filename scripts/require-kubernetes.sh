#!/usr/bin/env bash
# require-kubernetes.sh makes sure that a real Kubernetes of one node runs on this machine, for tests, and prints the path of its kubeconfig last.
#
#   require-kubernetes.sh                 builds it where it was not built yet, and starts it
#   require-kubernetes.sh load IMAGE…     brings local Docker images into it (imagePullPolicy: Never or IfNotPresent)
#   require-kubernetes.sh kubelet         prints the process of its kubelet
#   require-kubernetes.sh stop            ends what it started, and forgets the cluster's state; the programs stay
#
# It needs root, Debian or Ubuntu, Docker and Go, and no image registry: the programs of Kubernetes are built from Go modules, once (some minutes),
# into KUBE_DIR (~/.cache/sync-sidecar/kube); etcd, containerd, runc and the CNI plugins are packages. All ports, the network and the containerd are
# its own, so that it gets in the way of no other cluster here.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
readonly here
readonly version=v1.33.4 # as in scripts/kubernetes/go.mod
readonly dir=${KUBE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/sync-sidecar/kube}
readonly api=16443 etcd=12379 etcd_peer=12380 kubelet=20250 kubelet_health=20248 controllers=20257 scheduler=20259
readonly node=sync-sidecar-node bridge=syncsidecar0 network=10.246.0
readonly programs=(kubelet kube-scheduler kube-controller-manager kube-apiserver etcd) # in the order in which they end

say() { echo "require-kubernetes: $*" >&2; }

fail() {
	say "$*"
	exit 3
}

# needed lists the Debian packages that are missing.
needed() {
	command -v etcd >/dev/null || echo etcd-server
	command -v containerd >/dev/null || echo containerd
	command -v runc >/dev/null || echo runc
	command -v iptables >/dev/null || echo iptables
	command -v conntrack >/dev/null || echo conntrack
	command -v openssl >/dev/null || echo openssl
	command -v curl >/dev/null || echo curl
	[ -x /usr/lib/cni/bridge ] || echo containernetworking-plugins
}

install_packages() {
	[ "$(id -u)" = 0 ] || fail "needs root; or name another cluster, whose nodes have the images: make test-kube TEST_KUBECONFIG=…"
	local packages
	packages=$(needed)
	[ -n "$packages" ] || return 0
	command -v apt-get >/dev/null || fail "missing: ${packages//$'\n'/ }; install them, then run this again"
	say "installing ${packages//$'\n'/ }"
	# A package of Debian starts what it brings unless this file says no.
	local policy=/usr/sbin/policy-rc.d
	if [ ! -e "$policy" ]; then
		printf '#!/bin/sh\nexit 101\n' >"$policy"
		chmod 755 "$policy"
		# shellcheck disable=SC2064 # the name is wanted as it is now
		trap "rm -f '$policy'" EXIT
	fi
	apt-get update -qq >/dev/null
	# shellcheck disable=SC2086 # one word a package
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages >/dev/null 2>&1 || fail "cannot install ${packages//$'\n'/ }"
}

build() {
	mkdir -p "$dir"/{bin,logs,pki,etcd,cri,cni,run}
	# The last program that go build writes says that all are there.
	if [ "$(cat "$dir/bin/version" 2>/dev/null)" != "$version" ]; then
		say "building Kubernetes $version (some minutes, once)"
		local v=k8s.io/component-base/version
		(cd "$here/kubernetes" && CGO_ENABLED=0 go build -mod=mod -trimpath -ldflags "-s -w -X $v.gitVersion=$version -X $v.gitMajor=1 -X $v.gitMinor=33 \
			-X $v.gitTreeState=clean -X $v.gitCommit=0000000000000000000000000000000000000000 -X $v.buildDate=2025-01-01T00:00:00Z" \
			-o "$dir/bin/" k8s.io/kubernetes/cmd/{kube-apiserver,kube-controller-manager,kube-scheduler,kubelet} ./pause >&2) || fail "the build failed"
		echo "$version" >"$dir/bin/version"
	fi
}

# certificate NAME SUBJECT [EXTENSIONS] makes a key and a certificate that the cluster's own authority signs.
certificate() {
	openssl req -newkey rsa:2048 -nodes -keyout "pki/$1.key" -out "pki/$1.csr" -subj "$2" 2>/dev/null
	openssl x509 -req -in "pki/$1.csr" -CA pki/ca.crt -CAkey pki/ca.key -CAcreateserial -out "pki/$1.crt" -days 365 \
		-extfile <(printf '%s' "${3:-}") 2>/dev/null
}

configure() {
	if [ ! -f pki/tokens.csv ]; then
		openssl genrsa -out pki/sa.key 2048 2>/dev/null
		openssl rsa -in pki/sa.key -pubout -out pki/sa.pub 2>/dev/null
		openssl req -x509 -newkey rsa:2048 -nodes -keyout pki/ca.key -out pki/ca.crt -subj /CN=sync-sidecar-test-ca -days 365 2>/dev/null
		certificate api /CN=kube-apiserver "subjectAltName=DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,IP:127.0.0.1,IP:10.97.0.1,IP:$network.1"
		certificate kubelet /O=system:masters/CN=apiserver-kubelet
		(umask 077 && echo "$(openssl rand -hex 16),admin,admin,\"system:masters\"" >pki/tokens.csv)
	fi
	(umask 077 && cat >kubeconfig) <<K
apiVersion: v1
kind: Config
clusters: [{name: sync-sidecar-test, cluster: {server: "https://127.0.0.1:$api", certificate-authority: $dir/pki/ca.crt}}]
users: [{name: admin, user: {token: $(cut -d, -f1 pki/tokens.csv)}}]
contexts: [{name: sync-sidecar-test, context: {cluster: sync-sidecar-test, user: admin}}]
current-context: sync-sidecar-test
K
	cat >cni/10-bridge.conflist <<C
{"cniVersion":"1.0.0","name":"sync-sidecar-test","plugins":[{"type":"bridge","bridge":"$bridge","isGateway":true,"ipMasq":true,
"ipam":{"type":"host-local","dataDir":"$dir/run/cni","ranges":[[{"subnet":"$network.0/24"}]],"routes":[{"dst":"0.0.0.0/0"}]}}]}
C
	cat >cri/config.toml <<C
version = 2
root = "$dir/cri/root"
state = "$dir/cri/state"
[grpc]
  address = "$dir/cri/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/sync-sidecar-pause:test"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$dir/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
C
	cat >kubelet.yaml <<C
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
port: $kubelet
healthzPort: $kubelet_health
authentication: {anonymous: {enabled: false}, webhook: {enabled: false}, x509: {clientCAFile: $dir/pki/ca.crt}}
authorization: {mode: AlwaysAllow}
cgroupDriver: cgroupfs
containerRuntimeEndpoint: unix://$dir/cri/containerd.sock
podLogsDir: $dir/logs/pods
imageGCHighThresholdPercent: 100 # no registry brings back what a full disk would make it remove
imageGCLowThresholdPercent: 99
featureGates: {InPlacePodVerticalScaling: false} # the kubelet of 1.33 panics in it at Pods that are deleted without grace, as it keeps no cgroup for each Pod
failSwapOn: false
failCgroupV1: false
cgroupsPerQOS: false
enforceNodeAllocatable: []
clusterDNS: ["10.97.0.10"]
evictionHard: {memory.available: "10Mi", nodefs.available: "1%", imagefs.available: "1%"}
C
}

# start NAME PROGRAM ARGUMENTS… starts a part, unless it runs.
start() {
	local name=$1
	shift
	if [ -f "run/$name.pid" ] && kill -0 "$(cat "run/$name.pid")" 2>/dev/null; then return 0; fi
	setsid "$@" >"logs/$name" 2>&1 </dev/null 9>&- &
	echo $! >"run/$name.pid"
}

# await SECONDS WHAT COMMAND… waits until the command succeeds.
await() {
	local deadline=$((SECONDS + $1)) what=$2
	shift 2
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$deadline" ] || fail "$what: not in time; see $dir/logs: $(tail -n 2 logs/kube-apiserver logs/kubelet 2>/dev/null)"
		sleep 0.3
	done
}

# ask PATH asks the API.
ask() { curl --silent --fail --max-time 5 --cacert pki/ca.crt --header "Authorization: Bearer $(cut -d, -f1 pki/tokens.csv)" "https://127.0.0.1:$api$1"; }

node_is_ready() { ask "/api/v1/nodes/$node" | tr -d ' \n' | grep -q '"type":"Ready","status":"True"'; }

ours() { ctr --address cri/containerd.sock --namespace k8s.io "$@"; }

has_pause() { ours images list --quiet | grep -qx localhost/sync-sidecar-pause:test; }

start_control_plane() {
	start etcd etcd --data-dir etcd --listen-client-urls "http://127.0.0.1:$etcd" --advertise-client-urls "http://127.0.0.1:$etcd" \
		--listen-peer-urls "http://127.0.0.1:$etcd_peer" --unsafe-no-fsync
	await 60 etcd curl --silent --fail "http://127.0.0.1:$etcd/health"
	start kube-apiserver bin/kube-apiserver --etcd-servers="http://127.0.0.1:$etcd" --secure-port="$api" --bind-address=127.0.0.1 \
		--tls-cert-file=pki/api.crt --tls-private-key-file=pki/api.key --client-ca-file=pki/ca.crt --service-account-key-file=pki/sa.pub \
		--service-account-signing-key-file=pki/sa.key --service-account-issuer=https://kubernetes.default.svc --service-cluster-ip-range=10.97.0.0/16 \
		--token-auth-file=pki/tokens.csv --authorization-mode=Node,RBAC --endpoint-reconciler-type=none \
		--kubelet-client-certificate=pki/kubelet.crt --kubelet-client-key=pki/kubelet.key --kubelet-preferred-address-types=Hostname,InternalIP
	await 120 "the API server" ask /readyz
	start kube-controller-manager bin/kube-controller-manager --kubeconfig=kubeconfig --service-account-private-key-file=pki/sa.key --root-ca-file=pki/ca.crt \
		--leader-elect=false --secure-port="$controllers"
	start kube-scheduler bin/kube-scheduler --kubeconfig=kubeconfig --leader-elect=false --secure-port="$scheduler"
}

start_node() {
	start containerd containerd --config cri/config.toml
	await 60 containerd ours version
	if ! has_pause; then
		mkdir -p run/pause
		cp bin/pause run/pause/
		printf 'FROM scratch\nCOPY pause /pause\nENTRYPOINT ["/pause"]\n' >run/pause/Dockerfile
		"$here/build-image.sh" localhost/sync-sidecar-pause:test run/pause >/dev/null
		load localhost/sync-sidecar-pause:test
	fi
	# The API server calls the kubelet by the node's name.
	grep -q " $node\$" /etc/hosts || echo "127.0.0.1 $node" >>/etc/hosts
	start kubelet bin/kubelet --kubeconfig kubeconfig --config kubelet.yaml --hostname-override "$node" --root-dir "$dir/kubelet"
	await 120 "the node" node_is_ready
	await 60 "the ServiceAccount default" ask /api/v1/namespaces/default/serviceaccounts/default
}

load() {
	docker save "$@" | ours images import - >/dev/null
}

up() {
	install_packages
	build
	cd "$dir"
	configure
	start_control_plane
	start_node
	say "Kubernetes $version runs"
	echo "$dir/kubeconfig"
}

stop() {
	[ -d "$dir/run" ] || return 0
	cd "$dir"
	local name
	for name in "${programs[@]}"; do
		[ ! -f "run/$name.pid" ] || kill "$(cat "run/$name.pid")" 2>/dev/null || true
	done
	if [ -S cri/containerd.sock ]; then
		ours tasks list --quiet 2>/dev/null | while read -r task; do ours tasks kill --signal KILL "$task" >/dev/null 2>&1 || true; done
		sleep 1
	fi
	[ ! -f run/containerd.pid ] || kill "$(cat run/containerd.pid)" 2>/dev/null || true
	sleep 1
	grep -o " $dir[^ ]*" /proc/mounts | sort -r | xargs -r umount -l 2>/dev/null || true
	ip link delete "$bridge" 2>/dev/null || true
	sed "/ $node\$/d" /etc/hosts >run/hosts && cat run/hosts >/etc/hosts
	rm -rf etcd cri kubelet cni logs kubeconfig pki run
}

mkdir -p "$dir"
exec 9>"$dir.lock"
flock 9
case ${1:-up} in
up) up ;;
load)
	shift
	cd "$dir"
	load "$@"
	;;
kubelet) cat "$dir/run/kubelet.pid" ;;
stop) stop ;;
*) fail "unknown argument $1: load, kubelet or stop" ;;
esac
