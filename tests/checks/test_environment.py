"""The set-up from nothing: what it takes from the user's environment, and what it trusts."""

from __future__ import annotations

import io
import subprocess
import urllib.request
from pathlib import Path

import pytest

from tests.checks import environment

ROOT = Path(__file__).resolve().parents[2]


def test_settings_about_where_packages_come_from_are_kept() -> None:
    kept = {
        "PIP_INDEX_URL": "https://mirror/simple",
        "UV_CACHE_DIR": "/cache",
        "HTTPS_PROXY": "http://proxy",
        "HOME": "/h",
    }
    assert kept.items() <= environment.clean_environment(kept).items()


@pytest.mark.parametrize(
    "name",
    ["VIRTUAL_ENV", "PYTHONPATH", "PIP_TARGET", "PIP_PREFIX", "UV_PROJECT_ENVIRONMENT", "UV_PYTHON", "UV_NO_SYNC"],
)
def test_settings_about_what_is_done_are_not(name: str) -> None:
    assert name not in environment.clean_environment({name: "/elsewhere"})


def test_a_requirement_of_an_environment_is_overruled() -> None:
    assert environment.clean_environment({"PIP_USER": "1"})["PIP_USER"] == "0"


def test_a_download_with_another_hash_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tags = "-".join(environment.wheel_tags())
    entry = {"version": "1", "wheels": [{"url": f"https://mirror/uv-{tags}.whl", "hash": "sha256:" + "0" * 64}]}
    monkeypatch.setattr(environment, "BIN", tmp_path)
    monkeypatch.setattr(urllib.request, "urlopen", lambda *_, **__: io.BytesIO(b"something else"))
    with pytest.raises(OSError, match="the lock says sha256:0000"):
        environment.fetch_uv(entry)
    assert not list(tmp_path.iterdir())


def test_the_lock_has_a_uv_for_this_machine() -> None:
    wheels = environment.locked_uv()["wheels"]
    assert any(all(tag in wheel["url"] for tag in environment.wheel_tags()) for wheel in wheels)


def test_the_lock_is_up_to_date() -> None:
    words = [str(environment.BIN / "uv"), "lock", "--check", "--offline"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_make_alone_says_what_there_is() -> None:
    said = subprocess.run(["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert [line.split()[1] for line in said.splitlines()] == [
        *(
            "help",
            "setup",
            "demo",
            "lab",
            "test",
            "check",
            "faults",
            "differential",
            "fuzz",
            "bench",
            "requirements",
            "clean",
        ),
    ]
