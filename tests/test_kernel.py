"""The kernel's process: what it has loaded, and what its specification says."""

from __future__ import annotations

import json
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(__file__).resolve().parents[1] / "lowcode_kernel" / "kernel"


class Started(KernelManager):
    """A manager of the kernel that our specification names, wherever it is installed."""

    @property
    def kernel_spec(self) -> KernelSpec:
        return KernelSpec.from_resource_dir(str(FOLDER))


@pytest.fixture(scope="module")
def kernel() -> Iterator[Any]:
    manager = Started()
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        yield client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
        manager.cleanup_resources()


def said(kernel: Any, code: str) -> str:
    """Run code; return what it printed."""
    printed: list[str] = []

    def note(message: dict[str, Any]) -> None:
        if message["msg_type"] == "stream":
            printed.append(message["content"]["text"])

    reply = kernel.execute_interactive(code, output_hook=note, timeout=60)
    assert reply["content"]["status"] == "ok", reply["content"]
    return "".join(printed)


def test_it_runs_on_the_interpreter_of_the_server(kernel: Any) -> None:
    """Jupyter replaces `python` by its own interpreter: the specification is found by the server of its environment."""
    assert said(kernel, "import sys; print(sys.executable)").strip() == sys.executable


def test_the_extension_is_loaded(kernel: Any) -> None:
    assert said(kernel, "print('entity' in get_ipython().magics_manager.magics['cell'])").strip() == "True"
    assert said(kernel, "%load_ext lowcode_kernel\nprint('no word of it')").strip() == "no word of it"


def test_no_message_to_the_front_end_is_dropped(kernel: Any) -> None:
    code = "import zmq; print(get_ipython().kernel.iopub_socket.io_thread.socket.getsockopt(zmq.SNDHWM))"
    assert said(kernel, code).strip() == "0"


def test_the_specification_has_its_logos() -> None:
    specification = json.loads((FOLDER / "kernel.json").read_text())
    assert (specification["display_name"], specification["language"]) == ("Low-code", "python")
    assert ET.fromstring((FOLDER / "logo-svg.svg").read_text()).get("viewBox") == "0 0 64 64"
    png = (FOLDER / "logo-64x64.png").read_bytes()
    assert struct.unpack(">II", png[16:24]) == (64, 64)
