// Publishes the lines of standard input ({"topic", "payload", "retain"}) with MQTT.js, as Zigbee2MQTT connects: with a will that
// says that the bridge is gone. Usage: node publish.mjs URL CLIENT [USER PASSWORD]
import { createInterface } from "node:readline";
import mqtt from "mqtt";

const [url, clientId, username, password] = process.argv.slice(2);
const will = { topic: "zigbee2mqtt/bridge/state", payload: Buffer.from('{"state":"offline"}'), retain: true, qos: 1 };
const client = await mqtt.connectAsync(url, { clientId, username, password, will, protocolVersion: 4, reconnectPeriod: 0 });
let told = 0;
for await (const line of createInterface({ input: process.stdin })) {
    const { topic, payload, retain } = JSON.parse(line);
    await client.publishAsync(topic, JSON.stringify(payload), { qos: 1, retain: retain === true });
    told += 1;
}
await client.endAsync();
process.stdout.write(`${told}\n`);
