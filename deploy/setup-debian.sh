#!/bin/sh
# Installs what a build and its tests need and this machine lacks. Does nothing when all is there.
set -eu

# program:package pairs
needed="cc:build-essential curl:curl clang:clang ccache:ccache mold:mold make:make git:git nginx:nginx-light wrk:wrk redis-server:redis-server slapd:slapd"

missing=""
for pair in $needed; do
    command -v "${pair%%:*}" >/dev/null 2>&1 || missing="$missing ${pair##*:}"
done
# bindgen loads libclang at build time.
ls /usr/lib/llvm-*/lib/libclang.so* >/dev/null 2>&1 || missing="$missing libclang-dev"

if [ -n "$missing" ]; then
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
        echo "missing:$missing. Install them, or run this as root on Debian." >&2
        exit 1
    fi
    echo "installing:$missing"
    apt-get update -qq
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi

if ! command -v cargo >/dev/null 2>&1; then
    echo "cargo is missing: install Rust 1.95 or newer (https://rustup.rs), then run make again." >&2
    exit 1
fi
