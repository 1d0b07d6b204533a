"""The file system that every test host starts from: a minimal Debian with systemd, sshd, Python and a user `deploy`.

Built once by mmdebstrap (half a minute) and kept as a tar file below `~/.cache`, named after what went into it. It
holds no key and no address: what differs between hosts is laid over it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shlex
import subprocess
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lowcode-kernel-tests"
SUITE = "bookworm"
PACKAGES = (
    *("systemd", "systemd-sysv", "dbus", "dbus-user-session", "libpam-systemd", "openssh-server", "sudo"),
    *("python3", "python3-venv", "curl", "ca-certificates", "procps", "iproute2", "util-linux"),
)
# units that make no sense on a test host, or that write what an overlay has no use for
MASKED = (
    *(
        "console-getty.service",
        "getty@tty1.service",
        "systemd-networkd.service",
        "systemd-networkd-wait-online.service",
    ),
    *("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "fstrim.timer"),
    *("e2scrub_reap.service", "dev-hugepages.mount", "systemd-journal-flush.service"),
    *("systemd-update-utmp.service", "systemd-update-utmp-runlevel.service", "systemd-firstboot.service"),
)
SSHD = """UseDNS no
PermitRootLogin no
PasswordAuthentication no
MaxStartups 100
MaxSessions 100
HostKey /etc/ssh/ssh_host_ed25519_key
"""
SUDO = "deploy ALL=(root) NOPASSWD: /usr/bin/systemctl\n"
SETTING_UP = f"""set -eu
cd "$1"
chroot . useradd --create-home --shell /bin/bash --uid 1000 deploy
install -d -o 1000 -g 1000 -m 700 home/deploy/.ssh
install -d -o 1000 -g 1000 srv/lowcode
install -d var/lib/systemd/linger
touch var/lib/systemd/linger/deploy
rm -f etc/ssh/ssh_host_* etc/machine-id var/lib/dbus/machine-id
: > etc/machine-id
printf %s {shlex.quote(SSHD)} > etc/ssh/sshd_config.d/farm.conf
printf %s {shlex.quote(SUDO)} > etc/sudoers.d/deploy
chmod 440 etc/sudoers.d/deploy
for unit in {" ".join(MASKED)}; do ln -sf /dev/null "etc/systemd/system/$unit"; done
rm -rf var/lib/apt/lists/* var/cache/apt/*.bin usr/share/doc/* usr/share/man/* usr/share/locale/*
"""


def cached_tar() -> Path:
    """Return where the tree is kept: the name changes with everything that goes into it."""
    recipe = "\n".join((SUITE, *PACKAGES, SETTING_UP))
    return CACHE / f"host-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}.tar"


def build(target: Path) -> None:
    """Make the tree with mmdebstrap; the file appears when it is whole."""
    arriving = target.with_name(f"{target.stem}.{os.getpid()}.tar")
    hook = f'--customize-hook=sh -c {shlex.quote(SETTING_UP)} setup "$1"'
    packages = f"--include={','.join(PACKAGES)}"
    command = ["mmdebstrap", "--quiet", "--mode=root", "--variant=minbase", packages, hook, SUITE, str(arriving)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=280)
        if done.returncode:
            raise OSError(f"mmdebstrap failed ({done.returncode}): {done.stderr[-2000:]}")
        arriving.replace(target)
    finally:
        arriving.unlink(missing_ok=True)


def unpack(into: Path) -> None:
    """Lay the tree out in a folder, building it first where the cache has none; two runs at once build it once."""
    CACHE.mkdir(parents=True, exist_ok=True)
    target = cached_tar()
    with (CACHE / "building.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            build(target)
    into.mkdir(parents=True)
    subprocess.run(["tar", "--extract", "--numeric-owner", "--xattrs", "-C", into, "-f", target], check=True)
