"""`sankofa`: one verb a feature. Exit codes: 0 done, 1 it ran and the answer is no, 2 wrong use or unreachable."""

from __future__ import annotations

import sys

import httpx
import typer

from deploy.cli import (
    backup,
    definition,
    demo,
    doctor,
    figures,
    history,
    issuer,
    parked,
    readmodel,
    receipt,
    restoring,
    running,
    token,
)
from deploy.cli.client import StepFailed
from shared.errors import SettingsError, TaskEnded

app = typer.Typer(
    name="sankofa",
    help="Programmes that bring a diaspora's skills home: registration, matching, placement, monitoring.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
app.command("up", epilog="Example: sankofa up --log kafka --store mongodb --data data --port 8000")(running.up)
app.command("serve", epilog="Example: sankofa serve matching placement --port 8001")(running.serve_services)
app.command("demo", epilog="Example: sankofa demo --exit")(demo.demo)
app.command("figures", epilog="Example: sankofa figures trqn-1 --period first-report")(figures.figures)
app.command("issuer", epilog="Example: sankofa issuer --port 8002")(issuer.issuer)
app.command("token", epilog="Example: sankofa token --role officer --office NL --subject officer-1")(token.token)
app.command("doctor", epilog="Example: sankofa doctor --url http://127.0.0.1:8000")(doctor.doctor)
app.command("backup", epilog="Example: sankofa backup /srv/backup-1 --data data")(backup.backup)
app.command("restore", epilog="Example: sankofa restore --data data-2 --from /srv/backup-1")(restoring.restore)
app.add_typer(history.app, name="history")
app.add_typer(definition.app, name="programme")
app.add_typer(receipt.app, name="receipt")
app.add_typer(parked.app, name="parked")
app.add_typer(readmodel.app, name="rebuild")


def main() -> None:
    """Runs a verb; an error that a user can mend is one line."""
    try:
        app()
    except SettingsError as error:
        _end(str(error), 2)
    except httpx.TransportError as error:
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
