"""Papers against another's reading of PDF/UA-1: veraPDF's, in a process of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.papers.typesetting import set_now
from shared.web.pages.languages import LANGUAGES
from tests.integration.others import java, said_by
from tests.tools import skipped_without_tools
from tests.unit.exports.samples import sample, written
from tests.unit.papers.samples import papers

pytestmark = pytest.mark.long


async def test_every_paper_in_every_language_keeps_to_the_standard(tmp_path: Path) -> None:
    with skipped_without_tools():
        folder = java("verapdf")
    for language in LANGUAGES:
        for name, paper in (await papers(language)).items():
            (tmp_path / f"{name}-{language}.pdf").write_bytes(set_now(paper))
        (tmp_path / f"report-{language}.pdf").write_bytes(written("report", sample(language)))
    whole = (tmp_path / "terms-en.pdf").read_bytes()
    # What says that it is of the standard and names no language is found out, or the look is worth nothing.
    (tmp_path / "broken.pdf").write_bytes(whole.replace(b"/Lang", b"/Lung"))
    files = sorted(str(path) for path in tmp_path.iterdir())
    said = said_by(["java", "-cp", "libs/*", "Papers.java", *files], folder)
    found = {Path(line.split(" ", 1)[0]).name: line.split(" ", 1)[1] for line in said.splitlines() if ".pdf " in line}
    assert found.pop("broken.pdf") != "whole"
    assert len(found) == 4 * len(LANGUAGES)
    assert set(found.values()) == {"whole"}
