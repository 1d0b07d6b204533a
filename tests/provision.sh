#!/bin/sh
# Installs the system packages that the browser, farm and bench suites use, only those that are missing. Never fails: a suite whose tools are missing is skipped
# with a reason, and pytest prints and counts it.
set -u

packages="chromium openssh-server systemd systemd-container dbus-user-session iproute2 iptables procps wrk mmdebstrap fonts-dejavu-core"

say() { printf 'provision: %s\n' "$*"; }

command -v dpkg-query >/dev/null && command -v apt-get >/dev/null || {
    say "no apt here; suites that need one of these are skipped where it is missing: $packages"
    exit 0
}

missing=""
for package in $packages; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ]; then
    as_root=""
elif sudo -n true 2>/dev/null; then
    as_root="sudo"
else
    say "skipped, for want of root:$missing"
    say "their tests are skipped; to run them: sudo apt-get install$missing"
    exit 0
fi

# no package may start a daemon (sshd!) on the machine of whoever runs the tests
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap '$as_root rm -f "$policy"' EXIT
    trap 'exit 130' INT TERM
    printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null && $as_root chmod +x "$policy"
fi

say "installing$missing"
log=$(mktemp)
install() { $as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends "$@" </dev/null >>"$log" 2>&1; }
$as_root apt-get -q update </dev/null >>"$log" 2>&1
# all at once is faster; one by one, a package that this distribution lacks costs only itself
# shellcheck disable=SC2086
install $missing || for package in $missing; do
    install "$package" || say "$package could not be installed; its tests are skipped (see $log)"
done
exit 0
