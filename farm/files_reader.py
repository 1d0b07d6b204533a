"""The door to DuckDB for files of rows: where a `%%data` cell's file is, and what it says.

A file is a path beside the notebook, or `package:path` of an installed distribution, which is found by its list of
files and never imported. A file in a zip is unpacked into the cache first. The other files of its folder are tables
too, by their name without endings: `planes` is `planes.csv`.
"""

from __future__ import annotations

import re
import shutil
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from lowcode_kernel.problems import LowcodeError, did_you_mean
from lowcode_kernel.quoting import identifier, literal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lowcode_kernel.places import Place

READERS = {
    ".csv": "read_csv",
    ".tsv": "read_csv",
    ".parquet": "read_parquet",
    ".json": "read_json",
    ".ndjson": "read_json",
}
PACKED = frozenset({".zip", ".gz"})
EMPTY = "['', 'NA']"  # what R and pandas write for a value that is missing


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFile:
    """A file of rows, and the others of its folder by the name of their table."""

    path: Path
    others: dict[str, Path]


def locate(file: str, base: Path, place: Place | None) -> RowFile:
    """Find a file beside the notebook (`base` is its folder) or of an installed package.

    Raises LowcodeError with the names that are there.
    """
    package, separator, path = file.partition(":")
    candidates = _package_files(package, place) if separator else _folder_files(base / file)
    wanted = path if separator else PurePosixPath(file).name
    found = _named(candidates, wanted)
    if found is None:
        names = sorted(candidates)
        raise LowcodeError.of(f"there is no file {file}", did_you_mean(wanted, names), code="LK641", place=place)
    others = {_table(p): p for p in candidates.values() if p.parent == found.parent and p != found}
    return RowFile(path=found, others=others)


def _folder_files(path: Path) -> dict[str, Path]:
    return {p.name: p for p in sorted(path.parent.glob("*")) if _ending(p)}


def _package_files(package: str, place: Place | None) -> dict[str, Path]:
    try:
        found = metadata.distribution(package)
    except metadata.PackageNotFoundError:
        names = metadata.packages_distributions().get(package, [])
        if not names:
            hint = f"install it: uv pip install {package}"
            raise LowcodeError.of(f"package {package} is not installed", hint, code="LK640", place=place) from None
        found = metadata.distribution(names[0])
    files = {str(file): Path(str(file.locate())) for file in found.files or []}
    return {name.partition("/")[2]: path for name, path in files.items() if _ending(path) and path.exists()}


def _named(candidates: dict[str, Path], wanted: str) -> Path | None:
    """Return the file of a name, with or without its folder, with or without the ending of its packing."""
    for matches in (lambda name: name == wanted, lambda name: PurePosixPath(name).name == PurePosixPath(wanted).name):
        for name, path in candidates.items():
            if matches(name) or (path.suffix in PACKED and matches(name.removesuffix(path.suffix))):
                return path
    return None


def _ending(path: Path) -> str:
    """Return the ending that says how to read a file, or "" for one that holds no rows."""
    suffixes = [suffix for suffix in path.suffixes[-2:] if suffix not in PACKED]
    return suffixes[-1] if suffixes and suffixes[-1] in READERS else ""


def _table(path: Path) -> str:
    return path.name.partition(".")[0]


class Rows:
    """A DuckDB in memory. Its tables live as long as the `opened` block."""

    def __init__(self, cache: Path, connection: Any) -> None:
        self._cache, self._connection = cache, connection

    def execute(self, sql: str) -> list[tuple[Any, ...]]:
        """Run one statement and return its rows."""
        return list(self._connection.execute(sql).fetchall())

    def columns(self, table: str) -> dict[str, str]:
        """Return the columns of a table with their DuckDB types."""
        return {str(row[0]): str(row[1]) for row in self.execute(f"DESCRIBE {identifier(table)}")}

    def map(self, table: str, file: RowFile | None, sql: str | None, place: Place) -> None:
        """Make `table` of what `sql` selects from `source` (the file) and the others of its folder; without `sql`, of
        all of it.

        Raises LowcodeError with what DuckDB says of the file or the statement.
        """
        text = (sql or "SELECT * FROM source").strip().rstrip(";")
        wanted = set(re.findall(r"\w+", text))
        tables = {name: path for name, path in (file.others if file else {}).items() if name in wanted}
        if file is not None:
            tables["source"] = file.path
        readers = {
            name: f"{READERS[_ending(path)]}({_arguments(path, self._unpacked(path))}" for name, path in tables.items()
        }
        self._mapped(table, readers, text, place, ")")

    def _mapped(self, table: str, readers: dict[str, str], text: str, place: Place, ending: str) -> None:
        """Guess the types of columns from the first rows; where a later row is of another type, from all rows."""
        import duckdb

        try:
            for name, reader in readers.items():
                self.execute(f"CREATE OR REPLACE TEMP VIEW {identifier(name)} AS SELECT * FROM {reader}{ending}")
            self.execute(f"CREATE OR REPLACE TABLE {identifier(table)} AS\n{text}")
        except (duckdb.ConversionException, duckdb.InvalidInputException) as error:
            if ending != ")" or not any(reader.startswith("read_csv") for reader in readers.values()):
                raise _refused(error, place) from None
            self._mapped(table, readers, text, place, ", sample_size = -1)")
        except duckdb.Error as error:
            raise _refused(error, place) from None
        finally:
            for name in readers:
                self.execute(f"DROP VIEW IF EXISTS {identifier(name)}")

    def _unpacked(self, path: Path) -> Path:
        if path.suffix != ".zip":
            return path
        with zipfile.ZipFile(path) as archive:
            entry = next((e for e in archive.infolist() if _ending(Path(e.filename))), None)
            if entry is None:
                raise LowcodeError.of(f"{path.name} holds no file of rows", code="LK642")
            target = self._cache / f"{entry.CRC:08x}-{entry.file_size}-{Path(entry.filename).name}"
            if not target.exists():
                self._cache.mkdir(parents=True, exist_ok=True)
                partial = target.with_name(f"{target.name}.partial")
                with archive.open(entry) as packed, partial.open("wb") as unpacked:
                    shutil.copyfileobj(packed, unpacked)
                partial.replace(target)
        return target


def _arguments(path: Path, unpacked: Path) -> str:
    source = literal(str(unpacked))
    return f"{source}, nullstr = {EMPTY}, header = true" if READERS[_ending(path)] == "read_csv" else source


@contextmanager
def opened(cache: Path) -> Iterator[Rows]:
    """Open a DuckDB in memory that reads times without a zone as UTC."""
    import duckdb

    with duckdb.connect(config={"autoinstall_known_extensions": "false"}) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        yield Rows(cache, connection)


def _refused(error: Exception, place: Place) -> LowcodeError:
    """Say what DuckDB refused, at the line of the cell's SQL that it names (its first line is ours)."""
    text = str(error)
    line = re.search(r"^LINE (\d+):", text, re.MULTILINE)
    fact = " ".join(re.split(r"\n\s*\n|\nLINE ", text)[0].split())
    return LowcodeError.of(fact, code="LK643", place=place.shifted(int(line[1]) - 2) if line else place)
