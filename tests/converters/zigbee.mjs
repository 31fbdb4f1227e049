// Zigbee devices as they speak: bytes on the air are read by `zigbee-herdsman`, turned into properties by the converters of
// `zigbee-herdsman-converters`, and told as Zigbee2MQTT tells them. Nothing here names a property of a message.
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const converters = require("zigbee-herdsman-converters");
const { Controller, Zcl, setLogger } = require("zigbee-herdsman");
const { Device } = require("zigbee-herdsman/dist/controller/model");
const { Entity } = require("zigbee-herdsman/dist/controller/model/entity.js");

const silent = { debug() {}, info() {}, warning() {}, error() {} };
setLogger(silent);
converters.setLogger(silent);

// a coordinator without a radio, and a database that keeps nothing
let ids = 0;
Entity.injectDatabase({ newID: () => ++ids, insert() {}, update() {}, has: () => true, remove() {}, getEntriesIterator: () => [].values() });
Entity.injectAdapter({ async sendZclFrameToEndpoint() {}, hasZdoMessageOverhead: false });

// frames of the Zigbee cluster library, least byte first
const le = (value, bytes) => Buffer.from(Array.from({ length: bytes }, (_, at) => Number((BigInt(value) >> BigInt(8 * at)) & 0xffn)));
const CLUSTERS = { basic: 0, power: 1, onOff: 6, binary: 0xf, alarms: 9, doorLock: 0x101, iasZone: 0x500, tuya: 0xef00, lumi: 0xfcc0, thirdReality: 0xfff1 };
let sequence = 0;
// each frame has the next number, or a converter takes it for one that came twice
const next = () => (sequence = (sequence + 1) % 256);
const SIZES = { 0x10: 1, 0x18: 1, 0x20: 1, 0x21: 2, 0x23: 4, 0x25: 6, 0x30: 1, 0x31: 2, 0x27: 8, 0x19: 2 };

/** A report of one attribute; `maker` is the manufacturer's code where the attribute is its own. */
export const report = (cluster, attribute, type, value, maker) => ({
    cluster: CLUSTERS[cluster],
    bytes: Buffer.concat([
        maker ? Buffer.concat([Buffer.of(0x1c), le(maker, 2)]) : Buffer.of(0x18),
        Buffer.of(next(), 0x0a), le(attribute, 2), Buffer.of(type), le(value, SIZES[type]),
    ]),
});
/** IAS zone: status change notification. */
export const zone = (status) => ({ cluster: CLUSTERS.iasZone, bytes: Buffer.concat([Buffer.of(0x19, next(), 0), le(status, 2), Buffer.of(0, 0, 0, 0)]) });
/** Battery in half percents. */
export const battery = (half) => report("power", 0x21, 0x20, half);
/** Door lock: operation event notification. */
export const operation = (source, code, user) => ({
    cluster: CLUSTERS.doorLock,
    bytes: Buffer.concat([Buffer.of(0x19, next(), 0x20, source, code), le(user, 2), Buffer.of(0), le(0, 4), Buffer.of(0)]),
});
/** A data point of Tuya's own cluster: 1 is a switch, 2 a number, 4 a choice. */
export const point = (number, type, value) => {
    const data = type === 2 ? Buffer.from([0, 0, 0, value]) : Buffer.of(value);
    return { cluster: CLUSTERS.tuya, bytes: Buffer.concat([Buffer.of(0x09, next(), 0x02, 0, next(), number, type, 0, data.length), data]) };
};

let networkAddress = 0x1000;

/** One device on the mesh, as Zigbee2MQTT holds it: its definition, and the state that it is cached in. */
export class Zigbee {
    static async join({ name, model, maker = "", code = 0, endpoint = 1 }) {
        const ieee = `0x${(0x00158d0004000000n + BigInt(++networkAddress)).toString(16).padStart(16, "0")}`;
        const device = Device.create("EndDevice", ieee, networkAddress, code, maker, "Battery", model, "SUCCESSFUL");
        device.createEndpoint(endpoint);
        const definition = await converters.findByDevice(device, false);
        if (!definition) throw new Error(`${model} of ${maker} is in no definition`);
        const own = new Zigbee();
        Object.assign(own, { device, definition, endpoint, name: name ?? ieee, cached: {}, published: [] });
        // what a definition does when its device is there, such as the clusters of its maker's own
        await converters.onEvent({ type: "start", data: { device, options: {}, state: {}, deviceExposesChanged() {} } }).catch(() => {});
        await definition.onEvent?.({ type: "start", data: { device, options: {}, state: {}, deviceExposesChanged() {} } });
        return own;
    }

    /** What Zigbee2MQTT lists of it in `bridge/devices`. */
    listed() {
        const { device, definition } = this;
        const exposes = typeof definition.exposes === "function" ? definition.exposes(device, {}) : definition.exposes;
        return {
            definition: { description: definition.description, exposes, model: definition.model, supports_ota: !!definition.ota, vendor: definition.vendor },
            disabled: false, friendly_name: this.name, ieee_address: device.ieeeAddr, interview_completed: true, interviewing: false,
            manufacturer: device.manufacturerName, model_id: device.modelID, network_address: device.networkAddress, power_source: "Battery",
            supported: true, type: "EndDevice",
        };
    }

    /** Hears a frame; gives the messages that become of it. */
    async hear({ cluster, bytes }, at = this.endpoint) {
        const { device } = this;
        const heard = [];
        const controller = Object.create(Controller.prototype);
        controller.selfAndDeviceEmit = (_, event, data) => event === "message" && heard.push(data);
        await Controller.prototype.onZclPayload.call(controller, {
            clusterID: cluster, header: Zcl.Header.fromBuffer(bytes), data: bytes, address: device.networkAddress, endpoint: at,
            linkquality: 120, groupID: 0, wasBroadcast: false, destinationEndpoint: 1,
        });
        const before = this.published.length;
        for (const message of heard) await this.#convert(message);
        return this.published.slice(before);
    }

    async #convert(message) {
        const { definition, device } = this;
        const publish = (payload) => {
            converters.postProcessConvertedFromZigbeeMessage(definition, payload, {}, device);
            this.#publish(payload);
        };
        const meta = { device, logger: silent, state: this.cached, options: {}, deviceExposesChanged() {} };
        let told = {};
        for (const one of definition.fromZigbee) {
            if (one.cluster !== message.cluster || ![one.type].flat().includes(message.type)) continue;
            told = { ...told, ...(await one.convert(definition, message, publish, {}, meta)) };
        }
        if (Object.keys(told).length > 0) publish(told);
    }

    // the whole cached state with what is new in it; an action is told once and cached never
    #publish(payload) {
        const whole = { ...this.cached, ...payload, linkquality: this.device.linkquality };
        this.cached = Object.fromEntries(Object.entries(whole).filter(([key]) => !/^action/.test(key)));
        this.published.push({ topic: `zigbee2mqtt/${this.name}`, payload: whole });
    }
}
