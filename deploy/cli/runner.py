"""The history runner: puts a programme's history through the public edges, each step once.

Keys follow from step ids, so a step that is sent again after an interruption is answered, not done, again.
Steps run side by side where they do not depend on each other.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TextIO

from deploy.cli.client import Call, Client, StepFailed
from deploy.replay.steps import PHASES, Await, Step, resolve
from shared.clock import short_hash
from shared.errors import SettingsError

SIDE_BY_SIDE = 16


class Journal:
    """What was acknowledged, one line a step. It only saves time: a lost line makes a step be asked again."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.answers: dict[str, dict[str, str]] = {}
        self._asked: dict[str, str] = {}
        if path.exists():
            self._read(path.read_text().splitlines())
        self._file: TextIO = path.open("a", buffering=1)
        # A line that was torn by a kill must not swallow the next one.
        self._file.write("\n")

    def _read(self, lines: Iterable[str]) -> None:
        for line in lines:
            try:
                row = json.loads(line)
                self.answers[row["step"]] = row["answer"]
                self._asked[row["step"]] = row["asked"]
            except (ValueError, KeyError, TypeError):
                continue

    def note(self, step: Step, answer: Mapping[str, Any]) -> None:
        kept = {name: str(answer[name]) for name in step.keeps if name in answer}
        self.answers[step.id] = kept
        self._file.write(json.dumps({"step": step.id, "answer": kept, "asked": _asked(step)}) + "\n")

    def check(self, steps: Iterable[Step]) -> None:
        """Raises SettingsError where a step was asked otherwise before: what was done by another file stays done."""
        for step in steps:
            if self._asked.get(step.id, _asked(step)) != _asked(step):
                told = f"{step.id} was asked otherwise when this history ran here before"
                raise SettingsError(f"{told}: a file that has changed needs a code of its own, or a fresh system")

    def close(self) -> None:
        self._file.close()


def _asked(step: Step) -> str:
    return short_hash(json.dumps([step.path, step.body], sort_keys=True))


class Runner:
    """Runs the steps of one history against one system."""

    def __init__(
        self,
        code: str,
        steps: Iterable[Step],
        client: Client,
        journal: Journal,
        token_of: Callable[[Step], str],
        progress: Callable[[int, str], None],
    ) -> None:
        self._code = code
        self._steps = {step.id: step for step in steps}
        self._client = client
        self._journal = journal
        self._token_of = token_of
        self._progress = progress
        self._waiting: dict[str, set[str]] = {}
        self._dependents: dict[str, list[str]] = {}
        self._ready: asyncio.Queue[str | None] = asyncio.Queue()
        self._left = 0

    async def run(self) -> None:
        """Returns when every step is acknowledged. Raises StepFailed at the first that is refused for good,
        SettingsError where a step was asked otherwise before.

        A phase begins when the services have finished the one before: what one acknowledged, the others know.
        """
        self._journal.check(self._steps.values())
        done = sum(step in self._journal.answers for step in self._steps)
        self._progress(done, "")
        for phase in PHASES:
            steps = [step for step in self._steps.values() if step.phase == phase]
            if any(step.id not in self._journal.answers for step in steps):
                await self._client.wait_caught_up()
                await self._run_phase(steps)

    async def _run_phase(self, steps: Iterable[Step]) -> None:
        self._prepare(steps)
        workers = [asyncio.create_task(self._work()) for _ in range(SIDE_BY_SIDE)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    def _prepare(self, steps: Iterable[Step]) -> None:
        done = self._journal.answers
        open_steps = [step for step in steps if step.id not in done]
        self._left = len(open_steps)
        for step in open_steps:
            needs = {need for need in step.needs if need not in done}
            self._waiting[step.id] = needs
            for need in needs:
                self._dependents.setdefault(need, []).append(step.id)
            if not needs:
                self._ready.put_nowait(step.id)

    async def _work(self) -> None:
        while (id := await self._ready.get()) is not None:
            step = resolve(self._steps[id], self._journal.answers)
            token = self._token_of(step)
            seen = [await self._seen(one, step, token) for one in step.awaits]
            if step.settled and seen and seen[-1].get("state") in step.settled:
                self._finished(step, seen[-1])
                continue
            call = Call(step.method, step.path, token, step.key(self._code), step.body)
            self._finished(step, await self._client.send_until_done(call, self._waiting_for))

    async def _seen(self, awaited: Await, step: Step, token: str) -> Mapping[str, Any]:
        """What the step waits for, once it is visible in one of its states (or in one that settles the step)."""
        states = (*awaited.states, *step.settled) if awaited.states else ()

        def arrived(answer: Mapping[str, Any]) -> bool:
            return not states or answer.get("state") in states

        if awaited.receipt is not None:
            await self._accepted(Call("GET", awaited.receipt, token))
        call = Call("GET", awaited.path, token)
        seen: Mapping[str, Any] = await self._client.send_until_done(call, self._waiting_for, arrived)
        return seen

    async def _accepted(self, receipt: Call) -> None:
        """Returns when the submission is accepted. StepFailed, with the rules, once it is refused."""
        decided = await self._client.send_until_done(
            receipt, self._waiting_for, lambda answer: answer.get("status") != "pending"
        )
        if decided["status"] == "refused":
            rules = ", ".join(f"{one['pointer']} {one['rule']}".strip() for one in decided["problems"])
            raise StepFailed(f"{receipt.path}: the submission was refused: {rules}")

    def _waiting_for(self, reason: str) -> None:
        self._progress(0, reason)

    def _finished(self, step: Step, answer: Mapping[str, Any]) -> None:
        self._journal.note(self._steps[step.id], answer)
        self._progress(1, step.phase)
        for dependent in self._dependents.get(step.id, ()):
            self._waiting[dependent].discard(step.id)
            if not self._waiting[dependent]:
                self._ready.put_nowait(dependent)
        self._left -= 1
        if not self._left:
            for _ in range(SIDE_BY_SIDE):
                self._ready.put_nowait(None)
