use super::*;

#[test]
fn a_type_is_known_by_its_words() {
    let of =
        |kind: &str| draft(kind, "a", None, &Value::Null).map(|draft| (draft.kind, draft.phase));
    assert_eq!(
        of("com.acme.SmokeDetected"),
        Some((Kind::FireSmoke, Phase::Raised))
    );
    assert_eq!(
        of("com.acme.smoke-cleared.v2"),
        Some((Kind::FireSmoke, Phase::Cleared))
    );
    assert_eq!(
        of("acme_access_denied"),
        Some((Kind::AccessDenied, Phase::Instant))
    );
    for (kind, want) in [
        ("com.acme.smoke-detector.offline", Kind::DeviceOffline),
        ("com.acme.smoke-detector.online.v2", Kind::DeviceOnline),
        (
            "com.acme.smoke-detector.battery-low",
            Kind::DeviceBatteryLow,
        ),
        ("com.acme.smoke_detector.tamper", Kind::DeviceTamper),
        ("com.acme.smoke-detector.fault", Kind::FireFault),
        ("com.connected-home.smoke.detected", Kind::FireSmoke),
        ("com.acme.camera.tamper", Kind::CameraTamper),
    ] {
        assert_eq!(of(kind).map(|(kind, _)| kind), Some(want), "{kind}");
    }
    for kind in [
        "com.acme.smoke-detector.heartbeat",
        "com.acme.gas.meter.value",
    ] {
        assert_eq!(of(kind), None, "{kind}");
    }
    let with = |kind: &str, data: Value| draft(kind, "a", None, &data).map(|draft| draft.phase);
    let state = |word: &str| serde_json::json!({ "state": word });
    let alarm = serde_json::json!({ "alarm": true });
    assert_eq!(
        with("com.acme.smoke", state("normal")),
        Some(Phase::Cleared)
    );
    assert_eq!(
        with("com.acme.fire.alarm", state("inactive")),
        Some(Phase::Cleared)
    );
    assert_eq!(
        with("com.acme.smoke.state.updated", alarm),
        Some(Phase::Raised)
    );
    assert_eq!(
        with(
            "com.acme.smoke.detected",
            serde_json::json!({ "status": "ok" })
        ),
        Some(Phase::Raised)
    );
    for over in [
        "com.acme.smoke.recovered",
        "com.acme.smoke.inactive",
        "com.acme.fire.alarm.reset",
        "com.acme.fire.alarm.cancelled",
    ] {
        assert_eq!(
            of(over).map(|(_, phase)| phase),
            Some(Phase::Cleared),
            "{over}"
        );
    }
    for nothing in [
        "com.acme.smoke.false-alarm",
        "com.acme.smoke-detector.self-test.passed",
        "com.acme.smoke-detector.installed",
        "com.acme.fire.drill.started",
        "com.acme.fire.alarm.test",
        "com.acme.fire-extinguisher.inspected",
        "com.acme.heat-map.generated",
        "com.acme.gas-station.payment.completed",
        "com.acme.flood-light.on",
        "com.acme.memory.leak.detected",
        "com.acme.quality.gate.opened",
        "com.acme.alarm.raised",
        "com.acme.pull-request.opened",
        "com.acme.account.locked",
        "uk.co.acme.someevent",
        "uk.co.alarm.someevent",
    ] {
        assert_eq!(of(nothing), None, "{nothing}");
    }
    for (kind, is) in [
        ("com.acme.alarm.raised", true),
        ("io.acme.alert.triggered.v1", true),
        ("com.acme.AlarmActivated", true),
        ("com.acme.sensor.alarm", true),
        ("com.acme.alarm.armed", false),
        ("com.acme.alarm.acknowledged", false),
        ("com.acme.alarm.test", false),
        ("com.acme.alarm.cleared", false),
        ("com.acme.code_scanning_alert.created", false),
        ("com.acme.smoke.false-alarm", false),
        ("uk.co.alarm.someevent", false),
    ] {
        assert_eq!(is_untold_alarm(kind), is, "{kind}");
    }
    for (kind, want) in [
        (
            "com.acme.burglary.detected",
            (Kind::DeviceAlarmInput, Phase::Instant),
        ),
        (
            "com.acme.manual-call-point.activated",
            (Kind::FireManualCall, Phase::Raised),
        ),
        ("com.acme.door.ajar", (Kind::AccessHeldOpen, Phase::Raised)),
        (
            "com.acme.smoke.silenced",
            (Kind::FireSilenced, Phase::Instant),
        ),
        (
            "com.acme.fire-door.opened",
            (Kind::AccessDoorState, Phase::Updated),
        ),
        (
            "com.acme.DoorUnlocked",
            (Kind::AccessLockState, Phase::Updated),
        ),
        (
            "com.acme.parking.gate.opened.v1",
            (Kind::BarrierState, Phase::Updated),
        ),
        (
            "com.acme.barrier.closed",
            (Kind::BarrierState, Phase::Updated),
        ),
        (
            "com.acme.leak.detected",
            (Kind::EnvWaterLeak, Phase::Raised),
        ),
        (
            "com.acme.glass-break.detected",
            (Kind::DeviceAlarmInput, Phase::Instant),
        ),
        ("com.acme.power.failure", (Kind::DevicePower, Phase::Raised)),
        (
            "com.acme.power.restored",
            (Kind::DevicePower, Phase::Cleared),
        ),
        (
            "com.acme.panic.pressed",
            (Kind::DeviceAlarmInput, Phase::Instant),
        ),
        (
            "com.acme.access.duress",
            (Kind::AccessDuress, Phase::Instant),
        ),
        (
            "com.acme.flood.detected",
            (Kind::EnvWaterLeak, Phase::Raised),
        ),
        ("com.acme.co.detected", (Kind::FireCo, Phase::Raised)),
        (
            "com.test.reset-systems.smoke.detected",
            (Kind::FireSmoke, Phase::Raised),
        ),
    ] {
        assert_eq!(of(kind), Some(want), "{kind}");
    }
    assert_eq!(
        with("com.acme.water-leak.state", state("NoLeak")),
        Some(Phase::Cleared)
    );
    let about = |word: &str| {
        let data = serde_json::json!({ "alarmType": word });
        let draft = draft("com.acme.alarm.triggered", "a", None, &data);
        draft.map(|draft| (draft.kind, draft.phase))
    };
    assert_eq!(about("FIRE"), Some((Kind::FireDetector, Phase::Raised)));
    assert_eq!(
        about("WaterLeak"),
        Some((Kind::EnvWaterLeak, Phase::Raised))
    );
    assert_eq!(about("temperature"), None);
    assert_eq!(of("com.firebase.motionless"), None);
    assert_eq!(of("com.acme.gas.reading"), None);
    assert_eq!(of("com.example.someevent"), None);
    assert_eq!(of(""), None);
}
