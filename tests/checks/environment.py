"""Builds `.venv` from nothing but Python; the Makefile calls it when the lock is newer than its stamp.

Runs before any package is there, so it uses the standard library alone. What is installed is said by `uv.lock` only,
uv itself included: its version is read from there, and it comes from the address and by the hash in the lock, or by pip
where that can't be reached. The user's settings about *where* packages come from (index, proxy, certificates, cache)
are kept; those that say *what* is done (target, active environment) are not.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import platform
import subprocess
import sys
import sysconfig
import urllib.request
import zipfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
BIN = VENV / "bin"
SHOWN = {"kernels/lowcode": "lowcode_kernel/kernel", "labextensions/lowcode-kernel": "magics/labextension"}

KEPT = frozenset(
    [
        "PIP_INDEX_URL",
        "PIP_EXTRA_INDEX_URL",
        "PIP_FIND_LINKS",
        "PIP_NO_INDEX",
        "PIP_CERT",
        "PIP_CLIENT_CERT",
        "PIP_PROXY",
        "PIP_TRUSTED_HOST",
        "PIP_DEFAULT_TIMEOUT",
        "PIP_RETRIES",
        "PIP_CACHE_DIR",
        "PIP_CONFIG_FILE",
        "UV_INDEX",
        "UV_INDEX_URL",
        "UV_DEFAULT_INDEX",
        "UV_NATIVE_TLS",
        "UV_SYSTEM_CERTS",
        "UV_INSECURE_HOST",
        "UV_HTTP_TIMEOUT",
        "UV_OFFLINE",
        "UV_CACHE_DIR",
        "UV_NO_CACHE",
        "UV_LINK_MODE",
        "UV_CONFIG_FILE",
    ]
)
DROPPED = {"VIRTUAL_ENV", "PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "__PYVENV_LAUNCHER__", "CONDA_PREFIX"}


class SetupError(Exception):
    """Something that the user has to change; printed without a traceback."""


def clean_environment(variables: dict[str, str]) -> dict[str, str]:
    """Return the variables without those that would send an installation elsewhere."""

    def stays(name: str) -> bool:
        if name.startswith(("PIP_", "UV_")):
            return name in KEPT or name.startswith("UV_INDEX_")
        return name not in DROPPED

    return {name: value for name, value in variables.items() if stays(name)} | {
        "PIP_USER": "0",
        "PIP_REQUIRE_VIRTUALENV": "0",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "UV_PYTHON_DOWNLOADS": "never",
    }


def run(*command: str | Path) -> None:
    """Run a command in the repository; its failure is ours."""
    subprocess.run([str(word) for word in command], cwd=ROOT, env=clean_environment(dict(os.environ)), check=True)


def succeeds(*command: str | Path) -> bool:
    """Say whether a command runs and answers 0; what it prints is not of interest."""
    try:
        done = subprocess.run(
            [str(word) for word in command], env=clean_environment(dict(os.environ)), capture_output=True, check=False
        )
    except OSError:
        return False
    return done.returncode == 0


def locked_uv() -> dict[str, Any]:
    """Return the entry of uv in `uv.lock`: its version and its wheels."""
    import tomllib  # new in Python 3.11: the version is checked before

    packages = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    entry: dict[str, Any] = next(package for package in packages if package["name"] == "uv")
    return entry


def uv_version() -> str:
    """Return the version of the uv in `.venv`, or nothing."""
    try:
        return subprocess.run(
            [str(BIN / "uv"), "--version"], capture_output=True, text=True, check=False
        ).stdout.split()[1]
    except (OSError, IndexError):
        return ""


def base_python() -> str:
    """Return the interpreter behind an active environment, so that `.venv` can be rebuilt from within itself."""
    behind = Path(sys.base_prefix) / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    return str(behind) if behind.exists() else sys.executable


def make_venv() -> None:
    """Make `.venv`; without pip, which takes ten times as long as the rest and which some distributions split off."""
    sys.stdout.write(f"making {VENV.name} with Python {platform.python_version()}\n")
    run(base_python(), "-m", "venv", "--clear", "--without-pip", VENV)


def wheel_tags() -> tuple[str, ...]:
    """Return what the file name of a uv wheel for this machine holds, best first."""
    machine = {"arm64": "aarch64", "AMD64": "x86_64"}.get(platform.machine(), platform.machine())
    if sys.platform == "darwin":
        return ("macosx", "arm64" if machine == "aarch64" else machine)
    musl = "musl" in (sysconfig.get_config_var("HOST_GNU_TYPE") or "")
    return ("musllinux" if musl else "manylinux", machine)


def fetch_uv(entry: dict[str, Any]) -> None:
    """Take the uv program out of the wheel that the lock names, verified by its hash."""
    wheel = next((wheel for wheel in entry["wheels"] if all(tag in wheel["url"] for tag in wheel_tags())), None)
    if wheel is None:
        raise OSError(f"uv {entry['version']} has no wheel for {' '.join(wheel_tags())}")
    with urllib.request.urlopen(wheel["url"], timeout=120) as response:
        content = response.read()
    found = "sha256:" + hashlib.sha256(content).hexdigest()
    if found != wheel["hash"]:
        raise OSError(f"{wheel['url']} has the hash {found}, the lock says {wheel['hash']}")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        member = next(name for name in archive.namelist() if name.endswith("/scripts/uv"))
        arriving = BIN / "uv.new"
        arriving.write_bytes(archive.read(member))
    arriving.chmod(0o755)
    arriving.replace(BIN / "uv")


def install_uv_with_pip(version: str) -> bool:
    """Try it by pip, which knows the user's mirror and brings certificates; say whether it worked."""
    python = BIN / "python"
    has_pip = succeeds(python, "-m", "pip", "--version") or succeeds(python, "-m", "ensurepip")
    return has_pip and succeeds(python, "-m", "pip", "install", "--quiet", f"uv=={version}")


def install_uv() -> None:
    """Put the locked uv into `.venv`, where it isn't there yet."""
    entry = locked_uv()
    if uv_version() == entry["version"]:
        return
    try:
        fetch_uv(entry)
    except OSError as error:
        if not install_uv_with_pip(entry["version"]):
            fact = f"uv {entry['version']} can't be had: {error}; pip could not get it either"
            raise SetupError(f"{fact} (on Debian and Ubuntu pip comes with: apt-get install python3-venv)") from error


def sync(*, dev: bool) -> None:
    """Make `.venv` hold what the lock says; with `dev`, exactly that, else whatever `make test` added may stay."""
    # where Python is told to keep no compiled modules, every process would compile its imports anew: once, here
    compiled = ("--compile-bytecode",) if os.environ.get("PYTHONDONTWRITEBYTECODE") else ()
    groups = ("--group", "dev") if dev else ("--inexact",)
    run(BIN / "uv", "sync", "--frozen", "--quiet", *compiled, "--group", "tour", *groups)


def show_to_jupyter() -> None:
    """Link the kernel and the extension to where Jupyter looks: an editable installation leaves out data files."""
    for place, source in SHOWN.items():
        link = VENV / "share" / "jupyter" / place
        link.parent.mkdir(parents=True, exist_ok=True)
        if link.is_symlink() or not link.exists():
            link.unlink(missing_ok=True)
            link.symlink_to(ROOT / source)


def build(*, dev: bool) -> None:
    """Bring `.venv` up to date and stamp it."""
    if not succeeds(BIN / "python", "-c", "import sys; sys.exit(sys.version_info < (3, 11))"):
        make_venv()
    install_uv()
    sync(dev=dev)
    show_to_jupyter()
    for stamp in ("tour", "dev") if dev else ("tour",):
        (VENV / f".stamp-{stamp}").touch()


def main() -> int:
    """Build the environment; answer 1 with a sentence where the user has to act."""
    if sys.version_info < (3, 11):  # noqa: UP036 - whatever Python the machine has runs this
        version = f"Python 3.11 or newer is needed, {sys.executable} is {platform.python_version()}"
        sys.stderr.write(f"{version}; name another: make PYTHON=/path/to/python3.12\n")
        return 1
    parser = argparse.ArgumentParser(description="Build .venv from uv.lock.")
    parser.add_argument("--dev", action="store_true", help="also what tests and checks need")
    try:
        build(dev=parser.parse_args().dev)
    except SetupError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except (subprocess.CalledProcessError, OSError) as error:
        sys.stderr.write(f"setting up {VENV} failed: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
