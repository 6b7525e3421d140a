#!/usr/bin/env bash
# cloudevents 10.0.0 (npm, the CloudEvents SDK for JavaScript): `time` of a Kafka record in binary mode loses all below a
# millisecond when it is read. The attribute is a string by the SDK's own types, and RFC 3339 sets no limit to the
# fraction; `2026-03-02T10:15:30.123456Z` comes out as `2026-03-02T10:15:30.123Z`, while an extension with the same text
# stays as it is. Two events of one millisecond can so not be told apart by `time`, and one that is read and sent on is
# another event. Exit code 1 when that changes. Needs Node 20 and npm; runs in a folder of its own.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm install --no-audit --no-fund --ignore-scripts --silent cloudevents@10.0.0
cat > read.js <<'JS'
const { Kafka } = require("cloudevents");
const text = "2026-03-02T10:15:30.123456Z";
const headers = {
  ce_specversion: "1.0", ce_id: "1", ce_type: "t", ce_source: "/s", ce_time: text, ce_recordedtime: text,
  "content-type": "application/json",
};
const event = Kafka.toEvent({ key: "k", headers, value: "{}", body: "{}", timestamp: 0 });
console.log(`cloudevents ${require("cloudevents/package.json").version}: time ${event.time}, extension ${event.recordedtime}`);
process.exit(event.time === "2026-03-02T10:15:30.123Z" && event.recordedtime === text ? 0 : 1);
JS
node read.js
