"""A real JupyterLab with folders of its own, and Chromium.

The kernel specification and the extension are laid into the server's data folder from the repository, so that what is
tested is what is written.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "ci"
# Playwright doesn't await an async predicate, and a promise is true: these stay synchronous
READY = """() => {
  const shown = window.jupyterapp?.shell?.currentWidget, kernel = shown?.sessionContext?.session?.kernel
  return !!shown?.content?.widgets?.length && shown.sessionContext.isReady && shown.context?.isReady
    && kernel?.status === 'idle' && kernel.connectionStatus === 'connected'
}"""
FAULT = '.jp-OutputArea-output[data-mime-type="application/vnd.jupyter.error"]'
SETTINGS = {
    "@jupyterlab/apputils-extension:notification": {
        "fetchNews": "false",
        "checkForUpdates": False,
        "doNotDisturbMode": True,
    },
    "@jupyterlab/completer-extension:manager": {"autoCompletion": False},
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@dataclass(frozen=True)
class Lab:
    """A running server: its address, and the folder that its notebooks lie in."""

    address: str
    folder: Path

    def write(self, name: str, *cells: str, kernel: str = "lowcode") -> str:
        """Write a notebook of code cells; return the address that opens it."""
        specification = {"name": kernel, "display_name": kernel, "language": "python"}
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(cell) for cell in cells], metadata={"kernelspec": specification}
        )
        nbformat.write(notebook, self.folder / name)
        return self.page(f"doc/tree/{name}")

    def write_run(self, name: str, bundle: dict[str, str]) -> str:
        """Write a notebook that was run elsewhere, and so is not trusted, with one output; return its address."""
        output = nbformat.v4.new_output("display_data", data=bundle)
        specification = {"name": "lowcode", "display_name": "Low-code", "language": "python"}
        cell = nbformat.v4.new_code_cell("%graph", outputs=[output], execution_count=1)
        nbformat.write(
            nbformat.v4.new_notebook(cells=[cell], metadata={"kernelspec": specification}), self.folder / name
        )
        return self.page(f"doc/tree/{name}")

    def page(self, path: str) -> str:
        return f"{self.address}/{path}?token={TOKEN}&reset"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def lay_out(folder: Path) -> dict[str, str]:
    """Give a server its folders, with our kernel and extension in them; return its environment."""
    shutil.copytree(
        ROOT / "lowcode_kernel" / "kernel",
        folder / "data" / "kernels" / "lowcode",
        ignore=shutil.ignore_patterns("*.py", "__pycache__"),
    )
    shutil.copytree(ROOT / "magics" / "labextension", folder / "data" / "labextensions" / "lowcode-kernel")
    names = {"CONFIG_DIR": "config", "DATA_DIR": "data", "RUNTIME_DIR": "runtime"}
    variables = {f"JUPYTER_{name}": str(folder / sub) for name, sub in names.items()}
    variables |= {f"JUPYTERLAB_{name}_DIR": str(folder / name.lower()) for name in ("WORKSPACES", "SETTINGS")}
    for plugin, values in SETTINGS.items():
        extension, _, name = plugin.partition(":")
        path = folder / "settings" / extension / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))
    (folder / "notebooks").mkdir()
    kept = {name: value for name, value in os.environ.items() if name not in {"JPY_SESSION_NAME", "PYTHONWARNINGS"}}
    return kept | variables | {"IPYTHONDIR": str(folder / "ipython"), "PYTHONPATH": str(Path(__file__).parent)}


def wait_for(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(f"{address}/api/status?token={TOKEN}", timeout=1):
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail(log.read_text())


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("lab")
    port, log = free_port(), folder / "lab.log"
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        "--no-browser",
        "--allow-root",
        "--ip=127.0.0.1",
        f"--port={port}",
        "--ServerApp.port_retries=0",
        f"--IdentityProvider.token={TOKEN}",
        f"--ServerApp.root_dir={folder / 'notebooks'}",
        "--expose-app-in-browser",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env=lay_out(folder), start_new_session=True)
        try:
            wait_for(process, f"http://127.0.0.1:{port}", log)
            yield Lab(f"http://127.0.0.1:{port}", folder / "notebooks")
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(5)


class Person:
    """Someone at the browser. `errors` is what the page's console said was wrong."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.errors: list[str] = []
        page.set_default_timeout(90_000)  # milliseconds; the machine may be busy with other suites
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)

    def open(self, address: str) -> None:
        self.page.goto(address)
        self.page.wait_for_function(READY)
        if (
            self.page.evaluate("() => document.body.dataset.jpThemeLight") != "true"
        ):  # a test before this one left it dark
            self.use_theme("JupyterLab Light")

    def run_all(self) -> None:
        self.execute("notebook:run-all-cells")

    def wait_for(self, selector: str) -> None:
        """Wait until something is shown; fail at once where a cell fails."""
        self.page.locator(f"{selector}, {FAULT}").first.wait_for()
        faults = self.page.locator(FAULT).all_inner_texts()
        assert not faults, faults[0]

    def execute(self, command: str, arguments: dict[str, str] | None = None) -> None:
        """Run a command of JupyterLab. Its result may be too large to send over, so it is dropped."""
        script = "async ([name, options]) => { await window.jupyterapp.commands.execute(name, options); return true }"
        self.page.evaluate(script, [command, arguments or {}])

    def use_theme(self, name: str) -> None:
        self.execute("apputils:change-theme", {"theme": name})
        light = "true" if name == "JupyterLab Light" else "false"
        shown = f"document.body.dataset.jpThemeLight === '{light}'"
        self.page.wait_for_function(f"() => {shown} && !document.querySelector('#jupyterlab-splash')")


@pytest.fixture(scope="session")
def chromium(one_chromium: Any) -> Any:
    return one_chromium


@pytest.fixture
def person(chromium: Any) -> Iterator[Person]:
    page = chromium.new_page(viewport={"width": 1440, "height": 1000})
    yield Person(page)
    page.close()
