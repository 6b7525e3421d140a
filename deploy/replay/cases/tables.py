"""The tables of moves that a plain chapter can walk: `<service>/<case>` -> the case, found in the services' domains."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache
from typing import Any

from shared.cases.case import Case
from shared.programmes.sections.base import Section
from shared.store.relations import Plain

SERVICES = ("registration", "matching", "placement")
Tables = Mapping[str, Case[Any]]


@cache
def tables() -> Tables:
    """Every case of every service, by the path under which its edge has it."""
    return {f"{service}/{case.name}": case for service in SERVICES for case in _cases_of(service)}


@cache
def sections() -> Mapping[str, type[Section]]:
    """The section of a programme under which each plain case is opened, by the same path."""
    stores = {service: importlib.import_module(f"services.{service}.store") for service in SERVICES}
    return {
        f"{service}/{one.case.name}": one.section
        for service, store in stores.items()
        for one in getattr(store, "PLAIN", ())
        if isinstance(one, Plain)
    }


def _cases_of(service: str) -> list[Case[Any]]:
    package = importlib.import_module(f"services.{service}.domain")
    names = sorted(one.name for one in pkgutil.iter_modules(package.__path__))
    modules = [importlib.import_module(f"{package.__name__}.{name}") for name in names]
    return [value for module in modules for value in vars(module).values() if isinstance(value, Case)]
