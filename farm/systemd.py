"""Services as systemd units of the user: their texts, and the scripts that a host runs on them. Nothing here acts.

A unit is `~/.config/systemd/user/lowcode-<name>.service`; its variables, which may be secrets, are in a file beside
it that only the user can read. Source: systemd.service(5), systemd.exec(5), systemd.syntax(7).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lowcode_kernel.farm.hosts import Service, ServiceState

PREFIX = "lowcode-"

NO_MANAGER, NO_LINGER = 45, 46
FAULTS = {
    NO_MANAGER: (
        "the user has no systemd there",
        "install systemd and dbus-user-session, then: loginctl enable-linger {user}",
    ),
    NO_LINGER: ("the user's services would end with the login", "as root there: loginctl enable-linger {user}"),
}

UNIT = """\
[Unit]
Description=lowcode {name}
StartLimitIntervalSec=300
StartLimitBurst=20

[Service]
Type=simple
ExecStart={command}
WorkingDirectory={directory}
EnvironmentFile=%h/.config/systemd/user/{prefix}{name}.variables
Restart=on-failure
RestartSec=1
KillMode=mixed
TimeoutStopSec={stop_seconds}
{priority}
[Install]
WantedBy=default.target
"""
LOW_PRIORITY = "Nice=10\nIOSchedulingClass=best-effort\nIOSchedulingPriority=7\n"

# A session over SSH may come without the variable by which systemctl finds the user's manager.
BEGIN = """
set -eu
export XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-/run/user/$(id -u)}"
units="$HOME/.config/systemd/user"
command -v systemctl >/dev/null || exit 45
[ -S "$XDG_RUNTIME_DIR/systemd/private" ] || [ -S "$XDG_RUNTIME_DIR/bus" ] || exit 45
"""

START = """
[ -e "/var/lib/systemd/linger/$(id -un)" ] || loginctl enable-linger >/dev/null 2>&1 || exit 46
unit="lowcode-$1.service"; variables="lowcode-$1.variables"
umask 077; mkdir -p "$units"
draft=$(mktemp -d "$units/.draft.XXXXXX"); trap 'rm -rf "$draft"' EXIT
tar -xf - -C "$draft"
if cmp -s "$draft/unit" "$units/$unit" && cmp -s "$draft/variables" "$units/$variables"; then
    systemctl --user --quiet is-active "$unit" && exit 0
fi
chmod 600 "$draft/variables"
mv -f "$draft/variables" "$units/$variables"
mv -f "$draft/unit" "$units/$unit"
sync -f "$units"
systemctl --user daemon-reload
systemctl --user --quiet enable "$unit"
systemctl --user --quiet reset-failed "$unit" 2>/dev/null || true
systemctl --user restart "$unit"
"""

STOP = """
unit="lowcode-$1.service"
[ -e "$units/$unit" ] || exit 0
systemctl --user --quiet disable --now "$unit"
rm -f "$units/$unit" "$units/lowcode-$1.variables"
systemctl --user daemon-reload
systemctl --user --quiet reset-failed "$unit" 2>/dev/null || true
"""

STATUS = """
set --  "$units/lowcode-$1"*.service
[ -e "$1" ] || exit 0
for unit; do shift; set -- "$@" "${unit##*/}"; done
systemctl --user show --property=Id,ActiveState,SubState "$@"
"""

LOG = 'journalctl --quiet --no-pager --output=cat --lines="$2" --user --unit="lowcode-$1.service" 2>/dev/null || true\n'

STATES: dict[str, ServiceState] = {
    "active": "running", "reloading": "running", "deactivating": "running", "activating": "starting",
    "inactive": "stopped", "failed": "failed",
}  # fmt: skip


def unit_text(service: Service) -> str:
    """Return the unit of a service."""
    return UNIT.format(
        name=service.name, prefix=PREFIX, command=" ".join(quoted(word) for word in service.command),
        directory=str(service.directory).replace("%", "%%"), stop_seconds=service.stop_seconds,
        priority=LOW_PRIORITY if service.nice else "",
    )  # fmt: skip


def variables_text(service: Service) -> str:
    """Return the file of a service's variables, sorted by name."""
    return "".join(f"{name}={_value(value)}\n" for name, value in sorted(service.environment.items()))


def quoted(word: str) -> str:
    """Return a word of a command line as systemd reads it back: nothing in it is expanded."""
    for sign, written in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("%", "%%"), ("$", "$$")):
        word = word.replace(sign, written)
    return f'"{word}"'


def _value(value: str) -> str:
    value = str.__str__(value)  # a Secret prints as ***
    for sign in ("\\", '"', "$", "`"):
        value = value.replace(sign, f"\\{sign}")
    return f'"{value}"'


def parse_states(text: str) -> dict[str, ServiceState]:
    """Read what `systemctl show` prints: paragraphs of KEY=VALUE. A unit that waits to be started again after a crash
    has failed.
    """
    states: dict[str, ServiceState] = {}
    for paragraph in text.strip().split("\n\n"):
        found = dict(line.partition("=")[::2] for line in paragraph.splitlines())
        name = found.get("Id", "").removeprefix(PREFIX).removesuffix(".service")
        if name:
            waits = found.get("SubState", "").startswith("auto-restart")
            states[name] = "failed" if waits else STATES.get(found.get("ActiveState", ""), "unknown")
    return states
