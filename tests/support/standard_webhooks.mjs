// Signs and verifies with npm's standardwebhooks: a JSON object a line in, one out.
// {key, raw?, sign: {id, seconds, body}} -> {signature}
// {key, raw?, verify: {headers, body}}   -> {payload} or {error}
import { createInterface } from "node:readline";
import { Webhook } from "standardwebhooks";

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(answer(JSON.parse(line))));
}

function answer({ key, raw, sign, verify }) {
  const webhook = raw
    ? new Webhook(new TextEncoder().encode(key), { format: "raw" })
    : new Webhook(key);
  if (sign) {
    return { signature: webhook.sign(sign.id, new Date(sign.seconds * 1000), sign.body) };
  }
  try {
    return { payload: webhook.verify(verify.body, verify.headers) };
  } catch (error) {
    return { error: error.message };
  }
}
