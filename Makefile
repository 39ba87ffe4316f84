# Everything that is done with this project, by one command each. `make help` lists them; CI does what `make verify` does.
SHELL := /bin/bash
.DEFAULT_GOAL := help

# What --version says; `make VERSION=v1.2.3 image` for a release.
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null)
IMAGE := sync-sidecar:latest
DEMO_IMAGE := sync-sidecar/source-demo:dev
# One version of each linter for everybody; what the machine does not have is installed into .cache.
GOLANGCI_VERSION := 2.15.0
CHECKLOCKS_VERSION := 0.0.0-20260905035102-160fafc42237
ACTIONLINT_VERSION := 1.7.12
FUZZTIME ?= 30s
N ?= 1000
FIRST ?= $(shell date +%s)

export CGO_ENABLED := 0

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## build the programs into bin/
	go build -trimpath -ldflags "-X main.buildVersion=$(VERSION)" -o bin/ ./cmd/...

.PHONY: demo
demo: build ## read the demonstration source into demo-data/ and show what arrived (no Docker, no server)
	scripts/demo.sh

.PHONY: demo-postgres
demo-postgres: build ## read the demonstration source into tables of a Postgres that is started for it, and show them (installs PostgreSQL)
	scripts/require-postgres.sh server
	scripts/demo-postgres.sh

.PHONY: image
image: ## build the images sync-sidecar:latest and sync-sidecar/source-demo:dev
	scripts/require-docker.sh
	scripts/base-images.sh
	scripts/build-image.sh $(IMAGE) --build-arg VERSION=$(VERSION) .
	scripts/build-image.sh $(DEMO_IMAGE) --build-arg VERSION=$(VERSION) --target source-demo .

.PHONY: images
images: image ## build every image that the tests run
	scripts/source-faker.sh

.PHONY: setup
setup: images ## install and build what the tests need: Docker, PostgreSQL, Chromium, tmux, images, a real connector
	scripts/require-postgres.sh
	scripts/compose-v2.sh
	scripts/require-chromium.sh
	scripts/require-tmux.sh

.PHONY: unit
unit: ## run the tests that need neither Docker nor Postgres, in less than a minute
	@# With -short, what starts servers, containers or whole syncs skips itself. CI runs everything: make test.
	go test -short ./...

.PHONY: test
test: setup ## run every test, against the real parts
	@# The race detector is the one thing that needs cgo. The package that mostly waits comes first, beside two that work.
	CGO_ENABLED=1 go test -race -shuffle=on -timeout 20m -p 3 ./sidecar/chaos ./...

.PHONY: test-postgres
test-postgres: ## run Postgres' tests on the oldest and the newest release that the docs promise (gets both by npm, once)
	scripts/require-postgres.sh
	scripts/test-postgres.sh

.PHONY: test-kube
test-kube: images ## run the tests on a Kubernetes cluster: that of TEST_KUBECONFIG, or one that is built (some minutes, once) and started here
	scripts/require-postgres.sh
	scripts/test-kube.sh

.PHONY: lint
lint: ## check format, vet, linters, locks, and that go.mod is tidy
	scripts/lint.sh $(GOLANGCI_VERSION) $(CHECKLOCKS_VERSION) $(ACTIONLINT_VERSION)

.PHONY: check-image
check-image: image ## check that the image is small, static, without a shell and without root
	scripts/check-image.sh $(IMAGE)

.PHONY: verify
verify: lint test test-postgres check-image test-kube ## everything that CI checks

.PHONY: smoke
smoke: image ## run the whole Compose stack as a user's CI would (SMOKE="--profile postgres" for another one)
	scripts/smoke.sh $(SMOKE)

.PHONY: bench
bench: build ## measure speed and memory, beside curl (BENCH="road soak" or "grown start" for some tables, BENCH_SIZE=10GB for memory on much)
	go run ./scripts/bench $(if $(BENCH_SIZE),-size $(BENCH_SIZE) large,$(BENCH))

.PHONY: bench-peers
bench-peers: build ## measure speed and memory beside PyAirbyte, source-faker and dlt, which are installed into .cache
	scripts/source-faker.sh local
	scripts/python-peer.sh pyairbyte
	scripts/python-peer.sh dlt
	scripts/require-postgres.sh
	go run ./scripts/bench peers dlt

.PHONY: fuzz
fuzz: ## run every fuzz test for FUZZTIME each (default 30s)
	scripts/fuzz.sh $(FUZZTIME)

.PHONY: chaos
chaos: ## kill random parts N times (default 1000) and check that nothing is lost; FIRST=n begins with other scenarios, SEED=n plays one again
	scripts/require-postgres.sh
	CHAOS_RUNS=$(N) CHAOS_FIRST=$(FIRST) CHAOS_SEED=$(SEED) CI=true go test -count=1 -v -timeout 12h -run TestKillMatrix ./sidecar/chaos

.PHONY: clean
clean: ## remove what was built here; rows, caches and images stay
	rm -rf bin demo-data
