# Every task of a developer, and of the continuous integration, is a target here. `make` alone lists them.

GO    ?= go
ROOT  := $(CURDIR)
LINT  := $(GO) tool -modfile=$(ROOT)/tools/go.mod golangci-lint

# The race detector needs a C compiler; Go itself tells whether there is one. It passes over SQLite, C made into Go of which nothing is ours,
# and which it makes ten times as slow; soak has it look there, too.
RACE_ALL := $(if $(filter 1,$(shell $(GO) env CGO_ENABLED)),-race)
RACE     := $(RACE_ALL:%=% -gcflags=modernc.org/...=-race=false)

# Modules with code of their own; the linter runs in each.
MODULES := . bench mesh/proof tools

# verify runs what test does, which it takes from go test's cache where nothing has changed, and the tests that need real servers.
# Each proof of a pattern (docs/patterns) must pass. Neither vets, which is a part of lint and costs a minute where nothing is compiled.
GO_TEST = $(GO) test -vet=off
TESTS = $(GO_TEST) $(RACE) -timeout 15m $$($(GO) list ./... | grep -v $(PLAIN:%=-e '/%$$')) -- $(GO_TEST) -timeout 15m $(PLAIN:%=./%)

# These go through hundreds of whole platforms, which takes ten times as long under the race detector. The tests of internal/cli have it
# watch the same code at work, and soak has it on everywhere.
PLAIN := internal/lint/cluster internal/render

# soak: how long each fuzz target runs, and how often each crash test does.
FUZZTIME ?= 30s
ROUNDS   ?= 50

.DEFAULT_GOAL := help
.PHONY: help demo up seed play test mutants verify mesh-proof mesh-bench kind-up kind-down kind-status kind-logs kind-e2e dashboards lint bench soak fmt generate tools clean race-note

help: ## list the targets
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: ## scaffold a service into a scratch copy, run it with the others, show its health, metrics and trace
	$(GO) run ./test/demo

up: ## run all services on this machine until Ctrl-C
	$(GO) run ./cmd/scaffold up

seed: ## fill the running shop with products, users and orders, the same each time (ARGS="-orders 100")
	$(GO) run ./test/seed $(ARGS)

play: ## have people shop in the running shop until Ctrl-C, and show what they get (ARGS="-for 60s")
	$(GO) run ./test/play $(ARGS)

test: race-note | .trellis/bin ## unit tests, race detector on but for two large packages and SQLite; needs only Go and make
	$(GO) run ./test/proofs -unchecked $(TESTS)

verify: race-note | .trellis/bin ## tests on real PostgreSQL, Redis and Kafka (.ci/setup installs them), the proofs of all patterns, and the nested modules
	$(GO) run ./test/proofs $(TESTS) -- $(GO_TEST) $(RACE) -tags real -timeout 25m
	cd tools && $(GO_TEST) $(RACE) ./...
	cd bench && $(GO_TEST) $(RACE) $$($(GO) list -f '{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}' ./...)
	$(MAKE) mesh-proof

mesh-proof: ## prove each rule of the mesh with traffic through real Envoys (.ci/setup fetches them), and print the tables
	cd mesh/proof && $(GO_TEST) -count 1 -timeout 15m

mesh-bench: ## measure how much configuration a sidecar gets, with scoping and without, and write it to docs/mesh.md
	cd mesh/proof && $(GO) test -count 1 -timeout 15m -run TestConfigurationSize -update

kind-up: ## run the platform on a local Kubernetes cluster, and place a first order; again, to apply changes
	$(GO) run ./cmd/scaffold cluster up
	$(GO) run ./test/order

kind-down: ## remove the local cluster, with all that it holds
	$(GO) run ./cmd/scaffold cluster down

kind-status: ## show what runs on the local cluster, where it is reached and what it takes
	$(GO) run ./cmd/scaffold cluster status

kind-logs: ## show the last lines of each service on the local cluster (ARGS="orders --lines 100")
	$(GO) run ./cmd/scaffold cluster logs $(ARGS)

kind-e2e: ## prove on the local cluster what the platform promises, under load where that matters, and print what was measured (ARGS="--run Canary")
	$(GO) run ./cmd/scaffold cluster test $(ARGS)

dashboards: ## print where Grafana, Jaeger and Prometheus are, and open them where there is a browser
	$(GO) run ./cmd/scaffold cluster dashboards

lint: ## every static check: linters, formatting, declarations, licences, documents
	@set -e; for module in $(MODULES); do echo "golangci-lint: $$module"; (cd $$module && $(LINT) run ./...); done
	@unformatted=$$(git ls-files -co --exclude-standard '*.go' | xargs gofmt -l); \
		if [ -n "$$unformatted" ]; then echo "not formatted, run make fmt:" $$unformatted; exit 1; fi
	$(GO) run ./cmd/scaffold check
	$(GO_TEST) ./test/docs -run 'TestDocuments'
	cd tools && $(GO) run ./licences -tests ../mesh/proof .. ../bench
	cd tools && $(GO) run ./tracked ..

bench: ## measure every promise that has a number, against bare Gin, go-zero and Kratos (ARGS=-json …)
	cd bench && $(GO) run . $(ARGS)

soak: race-note ## what takes long: crash tests with ROUNDS=50, every fuzz target for FUZZTIME=30s, mutants, faults seeded in the mesh, benchmarks
	TRELLIS_ROUNDS=$(ROUNDS) $(GO) test $(RACE_ALL) -tags real -timeout 120m -count 1 ./...
	@set -e; for package in $$($(GO) list ./...); do \
		for target in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz'); do \
			echo "fuzz: $$package $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$package; \
		done; \
	done
	$(GO) run ./test/mutants
	cd mesh/proof && $(GO) test -count 1 -timeout 60m -run TestSeededFaults -faults
	$(GO) test -run '^$$' -bench . -benchmem ./...
	$(MAKE) bench

mutants: ## break the platform in one small way after the other, and see that a test notices each (ARGS="--run saga")
	$(GO) run ./test/mutants $(ARGS)

fmt: ## format the code
	@set -e; for module in $(MODULES); do (cd $$module && $(LINT) fmt ./...); done

generate: ## write again what follows from the declarations and from the code
	$(GO) generate ./...
	$(GO) run ./cmd/scaffold sync
	$(GO) test ./test/docs -run 'Graph|Code' -update

tools: ## build the pinned tools now, instead of at their first use
	$(LINT) version
	cd tools && $(GO) build -o /dev/null ./licences && $(GO) build -o /dev/null ./tracked

clean: ## remove what was built here; databases of `make up` and what undo needs stay in .trellis
	rm -rf bin .trellis/bin .trellis/demo
	$(GO) clean -testcache

# What tests see of the root is to stay as it is: else verify has to run again what test has run. Tests build the services in this folder, and
# Go asks git for its state as it builds, which git would note in its own folder.
.trellis/bin:
	@mkdir -p $@

export GIT_OPTIONAL_LOCKS := 0

race-note:
ifeq ($(RACE),)
	@echo "note: no C compiler was found, so the race detector is off; install gcc to run the tests as they are run before a merge"
endif
