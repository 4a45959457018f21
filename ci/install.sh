#!/usr/bin/env bash
# Installs what building, running and testing Marmot needs and this machine lacks: a C compiler (SQLite is compiled in),
# a MySQL client, and Rust at the version that rust-toolchain.toml names. Says what it does; doing it again does nothing.
#
#     ci/install.sh [--client-too] [--acceptance] [--lint] [--jepsen]
#
# --client-too: also the MySQL client (examples and end-to-end tests); --acceptance: also sysbench (ci/acceptance.sh);
# --lint: also shellcheck (ci/smoke.sh); --jepsen: also ip and, to set the clocks of processes, libfaketime (ci/jepsen.sh).
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '== %s\n' "$*"; }

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        say "this needs root: $*"
        exit 1
    fi
}

# The package is wanted unless one of the commands that it would bring is there.
missing=""
want() {
    local package=$1 command
    shift
    for command in "$@"; do
        if command -v "$command" >/dev/null; then return 0; fi
    done
    missing="$missing $package"
}
want build-essential cc
want curl curl
if [ ! -e /etc/ssl/certs/ca-certificates.crt ]; then missing="$missing ca-certificates"; fi
for wish in "$@"; do
    case "$wish" in
        --client-too) want default-mysql-client mariadb mysql ;;
        --acceptance) want sysbench sysbench ;;
        --jepsen)
            want iproute2 ip
            if ! compgen -G "/usr/lib/*/faketime/libfaketimeMT.so.1" >/dev/null; then missing="$missing libfaketime"; fi
            ;;
        --lint) want shellcheck shellcheck ;;
        *)
            say "what is $wish? See the first lines of $0"
            exit 2
            ;;
    esac
done

if [ -n "$missing" ]; then
    if ! command -v apt-get >/dev/null; then
        say "please install by hand (there is no apt-get):$missing"
        exit 1
    fi
    say "installing with apt-get:$missing"
    as_root apt-get update -qq
    # shellcheck disable=SC2086  # a list of package names
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
fi

if ! command -v cargo >/dev/null && [ -e "$HOME/.cargo/bin/cargo" ]; then PATH="$HOME/.cargo/bin:$PATH"; fi
if ! command -v cargo >/dev/null; then
    say "installing Rust with rustup into $HOME/.cargo"
    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --profile minimal --no-modify-path
    PATH="$HOME/.cargo/bin:$PATH"
fi
# The first use installs the toolchain and components that rust-toolchain.toml names.
say "$(cargo --version)"
