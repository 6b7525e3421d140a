// Reads every topic to the end that it had, and prints what each record says, one line a record, parted by tabs.
// The last field: where its body breaks the schema that it names, by another validator than Python's.
const fs = require("fs");
const path = require("path");
const Ajv = require("ajv/dist/2020");
const addFormats = require("ajv-formats");
const { CloudEvent, Kafka: Binding } = require("cloudevents");
const { Kafka, logLevel } = require("kafkajs");

const [servers, schemas] = process.argv.slice(2);
const ajv = new Ajv({ allErrors: true, strict: false });
addFormats(ajv);
for (const file of fs.readdirSync(schemas)) ajv.addSchema(JSON.parse(fs.readFileSync(path.join(schemas, file), "utf8")));

function line(topic, message) {
  const headers = Object.fromEntries(Object.entries(message.headers).map(([name, value]) => [name, value.toString()]));
  const value = message.value.toString("utf8");
  const event = Binding.toEvent({ key: message.key.toString(), value, body: value, headers, timestamp: 0 });
  new CloudEvent(event).validate();
  const validate = ajv.getSchema(event.dataschema);
  const faults = validate(JSON.parse(value)) ? "" : validate.errors.map((one) => one.instancePath).join(",");
  return [topic, event.id, event.type, event.subject, message.key.toString(), event.specversion, event.datacontenttype,
    event.dataschema, event.source, event.time, event.recordedtime, event.sequence, event.traceparent || "",
    message.value.length, faults].join("\t");
}

(async () => {
  const kafka = new Kafka({ clientId: "reader", brokers: [servers], logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  const topics = (await admin.listTopics()).filter((name) => !name.startsWith("__"));
  const left = new Map();
  for (const topic of topics)
    for (const { partition, high } of await admin.fetchTopicOffsets(topic))
      if (Number(high) > 0) left.set(`${topic}/${partition}`, Number(high));
  await admin.disconnect();
  const consumer = kafka.consumer({ groupId: `reader-${process.pid}` });
  await consumer.connect();
  await consumer.subscribe({ topics, fromBeginning: true });
  await new Promise((resolve, reject) => {
    consumer.run({
      autoCommit: false,
      eachMessage: async ({ topic, partition, message }) => {
        try {
          console.log(line(topic, message));
        } catch (error) {
          reject(error);
        }
        const place = `${topic}/${partition}`;
        if (Number(message.offset) + 1 >= left.get(place)) left.delete(place);
        if (left.size === 0) resolve();
      },
    });
  });
  await consumer.disconnect();
})().catch((error) => {
  console.error(error);
  process.exit(1);
});
