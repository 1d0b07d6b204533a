"""`%package holidays==0.56 --hash sha256:... --module holidays`: a Python package that bodies import, pinned.

One line for each package, also for those that a package needs itself: what is installed on a host is what is pinned
here, byte for byte. A package has several hashes where there are several files of it, one for each system.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from lowcode_kernel.elements import Package
from lowcode_kernel.language.headers import read_header
from lowcode_kernel.problems import LowcodeError

if TYPE_CHECKING:
    from lowcode_kernel.places import Place

_PIN = re.compile(r"([A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9])?)\s*==\s*([0-9][A-Za-z0-9.!+_-]{0,63})\s*\Z")
_HASH = re.compile(r"sha256:[0-9a-f]{64}\Z")
_MODULE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def read_package(line: str, place: Place) -> Package:
    """Read a `%package` line; raises LowcodeError. That it has hashes is a check."""
    head = read_header(line, place, allowed=("hash", "module"))
    match = _PIN.match(head.subject)
    if not match:
        hint = "%package holidays==0.56 --hash sha256:..."
        raise LowcodeError.of(f'"{head.subject}" is not a package with its version', hint, code="LK011", place=place)
    for text in head.options.get("hash", ()):
        if not _HASH.match(text):
            hint = "a hash is sha256: with 64 hexadecimal digits"
            raise LowcodeError.of(f'package {match[1]}: --hash is "{text}"', hint, code="LK013", place=place)
    for text in head.options.get("module", ()):
        if not _MODULE.match(text):
            fact = f'package {match[1]}: --module is "{text}"'
            raise LowcodeError.of(fact, "it is the name behind import", code="LK013", place=place)
    return Package(
        name=match[1],
        version=match[2],
        hashes=tuple(sorted(set(head.options.get("hash", ())))),
        modules=head.options.get("module", ()),
        place=place,
    )
