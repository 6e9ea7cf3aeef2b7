# `make help` lists the targets. Everything is built into bin/ and needs nothing
# but Go; `test` also needs Docker, which scripts/setup.sh installs and starts where
# it is missing and it may. `demo` uses it where it can be had.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := all
export CGO_ENABLED := 0

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
# In a checkout that git does not trust, somebody else's, Go cannot record the commit.
NOVCS := $(if $(shell git rev-parse HEAD 2>/dev/null),,-buildvcs=false)
BUILD = go build -trimpath $(NOVCS) -ldflags "-s -w -X main.version=$(VERSION)"
# The guest runs in containers: Linux, for the engine's architecture.
GOARCH ?= $(shell go env GOARCH)
HOSTARCH := $(shell env -u GOARCH go env GOARCH)

IMAGE ?= tightship-agent:latest
# How the image is built: with the network and the CAs that this machine uses.
CA ?= $(wildcard /etc/ssl/certs/ca-certificates.crt)
IMAGE_FLAGS ?= --network host $(if $(CA),--ca $(CA))

.PHONY: all
all: build ## the default: build

.PHONY: build
build: programs $(if $(filter Linux,$(shell uname -s)),bin/runsc) ## the programs, into bin/

# Go's own cache knows best whether anything changed.
.PHONY: programs
programs:
	GOARCH=$(HOSTARCH) $(BUILD) -o bin/tightship ./cmd/tightship
	GOOS=linux GOARCH=$(GOARCH) $(BUILD) -o bin/tightship-guest ./cmd/tightship-guest

# gVisor's runtime, pinned in go.mod: a minute the first time. Built with cgo it could
# not start its sandbox, which runs it in an empty root without a dynamic loader.
bin/runsc: go.mod
	version=$$(go list -m -f '{{.Version}}' gvisor.dev/gvisor); \
	GOARCH=$(HOSTARCH) go build -trimpath -o $@ \
		-ldflags "-s -w -X gvisor.dev/gvisor/runsc/version.version=$$version" gvisor.dev/gvisor/runsc
	touch $@

.PHONY: image
image: programs ## the reference agent image, from a base that this machine can get
	scripts/setup.sh engine
	base=$$(scripts/setup.sh base); \
	bin/tightship image build --tag $(IMAGE) --base "$$base" $(IMAGE_FLAGS)

.PHONY: demo
demo: build ## proves the agent image tight, or without Docker what this machine has
	scripts/demo.sh $(IMAGE)

.PHONY: test
test: ## everything: lint, cross builds, unit and end-to-end tests (under 25 minutes)
	scripts/test.sh

.PHONY: test-mutants
test-mutants: ## a hundred mistakes in the broker, each of which a test must notice
	scripts/test.sh mutants

.PHONY: test-engines
test-engines: ## the same verdicts on Docker 29 and Podman, which it builds, starts and stops
	scripts/test.sh engines

.PHONY: test-vm
test-vm: ## cgroup v2, systemd and AppArmor, in an emulated Debian that it builds first
	scripts/test.sh vm

.PHONY: unit
unit: ## the unit tests alone, without the race detector: seconds
	go test -timeout 10m ./...

.PHONY: lint
lint: ## formatting, vet, staticcheck, and the workflows
	@unformatted=$$(gofmt -l .); if [ -n "$$unformatted" ]; then \
		echo "not formatted (gofmt -w does it):" $$unformatted >&2; exit 1; fi
	go vet ./...
	go tool staticcheck ./...
	go run github.com/rhysd/actionlint/cmd/actionlint@v1.7.12 .github/workflows/*.yml internal/scaffold/workflow.yml

# The CLI runs on macOS too, against an engine in a virtual machine.
.PHONY: cross
cross: ## builds for the other platforms, thrown away
	for platform in darwin/arm64 darwin/amd64 linux/arm64; do \
		echo "building for $$platform"; \
		GOOS=$${platform%/*} GOARCH=$${platform#*/} go build $(NOVCS) -o /dev/null ./cmd/tightship; \
	done
	GOOS=linux GOARCH=arm64 go build $(NOVCS) -o /dev/null ./cmd/tightship-guest

.PHONY: bench
bench: programs image ## how long verify takes against plain docker runs: ratios and raw times
	go run ./bench -image $(IMAGE)

.PHONY: bench-broker
bench-broker: programs ## the broker and its ledger against nginx, mitmproxy and the disk
	go run ./bench/broker

.PHONY: clean
clean: ## removes bin/ and stops the engine that we started; images stay
	scripts/setup.sh stop
	rm -rf bin

.PHONY: help
help: ## this list
	@sed -nE 's/^([a-z0-9-]+):.*## (.*)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 12
