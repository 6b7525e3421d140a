"""`sankofa`: one verb a feature. Exit codes: 0 done, 1 it ran and the answer is no, 2 wrong use or unreachable."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import typer
from httpx import TransportError

from deploy.cli.client import StepFailed
from shared.errors import SettingsError, TaskEnded

# A verb is `function` of `deploy.cli.<module>`; its help ends with the example.
VERBS: Mapping[str, tuple[str, str, str]] = {
    "up": ("running", "up", "sankofa up --log kafka --store mongodb --data data --port 8000"),
    "serve": ("running", "serve_services", "sankofa serve matching placement --port 8001"),
    "demo": ("demo", "demo", "sankofa demo --exit"),
    "figures": ("figures", "figures", "sankofa figures trqn-1 --period first-report"),
    "issuer": ("issuer", "issuer", "sankofa issuer --port 8002"),
    "token": ("token", "token", "sankofa token --role officer --office NL --subject officer-1"),
    "doctor": ("doctor", "doctor", "sankofa doctor --url http://127.0.0.1:8000"),
    "backup": ("backup", "backup", "sankofa backup /srv/backup-1 --data data"),
    "restore": ("restoring", "restore", "sankofa restore --data data-2 --from /srv/backup-1"),
}
# Verbs that have verbs of their own: `app` of the module.
GROUPS: Mapping[str, str] = {
    "history": "history",
    "programme": "definition",
    "receipt": "receipt",
    "parked": "parked",
    "rebuild": "readmodel",
    "audit": "audit",
}
# Verbs of a verb that takes what it is asked for: `app` of the module where the second word is one of these.
FURTHER: Mapping[str, tuple[str, frozenset[str]]] = {
    "figures": ("statements", frozenset({"statements", "facts", "verify"})),
}
ABOUT = "Programmes that bring a diaspora's skills home: registration, matching, placement, monitoring."


def app_of(words: Sequence[str]) -> typer.Typer:
    """The command line for these words: with the verb that they name alone, for each verb's libraries take a while to
    import; with all of them where they name none."""
    app = typer.Typer(
        name="sankofa",
        help=ABOUT,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
    )
    # With one command and nothing else, Typer would take its name for an argument.
    app.callback()(lambda: None)
    asked = words[0] if words and words[0] in (*VERBS, *GROUPS) else None
    module, further = FURTHER.get(asked or "", ("", frozenset[str]()))
    if words[1:2] and words[1] in further:
        app.add_typer(_module(module).app, name=asked)
        return app
    for name, (module, function, example) in VERBS.items():
        if asked in (None, name):
            app.command(name, epilog=f"Example: {example}")(getattr(_module(module), function))
    for name, module in GROUPS.items():
        if asked in (None, name):
            app.add_typer(_module(module).app, name=name)
    return app


def _module(name: str) -> Any:
    return importlib.import_module(f"deploy.cli.{name}")


def main() -> None:
    """Runs a verb; an error that a user can mend is one line."""
    try:
        app_of(sys.argv[1:])()
    except SettingsError as error:
        _end(str(error), 2)
    except TransportError as error:
        _end(f"the system cannot be reached ({type(error).__name__})", 2)
    except (StepFailed, TaskEnded) as error:
        _end(str(error), 1)
    except KeyboardInterrupt:
        sys.exit(130)


def _end(line: str, code: int) -> None:
    print(f"sankofa: {line}", file=sys.stderr)
    sys.exit(code)


if __name__ == "__main__":
    main()
