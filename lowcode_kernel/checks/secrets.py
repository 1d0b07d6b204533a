"""Secrets in cells: a notebook is shared, kept and copied, and a secret belongs in the environment.

The message never repeats what it found. Few false alarms are worth more than the last secret: only forms that nothing
else has, values of names that say what they are, and long random text where an address or a setting stands.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import TYPE_CHECKING

from lowcode_kernel.checks.reporting import warning

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lowcode_kernel.checks.facts import Facts
    from lowcode_kernel.elements import Element, Integration, Setting
    from lowcode_kernel.places import Place
    from lowcode_kernel.problems import Problem

# what the issuers of keys made recognizable on purpose
_FORMS = (
    ("the key of an AWS account", re.compile(r"\b(AKIA|ASIA)[0-9A-Z]{16}\b")),
    ("a GitHub token", re.compile(r"\b(gh[pousr]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{40,})")),
    ("a GitLab token", re.compile(r"\bglpat-[A-Za-z0-9_-]{20}")),
    ("a Slack token", re.compile(r"\bxox[abprs]-[A-Za-z0-9-]{10,}")),
    ("a Stripe key", re.compile(r"\b[sr]k_live_[A-Za-z0-9]{16,}")),
    ("a Google key", re.compile(r"\bAIza[0-9A-Za-z_-]{35}")),
    ("a private key", re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----")),
    ("a signed token", re.compile(r"(?<![\w-])eyJ[\w-]{10,}+\.eyJ[\w-]{10,}+\.[\w-]{8,}", re.ASCII)),
    ("a URL with a password", re.compile(r"[a-z0-9+.-]://[^/\s:@'\"{}]+:[^/\s@'\"{}]{3,}@")),
)
_TELLING_NAME = (
    r"[a-z0-9_]*(?:password|passwd|passphrase|secret|api_?key|access_?key|private_?key|auth_?token|access_?token"
    r"|bearer_?token|client_?secret|credentials?)"
)
_NAMED = re.compile(
    rf"\b{_TELLING_NAME}\s*[=:]\s*(?:[A-Za-z]+\s*=\s*)?f?([\"'])(?P<value>[^\"'\n]{{6,}})\1", re.IGNORECASE
)
# what a text with any of them has in it: looking for plain words first is a tenth of the time
_SIGNS = (
    "AKIA",
    "ASIA",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat",
    "glpat-",
    "xox",
    "k_live_",
    "AIza",
    "PRIVATE KEY",
    "eyJ",
    "://",
)
_WORDS = ("pass", "secret", "key", "token", "credential")
_NAME = re.compile(rf"{_TELLING_NAME}|[a-z0-9_]*token\Z", re.IGNORECASE)
_PLACEHOLDER = re.compile(r"[<{$*]|\.\.\.|example|placeholder|your[-_ ]|\Ax+\Z", re.IGNORECASE)
_RANDOM = re.compile(r"[A-Za-z0-9+/_=-]{20,}")
_SHORTEST = 20
_BITS = 3.6  # of entropy per character: words and paths have less, base64 and long hexadecimal more
_HEXADECIMAL = re.compile(r"(?=.*[0-9])(?=.*[a-f])[0-9a-f]{32,}\Z")


def check_secrets(facts: Facts) -> Iterator[Problem]:
    """No cell holds a password, a key or a token."""
    app = facts.app
    for setting in app.settings.values():
        if what := _in_setting(setting):
            hint = "leave the default out: each environment gives its own"
            yield warning("LK520", setting, f"setting {setting.name} holds {what}", hint)
    for integration in app.integrations.values():
        if what := _in_integration(integration):
            hint = "put it into a setting without a default, and pass it as a parameter"
            yield warning("LK520", integration, f"integration {integration.name} holds {what}", hint)
    for element in facts.running:
        yield from _in_text(element, element.body, element.body_place)
    for test in app.tests.values():
        yield from _in_text(test, test.body, test.body_place)
    for query in app.queries.values():
        yield from _in_text(query, query.sql, query.sql_place)


def _in_setting(setting: Setting) -> str:
    value = (setting.default or "").strip("'\"")
    if not value or setting.type.name not in {"Text", "Url"}:
        return ""
    if _NAME.fullmatch(setting.name) and not _PLACEHOLDER.search(value):
        return "a secret"
    return _form(value) or _random(value)


def _in_integration(integration: Integration) -> str:
    texts = [integration.base_url, *(operation.path for operation in integration.operations)]
    return next((what for text in texts if (what := _form(text) or _random(text))), "")


def _in_text(element: Element, text: str, place: Place) -> Iterator[Problem]:
    """Look where the text has a form or a name of a secret: by line, for the place."""
    lowered = text.lower()
    if not any(sign in text for sign in _SIGNS) and not any(word in lowered for word in _WORDS):
        return
    if not _form(text) and not _NAMED.search(text):
        return
    for number, line in enumerate(text.splitlines()):
        named = any(not _PLACEHOLDER.search(match["value"]) for match in _NAMED.finditer(line))
        if what := _form(line) or ("a secret" if named else ""):
            fact = f"{element.kind} {element.name} holds {what}"
            hint = "put it into a setting without a default: each environment gives its own"
            yield warning("LK520", element, fact, hint, place=place.shifted(number))


def _form(text: str) -> str:
    return next((what for what, form in _FORMS if form.search(text)), "")


def _random(text: str) -> str:
    """Return "a random text" where a part of it looks like a key."""
    found = any(_is_random(part) for word in _RANDOM.findall(text) for part in (word, *word.split("/")))
    return "a random text such as a key" if found else ""


def _is_random(word: str) -> bool:
    if len(word) < _SHORTEST or _HEXADECIMAL.match(word):
        return len(word) >= _SHORTEST
    mixed = re.search(r"[0-9]", word) and re.search(r"[a-z]", word) and re.search(r"[A-Z]", word)
    return bool(mixed) and _entropy(word) >= _BITS


def _entropy(word: str) -> float:
    shares = [count / len(word) for count in Counter(word).values()]
    return -sum(share * math.log2(share) for share in shares)
