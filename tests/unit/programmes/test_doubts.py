"""What the linter warns of: at line and field, and published all the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from deploy.cli.main import app_of
from shared.programmes.loader import FileRefused, lint, load_definition

DEPLOY = Path(__file__).parents[3] / "deploy/programmes"
TEXT = (DEPLOY / "trqn-1.yaml").read_text()
OFFICE = "{code: the-hague, name: {en: The Hague, fr: La Haye, ar: لاهاي}, country: NL,"
TRAINED = """indicators:
  - code: trained
    name: {en: Trainings, fr: Formations, ar: الدورات}
    unit: trainings
    measure: count
    facts: {kinds: [training_held]}
"""


@pytest.mark.parametrize("file", sorted(DEPLOY.glob("*.yaml")), ids=lambda file: file.stem)
def test_nothing_in_the_projects_own_definitions_is_doubted(file: Path) -> None:
    assert lint(file.read_text()) == []


@pytest.mark.parametrize(
    ("old", "new", "pointer", "rule"),
    [
        # The last day written where the day after it is meant: one day of the series belongs to no period.
        ("    ends: 2007-08-01", "    ends: 2007-07-31", "/periods/0/ends", "periods_gap"),
        ("    ends: 2007-08-01", "    ends: 2007-06-01", "/periods/1/starts", "periods_gap"),
        ("    starts: 2006-04-01", "    starts: 2006-03-01", "/periods/0/starts", "period_outside"),
        ("    ends: 2008-07-01", "    ends: 2008-09-01", "/periods/1/ends", "period_outside"),
        (OFFICE, OFFICE.replace("NL", "CH"), "/offices/0/country", "office_elsewhere"),
        ("en: Health,", "en: Education and Training,", "/sectors/1/name/en", "repeated_name"),
        (
            "en: Private enterprise,",
            "en: public institution,",
            "/placement/host_types/1/name/en",
            "repeated_name",
        ),
        ("indicators:\n", TRAINED, "/indicators/0/facts/kinds/0", "no_such_facts"),
    ],
)
def test_a_doubt_is_a_warning_at_its_line(old: str, new: str, pointer: str, rule: str) -> None:
    text = TEXT.replace(old, new, 1)
    (found,) = lint(text)
    assert (found.pointer, found.rule, found.warning) == (pointer, rule, True)
    changed = next(n for n, (a, b) in enumerate(zip(text.splitlines(), TEXT.splitlines(), strict=False), 1) if a != b)
    assert abs(found.line - changed) <= 6
    assert load_definition(text), "it can be published"


def test_nested_and_overlapping_periods_of_one_series_are_refused() -> None:
    for ends in ("2007-08-02", "2008-08-01"):
        text = TEXT.replace("    ends: 2007-08-01", f"    ends: {ends}", 1)
        assert "periods_overlap" in {one.rule for one in lint(text) if not one.warning}
        with pytest.raises(FileRefused):
            load_definition(text)


def test_the_command_says_so_and_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "definition.yaml"
    file.write_text(TEXT.replace("    ends: 2007-08-01", "    ends: 2007-07-31", 1))
    ran = CliRunner().invoke(app_of(()), ["programme", "lint", str(file)])
    assert ran.exit_code == 0
    assert "warning: /periods/0/ends: periods_gap" in ran.stdout
    assert "can be published" in ran.stdout
