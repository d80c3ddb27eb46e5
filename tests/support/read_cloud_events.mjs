// Prints, as JSON lines, the CloudEvents that arrive on a subject: node FILE URL STREAM SUBJECT COUNT
import { connect } from "@nats-io/transport-node";
import { jetstream } from "@nats-io/jetstream";

const [url, stream, subject, count] = process.argv.slice(2);
const connection = await connect({ servers: url });
const consumer = await jetstream(connection).consumers.get(stream, { filter_subjects: subject });
const messages = await consumer.fetch({ max_messages: Number(count), expires: 20000 });
for await (const message of messages) {
  const event = { topic: message.subject, data: message.json() };
  for (const name of message.headers.keys()) {
    if (name.startsWith("ce-")) {
      event[name.slice(3)] = decodeURIComponent(message.headers.get(name));
    }
  }
  console.log(JSON.stringify(event));
}
await connection.close();
