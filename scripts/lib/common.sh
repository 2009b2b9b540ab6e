# Shared by the scripts of this folder: messages, finding the package root, installing through apt.
# Sourced, never run. It changes the working directory to the package root.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root" || exit 1

say() { printf '%s\n' "$*" >&2; }

die() {
  say "$(basename "$0"): $*"
  exit 1
}

# Runs a command as root: directly where we are root, else through sudo (which may ask for a password).
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    die "root is needed for '$*', and there is no sudo; run that command as root, then try again"
  fi
}

# Installs Debian packages by name. The package lists are fetched only when the first try fails:
# a fresh machine has none, and everywhere else the fetch is the slow part.
apt_install() {
  command -v apt-get >/dev/null || die "no apt-get here; install these yourself, then try again: $*"
  say "installing $* ..."
  local log
  log=$(mktemp)
  if ! as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q "$@" >"$log" 2>&1; then
    as_root apt-get update -q >"$log" 2>&1 || true
    if ! as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q "$@" >"$log" 2>&1; then
      tail -n 5 "$log" >&2
      rm -f "$log"
      die "apt-get could not install: $*"
    fi
  fi
  rm -f "$log"
}

# Debian starts a service on port 6379 when it installs redis-server. We want only the program, so
# the package is installed with service starts refused (the policy file is how Debian asks).
apt_install_without_service() {
  local policy=/usr/sbin/policy-rc.d made=no
  if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod +x "$policy"
    made=yes
  fi
  apt_install "$@"
  if [ "$made" = yes ]; then as_root rm -f "$policy"; fi
}

need_swift() {
  command -v swift >/dev/null || die "no swift on the PATH: install Swift 6.2 or newer (swift.org/install), then try again"
}

# OpenSSL's headers, for rediss://, and its command, with which the tests make certificates. Without apt
# the package builds without TLS.
want_openssl() {
  if { [ -r /usr/include/openssl/ssl.h ] || [ -r /usr/local/include/openssl/ssl.h ]; } &&
    command -v openssl >/dev/null; then return; fi
  if command -v apt-get >/dev/null; then
    apt_install libssl-dev openssl
    # An earlier build without them would be taken for the whole truth: both of these remember it.
    swift package purge-cache
    swift package clean
  else
    say "note: no OpenSSL headers here: building without TLS"
  fi
}
