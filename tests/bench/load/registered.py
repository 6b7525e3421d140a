"""`PYTHON registered.py DATA`: what a stopped system's log says of registrations. Run in the build's own folder.

One JSON line a first occurrence: the expert's id, the event's id, the append time in milliseconds since 1970.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

TOPIC = "registration.experts"
TYPE = b"ExpertRegistered"


async def main(data: Path) -> None:
    sys.path.insert(0, str(Path.cwd()))
    from shared.clock import RealRuntime
    from shared.messaging.local import LocalLog
    from shared.messaging.topics import TOPICS

    runtime = RealRuntime()
    log = LocalLog(data / "log.sqlite", list(TOPICS.values()), runtime)
    await log.start()
    seen = set()
    for (topic, partition), end in (await log.ends([TOPIC])).items():
        offset = 0
        while offset < end:
            records = await log.read(topic, partition, offset)
            for record in records:
                headers = dict(record.headers)
                id = headers["ce_id"]
                if TYPE in headers["ce_type"] and id not in seen:
                    seen.add(id)
                    print(json.dumps([(record.key or b"").decode(), id.decode(), record.appended_ms]))
            offset = records[-1].offset + 1 if records else end
    await log.stop()
    runtime.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
