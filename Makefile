# Every target calls cargo or cargo xtask; the only shell is the part that installs what cargo needs.

.DEFAULT_GOAL := help
.PHONY: help setup build run test lint fmt fix bench instructions fuzz doc

help: ## Show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

setup: ## Install the system packages that are missing (Debian, root)
	@sh deploy/setup-debian.sh

build: setup ## Build all programs
	cargo build --locked --workspace --bins

run: build ## Start a whole system on this machine and print what to try
	cargo run --locked --quiet --package tidegate-cli -- dev $(ARGS)

test: build ## Run all tests
	cargo test --locked --workspace --no-fail-fast

lint: setup ## Check format, lints, dependencies and the project's own rules; changes nothing
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo xtask tidy
	cargo xtask docs --check
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --quiet

fmt: ## Format the code
	cargo fmt --all

fix: fmt ## Run every tool that rewrites files
	cargo xtask docs

bench: setup ## Compare with peers on this machine and write benches/results.md
	sh deploy/setup-peers.sh
	cargo build --locked --release --workspace --bins
	cargo run --locked --release --quiet --package tidegate-benches

instructions: setup ## Count the instructions of a request through the edge; needs valgrind
	cargo build --locked --release --package tidegate-edge-http --example gateway
	cargo run --locked --release --quiet --package tidegate-benches -- instructions

fuzz: setup ## Run every fuzz target for MINUTES (default 1) each; needs cargo-fuzz
	cargo xtask fuzz $(or $(MINUTES),1)

doc: ## Generate the reference pages and the API documentation
	cargo xtask docs
	cargo doc --locked --workspace --no-deps
