"""The scripts of others are the releases that VERSIONS names, unchanged, with their licences, and nothing is loaded from elsewhere."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VENDOR = ROOT / "gateway" / "static" / "vendor"
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
BYTES_MAX = 1_000_000
LISTED = [line.split() for line in (VENDOR / "VERSIONS").read_text().splitlines()]


@pytest.mark.parametrize(("name", "version", "licence", "file", "digest"), LISTED)
def test_a_vendored_file_is_what_versions_says(name: str, version: str, licence: str, file: str, digest: str) -> None:
    content = (VENDOR / file).read_bytes()
    assert sha256(content).hexdigest() == digest
    assert len(content) < BYTES_MAX
    assert licence in {"0BSD", "Apache-2.0"}
    assert (VENDOR / f"{name}.LICENSE").stat().st_size > 0
    assert f"{name}|{version}|{licence}|" in (ROOT / "scripts" / "vendor.sh").read_text()


def test_every_vendored_file_is_listed() -> None:
    names = [line[0] for line in LISTED]
    wanted = {line[3] for line in LISTED} | {f"{name}.LICENSE" for name in names}
    notices = {f"{name}.NOTICE" for name in ("lightweight-charts", "swagger-ui-dist")}
    assert {path.name for path in VENDOR.iterdir()} == wanted | notices | {"VERSIONS"}


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.stem)
def test_a_template_needs_no_more_than_the_policy_allows(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"\s(style|on\w+|hx-on\S*)=|<style|javascript:|\|\s*safe\b", text)
    for source in re.findall(r'<(?:script|link)[^>]*?(?:src|href)="([^"]*)"', text):
        assert (ROOT / "gateway" / source.lstrip("/")).is_file(), source
    assert len(re.findall(r"<script", text)) == len(re.findall(r"<script src=", text))
