"""The tree keeps its shape: who may look at whom, how long a thing may be, what it may be called."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVICES = ("registration", "matching", "placement", "monitoring")
SAME_FILES = ("__init__.py", "app.py", "settings.py", "handlers.py", "store.py", "api.py", "README.md", "domain")
FUNCTION_LINES, FUNCTION_LINES_HARD, FILE_LINES_HARD, HANDLER_LINES = 40, 70, 500, 25
# Functions between the soft and the hard bound. The list may only shrink.
LONGER_FUNCTIONS: set[str] = set()
DOMAIN_MAY_IMPORT = (
    "shared.cases",
    "shared.contracts",
    "shared.errors",
    "shared.clock",
    "shared.identity.roles",
    "shared.programmes",
    "shared.texts",
    "shared.zones",
    "pydantic",
)
VAGUE = re.compile(r"(^|_)(utils?|common|managers?|helpers?|misc)(_|$|\.)")


def sources(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def top_level_imports(path: Path) -> Iterator[str]:
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_shared_looks_at_no_service_and_no_deployment() -> None:
    wrong = [
        (module_of(p), i) for p in sources("shared") for i in imports_of(p) if i.startswith(("services", "deploy"))
    ]
    assert wrong == []


def test_services_never_look_at_each_other() -> None:
    wrong = [
        (module_of(path), name)
        for service in SERVICES
        for path in sources(f"services/{service}")
        for name in imports_of(path)
        if name.startswith(("services.", "deploy")) and not name.startswith(f"services.{service}")
    ]
    assert wrong == []


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_has_the_same_files(service: str) -> None:
    missing = [name for name in SAME_FILES if not (ROOT / "services" / service / name).exists()]
    assert missing == []


@pytest.mark.parametrize("service", SERVICES)
def test_a_domain_imports_rules_alone(service: str) -> None:
    allowed = (*DOMAIN_MAY_IMPORT, f"services.{service}.domain")
    ours = ("shared", "services", "deploy")
    foreign = ("fastapi", "starlette", "aiokafka", "faststream", "motor", "pymongo", "structlog", "asyncio", "uuid")
    wrong = [
        (module_of(path), name)
        for path in sources(f"services/{service}/domain")
        for name in imports_of(path)
        if (name.split(".")[0] in ours and not name.startswith(allowed)) or name.split(".")[0] in foreign
    ]
    assert wrong == []


def test_nothing_but_the_adapter_knows_a_driver() -> None:
    adapters = {"motor": "shared.store.mongodb", "pymongo": "shared.store.mongodb", "bson": "shared.store.mongodb"}
    adapters |= {"aiokafka": "shared.messaging.", "faststream": "shared.messaging.kafka"}
    wrong = [
        (module_of(path), name)
        for path in sources("shared", "services", "deploy")
        for name in imports_of(path)
        if (home := adapters.get(name.split(".")[0])) and not module_of(path).startswith(home)
    ]
    assert wrong == []


def test_no_circles() -> None:
    modules = {module_of(path): path for path in sources("shared", "services", "deploy")}
    edges = {name: {i for i in top_level_imports(path) if i in modules} for name, path in modules.items()}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, " -> ".join((*trail, name))
        if name not in done:
            for target in edges[name]:
                visit(target, (*trail, name))
            done.add(name)

    for name in modules:
        visit(name, ())


def functions() -> Iterator[tuple[str, int, Path]]:
    for path in sources("shared", "services", "deploy"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{module_of(path)}.{node.name}", (node.end_lineno or 0) - node.lineno + 1, path


def test_functions_and_files_stay_small() -> None:
    long = {name: lines for name, lines, _ in functions() if lines > FUNCTION_LINES}
    assert {name: lines for name, lines in long.items() if lines > FUNCTION_LINES_HARD} == {}
    assert {name: lines for name, lines in long.items() if name not in LONGER_FUNCTIONS} == {}
    assert set(long) >= LONGER_FUNCTIONS, "the list may only shrink: take out what is short again"
    files = {module_of(p): n for p in sources("shared", "services", "deploy") if (n := _lines(p)) > FILE_LINES_HARD}
    assert files == {}
    # The table of messages and effects grows with what a service listens to; a function beside it does not.
    beside = [(name, lines) for name, lines, path in functions() if path.name == "handlers.py"]
    assert [name for name, lines in beside if lines > HANDLER_LINES and not name.endswith(".handlers")] == []


def _lines(path: Path) -> int:
    return len(path.read_text().splitlines())


def test_no_vague_names() -> None:
    assert [str(p.relative_to(ROOT)) for p in sources("shared", "services", "deploy") if VAGUE.search(p.name)] == []


def test_clock_ids_randomness_and_tasks_come_through_the_runtime() -> None:
    banned = re.compile(r"datetime\.now\(|uuid4\(|create_task\(|ensure_future\(|time\.time\(|random\.random\(")
    allowed = {"shared/clock.py"}
    wrong = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sources("shared", "services")
        if str(path.relative_to(ROOT)) not in allowed and "shared/testing" not in str(path)
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if banned.search(line)
    ]
    assert wrong == []


def test_time_zones_come_from_the_pinned_list_alone() -> None:
    """No file but one takes zones from Python, and no statement asks DuckDB, which has a list of its own."""
    asked = re.compile(r"\bAT TIME ZONE|\btimezone\(|TIMESTAMPTZ|TIMESTAMP WITH TIME ZONE")
    for path in sources("shared", "services", "deploy"):
        if path.name != "zones.py" or path.parent.name != "shared":
            assert "zoneinfo" not in set(imports_of(path)), path
        assert not asked.search(path.read_text()), path


def test_the_project_speaks_of_itself_alone() -> None:
    hosts = "pypi|npmjs|maven|golang|debian|crates|pythonhosted"
    banned = re.compile(rf"https?://[^/ \"]*({hosts})|(?<!\w)/wor[k]/|/tm[p]/bash")
    kinds = {".py", ".md", ".yaml", ".yml", ".toml", ".txt", ".in", ".xml", ".json", ""}
    wrong = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in ROOT.rglob("*")
        if path.is_file() and path.suffix in kinds and not set(path.relative_to(ROOT).parts) & IGNORED
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if banned.search(line)
    ]
    assert wrong == []


IGNORED = {".git", ".venv", ".cache", "data", "data-keys", ".mypy_cache", ".ruff_cache", ".hypothesis", "__pycache__"}


def test_a_template_has_a_name_of_its_own() -> None:
    """The shared folder is looked in first, so one of its names would stand for a service's too."""
    files = [*ROOT.glob("shared/**/templates/*.html"), *ROOT.glob("services/*/templates/*.html")]
    counted = Counter(one.name for one in files)
    assert len(counted) > 50
    assert {name for name, many in counted.items() if many > 1} == set()
