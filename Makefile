# One entry a task; `make` alone lists them. What a task does stands in its script.

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
VERSION     := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LISTEN      ?= localhost:8000
DEMO_VENV   ?= .cache/venv-demo

.DEFAULT_GOAL := help
.PHONY: help build test lint fuzz bench soak limits demo clean

help: ## List these tasks
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## Build ./dist/gatehouse, one static binary
	CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=$(VERSION)" -o dist/gatehouse ./cmd/gatehouse

test: ## Run every check and every test, the browser's too
	@STATICCHECK=$(STATICCHECK) bash e2e/test.sh

lint: ## Run gofmt, go vet and staticcheck
	@STATICCHECK=$(STATICCHECK) bash e2e/lint.sh

fuzz: ## Run every fuzz target for a minute each (FUZZTIME=5m)
	@bash e2e/fuzz.sh

bench: build ## What a request and a stream cost beside a bare proxy (BENCH="-rounds 3 -only requests")
	@mkdir -p .cache && go build -o .cache/bench ./e2e/bench && .cache/bench -gatehouse dist/gatehouse $(BENCH)

soak: build ## Ten minutes of sessions, streams and outages for each store (SOAK="-for 2m -store redis")
	@mkdir -p .cache && go build -o .cache/soak ./e2e/soak && .cache/soak -gatehouse dist/gatehouse $(SOAK)

limits: build ## What one hostile client can do to the others, in under 5 minutes (LIMITS="-only kids")
	@mkdir -p .cache && go build -o .cache/limits ./e2e/limits && .cache/limits -gatehouse dist/gatehouse $(LIMITS)

demo: build ## Two Gradio dashboards behind Gatehouse, nothing to configure (LISTEN=host:port)
	@bash deploy/demo/venv.sh $(DEMO_VENV) deploy/demo/requirements.txt
	@$(DEMO_VENV)/bin/python deploy/demo/run.py --gatehouse dist/gatehouse --listen $(LISTEN)

clean: ## Remove what was built and cached
	rm -rf dist .cache
