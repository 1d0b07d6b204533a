"""Python packages that bodies import: pinned where the application is installed, and named where it depends on them."""

from __future__ import annotations

import tomllib

import pytest

from lowcode_kernel.checks import check
from lowcode_kernel.dependencies import external_dependencies, installed_version
from lowcode_kernel.generators.generation import generate
from lowcode_kernel.generators.layers.pins import LOCK, locked_names
from lowcode_kernel.problems import LowcodeError
from tests.cases import model_of

ZEROS, ONES = "sha256:" + "0" * 64, "sha256:" + "1" * 64
PACKAGE = f"%package Python-Thing==2.1 --hash {ONES} --hash {ZEROS} --module thing"
ACTION = "%%action go(day: Date) -> Boolean --role Sales\nfrom thing.days import is_free as free\nreturn free(day)"


def test_a_package_is_pinned_with_its_hashes_and_imported_at_the_top() -> None:
    bundle = generate(model_of("(shop)", PACKAGE, ACTION).application)
    requirements = bundle.file("requirements.txt").content.decode()
    assert requirements.endswith(f"python-thing==2.1 \\\n    --hash={ZEROS} \\\n    --hash={ONES}\n")
    assert (
        "Python-Thing==2.1" in tomllib.loads(bundle.file("pyproject.toml").content.decode())["project"]["dependencies"]
    )
    module = bundle.file("shop/actions/go.py").content.decode()
    assert "\nfrom thing.days import is_free as free\n" in module
    assert "    return free(day)\n" in module


def test_an_application_without_packages_is_pinned_as_ever() -> None:
    found = generate(model_of("(shop)", '%%screen home "/"\ntitle("Home")').application).file("requirements.txt")
    assert locked_names(found.content.decode()) < locked_names(LOCK.read_text("utf-8"))


def test_one_of_the_service_s_own_packages_keeps_its_version() -> None:
    with pytest.raises(LowcodeError, match=r"package msgspec is 0\.1, and every application has"):
        generate(model_of("(shop)", f"%package msgspec==0.1 --hash {ZEROS}").application)
    version = installed_version("msgspec")
    bundle = generate(model_of("(shop)", f"%package msgspec=={version} --hash {ZEROS}").application)
    assert bundle.file("requirements.txt").content.count(b"\nmsgspec==") == 1


def test_a_package_is_compared_with_what_is_installed_and_what_it_needs() -> None:
    cells = [f"%package jinja2=={installed_version('jinja2')} --hash {ZEROS}", f"%package anyio==0.1 --hash {ZEROS}"]
    found = [str(problem) for problem in check(model_of("(shop)", *cells)) if problem.code == "LK343"]
    needed = f"%package MarkupSafe=={installed_version('MarkupSafe')} --hash sha256:..."
    here = f"package anyio is {installed_version('anyio')} here, and 0.1 where it is deployed"
    assert found == [
        f"cell 4, line 1: package jinja2 needs MarkupSafe, which is not declared; {needed}",
        f"cell 5, line 1: {here}; make them the same",
    ]


def test_external_dependencies_say_what_uses_them() -> None:
    app = model_of(
        "(shop)",
        PACKAGE,
        ACTION,
        '%%integration rates --base-url https://rates.example.com\nlatest = GET("/v1/latest", currency=Text)',
        '%%job nightly "0 2 * * *"\nimport thing\nrates.latest(currency=thing.euro)',
        "%%data Order --file orders.csv",
    ).application
    assert [(one.kind, one.name, one.pin, one.used_by, one.place.cell) for one in external_dependencies(app)] == [
        ("data file", "orders.csv", "", ("entity:Order",), 8),
        ("integration", "rates", "https://rates.example.com", ("job:nightly",), 6),
        ("package", "Python-Thing", "2.1", ("action:go", "job:nightly"), 4),
    ]
