// The models that are tried, and what each of them says on the air.
import { battery, operation, point, report, zone } from "./zigbee.mjs";

// IAS zone status (Zigbee cluster library 8.2.2.2.1.3)
const ALARM = 1, ALARM_2 = 2, TAMPER = 4, BATTERY = 8, TROUBLE = 64, TEST = 256;
const LUMI = 0x115f, HEIMAN = 0x120b;
// operation events of a door lock: source and code (7.3.2.17)
const KEYPAD = 0, RF = 1, MANUAL = 2, LOCK = 1, UNLOCK = 2, WRONG_CODE = 5, KEY_LOCK = 8, KEY_UNLOCK = 9;

const smokes = (clear = 0) => [["quiet", zone(clear)], ["alarm", zone(clear | ALARM)], ["alarm again", zone(clear | ALARM)], ["over", zone(clear)]];
const opens = (clear = 0) => [["closed", zone(clear)], ["open", zone(clear | ALARM)], ["closed again", zone(clear)]];

export const MODELS = [
    { kind: "smoke", model: "SmokeSensor-N", maker: "HEIMAN", code: HEIMAN, name: "烟感/3-2", says: [...smokes(), ["tampered", zone(TAMPER)], ["whole", zone(0)], ["low battery", zone(BATTERY)], ["percent", battery(16)]] },
    { kind: "smoke", model: "RBSH-SD-ZB-EU", maker: "BOSCH", code: 0x1209, says: [...smokes(), ["test mode", zone(TEST)], ["normal", zone(0)]] },
    { kind: "smoke", model: "SMSZB-120", maker: "Develco Products A/S", code: 0x1015, endpoint: 35, says: [...smokes(), ["test button", zone(ALARM | TEST)], ["released", zone(0)]] },
    { kind: "smoke", model: "lumi.sensor_smoke", maker: "LUMI", code: LUMI, says: smokes() },
    { kind: "smoke", model: "lumi.sensor_smoke.acn03", maker: "LUMI", code: LUMI, says: [["quiet", report("lumi", 0x13a, 0x20, 0, LUMI)], ["alarm", report("lumi", 0x13a, 0x20, 1, LUMI)], ["dense", report("lumi", 0x13b, 0x20, 9, LUMI)], ["over", report("lumi", 0x13a, 0x20, 0, LUMI)]] },
    { kind: "smoke", model: "TS0205", maker: "_TZ3210_up3pngle", says: [...smokes(), ["tampered", zone(TAMPER)], ["whole", zone(0)]] },
    { kind: "smoke", model: "TS0601", maker: "_TZE200_ntcy3xu1", says: [["quiet", point(1, 4, 1)], ["alarm", point(1, 4, 0)], ["over", point(1, 4, 1)], ["tampered", point(4, 1, 1)], ["low battery", point(14, 4, 0)]] },
    { kind: "smoke", model: "HK-SENSOR-SMO", maker: "Sunricher", says: [...smokes(), ["second zone", zone(ALARM_2)], ["second over", zone(0)]] },
    { kind: "smoke", model: "HS2SA-EF-3.0", maker: "HEIMAN", code: HEIMAN, says: [...smokes(), ["low battery", zone(BATTERY)]] },
    { kind: "contact", model: "lumi.sensor_magnet", maker: "LUMI", code: LUMI, says: [["closed", report("onOff", 0, 0x10, 0)], ["open", report("onOff", 0, 0x10, 1)], ["closed again", report("onOff", 0, 0x10, 0)]] },
    { kind: "contact", model: "lumi.magnet.agl02", maker: "LUMI", code: LUMI, says: opens() },
    { kind: "contact", model: "DS01", maker: "eWeLink", says: [...opens(), ["low battery", zone(BATTERY)]] },
    { kind: "contact", model: "PARASOLL Door/Window Sensor", maker: "IKEA of Sweden", code: 0x117c, endpoint: 2, says: opens() },
    { kind: "contact", model: "3RDS17BZ", maker: "Third Reality, Inc", says: opens() },
    { kind: "contact", model: "CS-T2C-A0-BG", maker: "EZVIZ", says: [...opens(), ["tampered", zone(TAMPER)]] },
    { kind: "contact", model: "TS0203", maker: "_TZ3000_26fmupbb", says: [...opens(), ["tampered", zone(TAMPER)]] },
    { kind: "lock", model: "YRD256 TSDB", maker: "Yale", says: [["locked", report("doorLock", 0, 0x30, 1)], ["by code", operation(KEYPAD, UNLOCK, 3)], ["by hand", operation(MANUAL, LOCK, 0)], ["wrong code", operation(KEYPAD, WRONG_CODE, 0)], ["percent", battery(150)]] },
    { kind: "lock", model: "SMARTCODE_DEADBOLT_10", maker: "Weiser", says: [["by code", operation(KEYPAD, UNLOCK, 12)], ["by radio", operation(RF, LOCK, 0)], ["unlocked", report("doorLock", 0, 0x30, 2)]] },
    { kind: "lock", model: "BE468", maker: "Schlage", says: [["locked", report("doorLock", 0, 0x30, 1)], ["by key", operation(MANUAL, KEY_UNLOCK, 0)], ["by key again", operation(MANUAL, KEY_LOCK, 0)]] },
    { kind: "lock", model: "V3-BTZB", maker: "Danalock", says: [["locked", report("doorLock", 0, 0x30, 1)], ["unlocked", report("doorLock", 0, 0x30, 2)], ["half", report("doorLock", 0, 0x30, 0)]] },
    { kind: "lock", model: "easyCodeTouch_v1", maker: "Onesti Products AS", endpoint: 11, says: [["locked", report("doorLock", 0, 0x30, 1)], ["unlocked", report("doorLock", 0, 0x30, 2)], ["whose", report("doorLock", 0x100, 0x1b, 0)]] },
    { kind: "vibration", model: "lumi.vibration.aq1", maker: "LUMI", code: LUMI, says: [["shaken", report("doorLock", 0x55, 0x21, 1)], ["tilted", report("doorLock", 0x55, 0x21, 2)], ["dropped", report("doorLock", 0x55, 0x21, 3)]] },
    { kind: "vibration", model: "Vibration-N", maker: "HEIMAN", code: HEIMAN, says: [["quiet", zone(0)], ["shaken", zone(ALARM)], ["quiet again", zone(0)], ["tampered", zone(TAMPER)]] },
    { kind: "vibration", model: "TS0210", maker: "_TYZB01_3zv6oleo", says: [["shaken", zone(ALARM)], ["shaken again", zone(ALARM)]] },
    { kind: "vibration", model: "3RVS01031Z", maker: "Third Reality, Inc", says: [["quiet", zone(0)], ["shaken", zone(ALARM)], ["quiet again", zone(0)]] },
    { kind: "vibration", model: "RBSH-SWDV-ZB", maker: "BOSCH", code: 0x1209, says: [["closed", zone(0)], ["open", zone(ALARM)], ["shaken", zone(ALARM | ALARM_2)], ["still", zone(0)]] },
    { kind: "vibration", model: "DCH-B112", maker: "D-Link", says: [["quiet", zone(0)], ["shaken", zone(ALARM_2)], ["quiet again", zone(0)]] },
];
