// Prints what Zigbee2MQTT publishes, a line of JSON each, when all models of `models.mjs` say what they have to say:
// {"topic", "payload", "retain"}, and for a state besides {"kind", "model", "address", "step"}.
import { MODELS } from "./models.mjs";
import { Zigbee } from "./zigbee.mjs";

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const devices = [];
for (const model of MODELS) devices.push({ model, zigbee: await Zigbee.join(model) });

say({ topic: "zigbee2mqtt/bridge/state", payload: { state: "online" }, retain: true });
say({ topic: "zigbee2mqtt/bridge/devices", payload: devices.map(({ zigbee }) => zigbee.listed()), retain: true });
for (const { model, zigbee } of devices) {
    say({ topic: `zigbee2mqtt/${zigbee.name}/availability`, payload: { state: "online" }, retain: true });
    for (const [step, frame] of model.says) {
        const published = await zigbee.hear(frame);
        if (published.length === 0) throw new Error(`${model.model}: nothing came of "${step}"`);
        for (const message of published) say({ ...message, kind: model.kind, model: model.model, address: zigbee.name, step });
    }
}
// converters keep timers for what ends by itself
process.exit(0);
