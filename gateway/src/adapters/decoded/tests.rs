use serde_json::json;

use super::words::said_at_length;
use super::*;

fn told(object: &Value) -> Vec<String> {
    let told = drafts("a", object, None);
    let word = |draft: &Draft| format!("{}.{}", draft.kind, draft.phase.as_str());
    told.iter().map(word).collect()
}

#[test]
fn properties_are_known_by_many_names() {
    for (object, want) in [
        (
            json!({"smoke_state": 1, "battery": 90}),
            vec!["fire.smoke.raised"],
        ),
        (json!({"gas_sensor_state": 2}), vec!["fire.gas.raised"]),
        (json!({"smoke_alarm_status": 1}), vec!["fire.smoke.raised"]),
        (
            json!({"smoke_status": "Smoke alarm"}),
            vec!["fire.smoke.raised", "fire.fault.cleared"],
        ),
        (
            json!({"smoke_status": "smoke alarm cleared"}),
            vec!["fire.smoke.cleared", "fire.fault.cleared"],
        ),
        (
            json!({"smoke_status": "no smoke detected"}),
            vec!["fire.smoke.cleared", "fire.fault.cleared"],
        ),
        (json!({"smoke_status": "smoke alarm test"}), vec![]),
        (json!({"smoke_status": "warming up"}), vec![]),
        (json!({"smoke_status": "fault"}), vec!["fire.fault.raised"]),
        (
            json!({"gas_status": "high"}),
            vec!["fire.gas.raised", "fire.fault.cleared"],
        ),
        (json!({"gas_status": "low"}), vec!["fire.fault.cleared"]),
        (
            json!({"Volt": "2.4(low battery)", "ShockTamperAlarm": 1, "PowerOffAlarm": 1}),
            vec![
                "device.battery_low.raised",
                "device.tamper.raised",
                "device.power.raised",
            ],
        ),
        (json!({"manual": true}), vec![]),
        (
            json!({"manual_alarm": true}),
            vec!["fire.manual_call.raised"],
        ),
        (json!({"smoke": {"alarm": true}}), vec!["fire.smoke.raised"]),
        (
            json!({"smokeSensor": {"status": "ALARM"}}),
            vec!["fire.smoke.raised", "fire.fault.cleared"],
        ),
        (
            json!({"temperature_alarm": {"burning_alarm_trigger": {}}}),
            vec!["fire.heat.raised"],
        ),
        (
            json!({"tamper_status_alarm": {"trigger": {}}}),
            vec!["device.tamper.raised"],
        ),
        (
            json!({"WaterLeak_1": "NoLeak", "WaterLeak_2": "Leak"}),
            vec!["env.water_leak.raised"],
        ),
        (json!({"waterleak": 200}), vec!["env.water_leak.raised"]),
        (json!({"smoke_warning": 1}), vec!["fire.smoke.raised"]),
        (json!({"alarm": "smoke"}), vec!["fire.smoke.raised"]),
        (
            json!({"alarm": "normal"}),
            vec!["device.alarm_input.cleared"],
        ),
        (
            json!({"intrusion_alarm": 1}),
            vec!["device.alarm_input.raised"],
        ),
        (json!({"co2": 1, "co_2": 900}), vec![]),
        (
            json!({"smokeAlarm": {"value": {"state": 1, "density": 31}, "time": 1}}),
            vec!["fire.smoke.raised"],
        ),
        (
            json!({"smokeAlarm": {"value": {"state": 0}}}),
            vec!["fire.smoke.cleared"],
        ),
        (
            json!({"doorEvent": {"value": {"door": "open"}}}),
            vec!["access.door_state.updated"],
        ),
        (
            json!({"Device": "RA02A", "Volt": 3.1, "FireAlarm": 0, "HighTempAlarm": 1}),
            vec![
                "fire.heat.raised",
                "fire.detector.cleared",
                "device.battery_low.cleared",
            ],
        ),
        (
            json!({"waterDetected": true, "water": 17}),
            vec!["env.water_leak.raised"],
        ),
        (json!({"gas": 350, "co": 12, "smoke": 3}), vec![]),
        (
            json!({"leakage_status": "leak"}),
            vec!["env.water_leak.raised"],
        ),
        (
            json!({"state": "open", "install": "no"}),
            vec!["access.door_state.updated", "device.tamper.raised"],
        ),
        (json!({"contact": false}), vec!["access.door_state.updated"]),
        (
            json!({"temperature_alarm": "burning alarm trigger"}),
            vec!["fire.heat.raised"],
        ),
        (json!({"temperature_alarm": "alarm trigger"}), vec![]),
        (json!({"state": "on"}), vec![]),
        (
            json!({"pir": "trigger", "daylight": "dark"}),
            vec!["camera.motion.raised"],
        ),
        (
            json!({"alarm": "sensor fault"}),
            vec!["device.fault.raised"],
        ),
        (
            json!({"event": "testing alarm with low battery"}),
            vec!["device.battery_low.raised", "device.test.raised"],
        ),
        (
            json!({"history": [{"smoke": 1}], "config": {"smoke": 1}}),
            vec![],
        ),
        (
            json!({"params": {"SmokeState": {"value": 1, "time": 1}}}),
            vec!["fire.smoke.raised"],
        ),
        (
            json!({"status": {"mounted": 1, "tooLongUnmounted": 1}}),
            vec!["device.tamper.raised"],
        ),
        (json!({"battery_status": 3}), vec![]),
        (json!({"battery": 88}), vec![]),
        (json!({"battery": "low"}), vec!["device.battery_low.raised"]),
        (json!({"gas": 1, "co": 1, "heat": 1}), vec![]),
        (json!({"heat": "on"}), vec![]),
        (
            json!({"gas": true, "gas_alarm": 1}),
            vec!["fire.gas.raised"],
        ),
        (json!({"gas": {"state": 1}}), vec!["fire.gas.raised"]),
        (json!({"co": true}), vec!["fire.co.raised"]),
        (json!({"heat_alarm": 1}), vec!["fire.heat.raised"]),
        (
            json!({"smokeAlarm": {"value": {"level": 2}, "time": 1}}),
            vec!["fire.smoke.raised"],
        ),
        (
            json!({"fireAlarm": {"value": {}}}),
            vec!["fire.detector.raised"],
        ),
        (
            json!({"smokeAlarm": {"value": {"smoke": 0}}}),
            vec!["fire.smoke.cleared"],
        ),
        (json!({"smokeAlarm": {"value": {"threshold": 30}}}), vec![]),
        (json!({"smokeAlarm": {}}), vec![]),
        (
            json!({"smokeAlarm": {"value": {"level": 2, "battery_low": 1}}}),
            vec!["fire.smoke.raised", "device.battery_low.raised"],
        ),
        (
            json!({"overload_alarm": true, "enable_alarm": true, "false_alarm": 1}),
            vec!["device.alarm_input.raised"],
        ),
        (json!({"high_alarm": 40, "alarmClock": 1}), vec![]),
        (
            json!({"panic_button": 1, "duress": true, "glass_break": 1, "vibration": true}),
            vec!["device.alarm_input.raised"; 4],
        ),
        (json!({"vibration": 3}), vec![]),
        (json!({"event": "silent"}), vec![]),
        // its last level is asked by itself
        (json!({"Zone1/FireAlarm": 1}), vec![]),
        (json!({"zone1_fire_alarm": 1}), vec!["fire.detector.raised"]),
        (
            json!({"DisassembledAlarm": 1}),
            vec!["device.tamper.raised"],
        ),
        (json!([{"smoke_alarm": 1}]), vec!["fire.smoke.raised"]),
        (
            json!({"smoke_status": "smoke sensor fault"}),
            vec!["fire.fault.raised"],
        ),
    ] {
        assert_eq!(told(&object), want, "{object}");
    }
}

#[test]
fn depth_is_bounded() {
    let deep = json!({"a": {"b": {"c": {"d": {"e": {"smoke": 1}}}}}});
    assert!(told(&deep).is_empty());
}

#[test]
fn a_sentence_says_whether_it_is_so() {
    for (sentence, want) in [
        ("alarm", Some(true)),
        ("smoke alarm", Some(true)),
        ("alarm not cleared", Some(true)),
        ("alarm, not silenced", Some(true)),
        ("alarm over limit", Some(true)),
        ("power off alarm", Some(true)),
        ("alarm off", Some(false)),
        ("alarm inactive", Some(false)),
        ("alarm stopped", Some(false)),
        ("alarm reset", Some(false)),
        ("non alarm", Some(false)),
        ("not alarming", Some(false)),
        ("no longer alarming", Some(false)),
        ("lifted", Some(false)),
        ("noleak", Some(false)),
        ("nosmoke", Some(false)),
        ("noalarm", Some(false)),
        ("nofire", Some(false)),
        ("nogas", Some(false)),
        ("nomotion", Some(false)),
        ("alarm silenced", None),
        ("fire drill", None),
        ("smoke sensor ready", None),
        ("noise", None),
    ] {
        assert_eq!(said_at_length(sentence), want, "{sentence}");
    }
}

#[test]
fn sensors_of_more_makers_are_known() {
    for (object, want) in [
        (
            json!({"gas_sensor_status": "alarm", "gas_sensor_value": 120}),
            vec!["fire.gas.raised", "fire.fault.cleared"],
        ),
        (
            json!({"ch4_sensor_state": "alarm"}),
            vec!["fire.gas.raised", "fire.fault.cleared"],
        ),
        (json!({"ch4": 3}), vec![]),
        (
            json!({"smoke_sensor_state": "1"}),
            vec!["fire.smoke.raised", "fire.fault.cleared"],
        ),
        (
            json!({"smoke_sensor_state": "2"}),
            vec!["fire.smoke.cleared", "fire.fault.cleared"],
        ),
        (json!({"smoke_sensor_state": 2}), vec!["fire.smoke.raised"]),
        (json!({"flooding_state": 1}), vec!["env.water_leak.raised"]),
        (json!({"power_failure": 1}), vec!["device.power.raised"]),
        (
            json!({"alarmBattery": true, "alarmLevel": false}),
            vec!["device.battery_low.raised"],
        ),
        (
            json!({"fire": false, "battery": true}),
            vec!["fire.detector.cleared", "device.battery_low.raised"],
        ),
        (
            json!({"checking_result": "check_failure"}),
            vec!["device.fault.raised"],
        ),
        (json!({"checking_result": "checking"}), vec![]),
        (
            json!({"Smoke_sensor_fault_mode": "Sensor fault"}),
            vec!["fire.fault.raised"],
        ),
        (
            json!({"Smoke_sensor_fault_mode": "Sensor OK"}),
            vec!["fire.fault.cleared"],
        ),
        (
            json!({"alarmFire": true, "alarmFall": false, "alarmTime": 12}),
            vec!["fire.detector.raised"],
        ),
        (json!({"alarmSmoke": 1}), vec!["fire.smoke.raised"]),
        (
            json!({"WaterLeakDetect": 1, "TamperDetect": 0}),
            vec!["env.water_leak.raised", "device.tamper.cleared"],
        ),
        (json!({"leak": "漏水"}), vec!["env.water_leak.raised"]),
        (json!({"leak": "恢复"}), vec!["env.water_leak.cleared"]),
        (json!({"alarm": "SOS"}), vec!["device.alarm_input.instant"]),
        (
            json!({"event_type": "SOS alarm start"}),
            vec!["device.alarm_input.instant"],
        ),
        (json!({"event_type": "SOS alarm exit"}), vec![]),
    ] {
        assert_eq!(told(&object), want, "{object}");
    }
}

#[test]
fn the_lid_of_a_leak_sensor_counts_where_it_is_why_it_speaks() {
    for (object, want) in [
        (
            json!({"reason": "keepalive", "boxTamper": true, "flood": false}),
            vec!["env.water_leak.cleared"],
        ),
        (
            json!({"reason": "fraudDetected", "boxTamper": true, "flood": false}),
            vec!["env.water_leak.cleared", "device.tamper.raised"],
        ),
        (
            json!({"reason": "keepalive", "boxTamper": false, "flood": true, "magnet": false}),
            vec!["env.water_leak.raised", "device.tamper.cleared"],
        ),
        (json!({"boxTamper": true}), vec!["device.tamper.raised"]),
    ] {
        assert_eq!(told(&object), want, "{object}");
    }
}

#[test]
fn an_event_tells_by_being_there() {
    for (events, want) in [
        (
            json!({"tamper": {"value": {}, "time": 1_700_000_000_000_i64}}),
            vec!["device.tamper.raised"],
        ),
        (
            json!({"water_leak": {"value": {"battery": 80}}}),
            vec!["env.water_leak.raised"],
        ),
        (
            json!({"alarm": {"value": {"code": 3}}}),
            vec!["device.alarm_input.raised"],
        ),
        (
            json!({"tamper": {"value": {"state": 0}}}),
            vec!["device.tamper.cleared"],
        ),
        (json!({"report": {"value": {"x": 1}}}), vec![]),
    ] {
        let told: Vec<String> = event_drafts("a", &events, None)
            .iter()
            .map(|draft| format!("{}.{}", draft.kind, draft.phase.as_str()))
            .collect();
        assert_eq!(told, want, "{events}");
        assert_eq!(
            drafts("a", &json!({"tamper": {"value": {}}}), None).len(),
            0
        );
    }
}
