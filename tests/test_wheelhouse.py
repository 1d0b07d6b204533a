"""Python environments: from uv's cache, or from shipped wheels and offline behind SSH; shared by releases."""

from __future__ import annotations

import platform
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lowcode_kernel.bundle import Bundle, File
from lowcode_kernel.farm.environments import Environment, HostAddress, Secret
from lowcode_kernel.farm.wheelhouse import download, ensure_environment, requirements_digest
from lowcode_kernel.problems import LowcodeError
from lowcode_kernel.schema import Schema
from tests.tiny_application import bundle
from tests.tiny_farm import ProcessHost

if TYPE_CHECKING:
    from typing import Literal

pytestmark = pytest.mark.services


def farm(folder: Path, kind: Literal["local", "ssh"]) -> tuple[Environment, ProcessHost]:
    host = ProcessHost("fe1", folder / "fe1")
    address = HostAddress(name="fe1", kind=kind, root=host.root)
    return Environment(name="test", home=folder, server=Secret(""), hosts=(address,)), host


def imports(folder: Path) -> str:
    host = ProcessHost("any", folder.parents[2])
    script = "import starlette, granian, asyncpg, sys; print(sys.prefix)"
    return host.run((str(folder / "bin" / "python"), "-c", script)).out.strip()


@pytest.mark.parametrize("kind", ["local", "ssh"])
def test_an_environment_is_made_once_for_releases_with_the_same_requirements(
    tmp_path: Path, kind: Literal["local", "ssh"]
) -> None:
    environment, host = farm(tmp_path, kind)
    first = Path(ensure_environment(environment, host, bundle(1)))
    assert imports(first) == str(first)
    made = first.stat().st_mtime_ns
    assert Path(ensure_environment(environment, host, bundle(1, note="another"))) == first
    assert first.stat().st_mtime_ns == made


def test_half_an_environment_is_made_anew(tmp_path: Path) -> None:
    environment, host = farm(tmp_path, "local")
    folder = Path(ensure_environment(environment, host, bundle(1)))
    (folder / ".complete").unlink()
    (folder / "bin" / "python").unlink()
    assert imports(Path(ensure_environment(environment, host, bundle(1)))) == str(folder)


@pytest.mark.parametrize("kind", ["local", "ssh"])
def test_a_package_whose_hash_is_not_the_pinned_one_is_refused(tmp_path: Path, kind: Literal["local", "ssh"]) -> None:
    environment, host = farm(tmp_path, kind)
    pins = b"idna==3.10 --hash=sha256:" + b"0" * 64 + b"\n"
    wrong = Bundle(
        application="tiny",
        title="Tiny",
        files=(File(path="requirements.txt", content=pins),),
        schema=Schema(application="tiny", tables=()),
    )
    with pytest.raises(LowcodeError, match=r"(?i)hash|ended with|downloaded"):
        ensure_environment(environment, host, wrong)
    assert list(Path(host.root).glob("tiny/environments/*/.complete")) == []
    assert list((environment.home / "wheels").glob("[!.]*")) == []


def test_hosts_that_are_staged_at_once_share_one_download(tmp_path: Path) -> None:
    environment, _ = farm(tmp_path, "ssh")
    pins = bundle(1).file("requirements.txt").content
    with ThreadPoolExecutor() as pool:
        asked = [pool.submit(download, environment, pins, "3.11.2", platform.machine()) for _ in range(2)]
    first, second = (one.result() for one in asked)
    assert first == second != ()


def test_the_name_of_an_environment_follows_what_makes_it() -> None:
    base = requirements_digest(b"a==1", "3.11.7", "x86_64")
    assert base == requirements_digest(b"a==1", "3.11.9", "x86_64")
    others = [(b"a==2", "3.11.7", "x86_64"), (b"a==1", "3.12.0", "x86_64"), (b"a==1", "3.11.7", "aarch64")]
    assert base not in {requirements_digest(*one) for one in others}
