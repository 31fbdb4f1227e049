//! Recorders, cameras and door controllers that nobody here wrote: what Frigate documents by `mosquitto_pub`, what Hikvision posts by
//! curl, with a password before and after it was asked for one.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use blackbox::{Hub, eventually};
use serde_json::{Value, json};

use crate::bridges::account;
use crate::foreign_software::{heard, mosquitto_pub, quarantined, told};

const SOON: Duration = Duration::from_secs(30);
/// The account of all of them.
const CAMERAS: &str = "cameras";

async fn hub(dir: &Path) -> (Hub, String) {
    let data = dir.join("data");
    std::fs::create_dir_all(&data).expect("made");
    let settings = [
        ("JIMING__PUSH__LISTEN", "127.0.0.1:0"),
        ("JIMING__BRIDGES__CAMERAS__SITE", "q2"),
    ];
    let hub = Hub::start_set(&data, &settings).await;
    let secret = account(dir, CAMERAS, "frigate/#");
    eventually("the account is known", SOON, || async {
        let nothing = ["-t", "frigate/x/detect/set", "-m", "ON"];
        let out = mosquitto_pub(&hub, CAMERAS, &secret, &nothing);
        out.status.success().then_some(())
    })
    .await;
    (hub, secret)
}

// ---- Frigate: docs/docs/integrations/mqtt.md

/// The example of `frigate/events`, as it stands before and after a change.
fn object(frame_time: f64, score: f64, zones: &[&str], end_time: Option<f64>) -> Value {
    json!({
        "id": "1607123955.475377-mxklsc", "camera": "front_door", "frame_time": frame_time,
        "snapshot": {"frame_time": 1_607_123_965.975_463, "box": [415, 489, 528, 700], "area": 12728, "region": [260, 446, 660, 846],
            "score": 0.77546, "attributes": []},
        "label": "person", "sub_label": null, "top_score": 0.958_984_375, "false_positive": false, "start_time": 1_607_123_955.475_377,
        "end_time": end_time, "score": score, "box": [424, 500, 536, 712], "area": 23744, "ratio": 2.113_207, "region": [264, 450, 667, 853],
        "current_zones": zones, "entered_zones": ["yard", "driveway"], "thumbnail": null, "has_snapshot": false, "has_clip": false,
        "active": true, "stationary": false, "motionless_count": 0, "position_changes": 2, "attributes": {"face": 0.64},
        "current_attributes": [{"label": "face", "box": [442, 506, 534, 524], "score": 0.86}],
        "current_estimated_speed": 0.71, "average_estimated_speed": 14.3, "velocity_angle": 180,
        "recognized_license_plate": null, "recognized_license_plate_score": null
    })
}

/// The example of `frigate/reviews`.
fn review(severity: &str, zones: &[&str], end_time: Option<f64>) -> Value {
    json!({
        "id": "1718987129.308396-fqk5ka", "camera": "front_cam", "start_time": 1_718_987_129.308_396, "end_time": end_time,
        "severity": severity, "thumb_path": "/media/frigate/clips/review/thumb-front_cam-1718987129.308396-fqk5ka.webp",
        "data": {"detections": ["1718987128.947436-g92ztx", "1718987148.879516-d7oq7r"], "objects": ["person", "car"],
            "sub_labels": [], "zones": zones, "audio": []}
    })
}

#[tokio::test]
async fn what_frigate_documents_is_told_once_and_counts_and_switches_are_none() {
    let dir = tempfile::tempdir().expect("a directory");
    let (hub, secret) = hub(dir.path()).await;
    let first = object(1_607_123_961.837_752, 0.789, &["driveway"], None);
    let better = object(1_607_123_962.082_975, 0.878, &["driveway"], None);
    let entered = object(1_607_123_963.1, 0.88, &["yard", "driveway"], None);
    let gone = object(1_607_123_970.2, 0.88, &[], Some(1_607_123_970.5));
    let change = |what: &str, before: &Value, after: &Value| {
        json!({"type": what, "before": before, "after": after}).to_string()
    };
    let detection = review("detection", &[], None);
    let alert = review("alert", &["front_yard"], None);
    let over = review("alert", &["front_yard"], Some(1_718_987_190.5));
    let lpr = json!({"type": "lpr", "id": "1607123955.475377-mxklsc", "name": "John's Car", "plate": "123ABC", "camera": "driveway_cam",
        "timestamp": 1_607_123_958.748_393, "score": 0.95});
    let messages = [
        ("available", "online".to_owned()),
        ("events", change("new", &first, &first)),
        ("events", change("update", &first, &better)), // a better look, nothing more
        ("events", change("update", &better, &entered)),
        ("front_door/person", "1".to_owned()),
        ("front_door/person/active", "1".to_owned()),
        ("front_door/all", "1".to_owned()),
        ("front_door/motion", "OFF".to_owned()),
        ("front_door/motion", "ON".to_owned()),
        ("front_door/motion", "ON".to_owned()),
        ("front_door/detect/state", "ON".to_owned()),
        (
            "stats",
            json!({"cameras": {"front_door": {"camera_fps": 5.1}}}).to_string(),
        ),
        ("reviews", change("new", &detection, &detection)),
        ("reviews", change("update", &detection, &alert)),
        ("reviews", change("end", &alert, &over)),
        ("tracked_object_update", lpr.to_string()),
        ("events", change("end", &entered, &gone)),
        ("front_door/audio/speech", "ON".to_owned()),
        ("front_door/status/detect", "offline".to_owned()),
        ("available", "offline".to_owned()),
    ];
    for (topic, payload) in &messages {
        let topic = format!("frigate/{topic}");
        let out = mosquitto_pub(&hub, CAMERAS, &secret, &["-t", &topic, "-m", payload]);
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "{topic}: {said}");
    }
    let heard = eventually("the recorder is gone", SOON, || async {
        let heard = heard(&hub, "frigate").await;
        (heard.get("")?.len() == 2).then_some(heard)
    })
    .await;
    let of = |address: &str| -> Vec<String> { heard[address].iter().map(told).collect() };
    assert_eq!(of(""), ["device.online updated", "device.offline raised"]);
    assert_eq!(
        of("front_door"),
        [
            "camera.object raised",
            "camera.object updated",
            "camera.motion raised",
            "camera.object cleared",
            "camera.audio raised",
            "device.offline raised",
        ]
    );
    assert_eq!(
        of("front_cam"),
        [
            "camera.object raised",
            "camera.object updated",
            "camera.object cleared"
        ]
    );
    let reviews = &heard["front_cam"];
    assert!(
        reviews.iter().all(|event| event["component"] == "review"),
        "{reviews:?}"
    );
    assert_eq!(reviews[1]["attrs"]["severity"], "alert", "{reviews:?}");
    assert_eq!(of("driveway_cam"), ["vehicle.plate_read instant"]);
    // an operator sees a part of it
    assert_eq!(heard["driveway_cam"][0]["attrs"]["plate"], "123A***");
    assert_eq!(heard.len(), 4, "{heard:?}");
    assert_eq!(quarantined(&hub, CAMERAS).await, [] as [Value; 0]);
}

// ---- Hikvision: ISAPI, event notification to a listening host

const PLATE: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<EventNotificationAlert version="2.0" xmlns="http://www.isapi.org/ver20/XMLSchema">
<ipAddress>192.168.1.64</ipAddress>
<portNo>80</portNo>
<protocol>HTTP</protocol>
<macAddress>44:47:cc:c5:5e:12</macAddress>
<channelID>1</channelID>
<dateTime>2026-11-27T15:10:34+08:00</dateTime>
<activePostCount>1</activePostCount>
<eventType>ANPR</eventType>
<eventState>active</eventState>
<eventDescription>ANPR</eventDescription>
<channelName>Camera 01</channelName>
<ANPR>
<country>48</country>
<licensePlate>浙GK8123</licensePlate>
<line>1</line>
<direction>forward</direction>
<confidenceLevel>97</confidenceLevel>
<plateType>92TypeCivil</plateType>
<plateColor>blue</plateColor>
<vehicleType>vehicle</vehicleType>
<vehicleInfo><index>1</index><vehicleType>2</vehicleType><colorDepth>0</colorDepth><color>white</color></vehicleInfo>
<pictureInfoList><pictureInfo><fileName>licensePlatePicture.jpg</fileName><type>licensePlatePicture</type><dataType>0</dataType></pictureInfo></pictureInfoList>
</ANPR>
<UUID>a1d1dd10-1dd2-11b2-8f6d-4447ccc55e12</UUID>
<picNum>1</picNum>
<isDataRetransmission>false</isDataRetransmission>
</EventNotificationAlert>
"#;

fn at_the_door(serial: u32, sub_type: u32, more: &Value) -> String {
    let mut event = json!({"deviceName": "Access Controller", "majorEventType": 5, "subEventType": sub_type, "cardReaderKind": 1,
        "cardReaderNo": 1, "doorNo": 1, "verifyNo": 171, "serialNo": serial, "currentVerifyMode": "cardOrFace", "frontSerialNo": 170,
        "attendanceStatus": "undefined", "label": "", "statusValue": 0, "purePwdVerifyEnable": true});
    let fields = more.as_object().expect("fields").clone();
    event.as_object_mut().expect("fields").extend(fields);
    json!({"ipAddress": "192.168.1.70", "portNo": 80, "protocol": "HTTP", "macAddress": "ac:b9:2f:a1:11:02", "channelID": 1,
        "dateTime": "2026-11-27T15:12:00+08:00", "activePostCount": 1, "eventType": "AccessControllerEvent", "eventState": "active",
        "eventDescription": "Access Controller Event", "AccessControllerEvent": event})
    .to_string()
}

/// Files as curl reads them, and a picture in which line ends and dashes stand.
struct Sender {
    dir: PathBuf,
    base: String,
    secret: String,
}

impl Sender {
    fn file(&self, name: &str, bytes: &[u8]) -> String {
        let file = self.dir.join(name);
        std::fs::write(&file, bytes).expect("written");
        file.display().to_string()
    }
}

/// Posts with curl; gives the status.
fn curl(url: &str, arguments: &[&str]) -> (String, Output) {
    let out = Command::new("curl")
        .args([
            "-sS",
            "--noproxy",
            "*",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code}",
        ])
        .args(arguments)
        .arg(url)
        .output()
        .expect("curl is installed");
    (String::from_utf8_lossy(&out.stdout).into_owned(), out)
}

#[tokio::test]
async fn what_hikvision_posts_with_curl_is_read_however_it_says_who_it_is() {
    let dir = tempfile::tempdir().expect("a directory");
    let (hub, secret) = hub(dir.path()).await;
    let port = hub.push_address().await;
    let sender = Sender {
        dir: dir.path().to_owned(),
        base: format!("http://{port}"),
        secret,
    };
    let mut picture = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\r\n--MIME_boundary\r\n\r\n".to_vec();
    picture.extend((0..20_000_u32).map(|at| at.to_le_bytes()[0]));
    picture.extend(b"\r\n--\xff\xd9");
    let picture = sender.file("plate.jpg", &picture);
    let plate = sender.file("anpr.xml", PLATE.as_bytes());
    let login = format!("{CAMERAS}:{}", sender.secret);

    // a camera that says at once who it is: XML and a picture in one form
    let form = [
        "-F".to_owned(),
        format!("anpr.xml=@{plate};type=application/xml"),
        "-F".to_owned(),
        format!("licensePlatePicture.jpg=@{picture};type=image/jpeg"),
    ];
    let form: Vec<&str> = form.iter().map(String::as_str).collect();
    let url = format!("{}/hikvision/event", sender.base);
    let (status, out) = curl(&url, &[&["-u", &login], form.as_slice()].concat());
    assert_eq!(status, "200", "{out:?}");
    // one that waits until it is asked, and may not do what it is not offered
    let face = sender.file(
        "face.json",
        at_the_door(
            171,
            75,
            &json!({"name": "王", "employeeNoString": "33", "userType": "normal", "mask": "no"}),
        )
        .as_bytes(),
    );
    let face = format!("event_log=@{face};type=application/json");
    let picture = format!("Picture=@{picture};type=image/jpeg");
    let form = ["-F", face.as_str(), "-F", picture.as_str()];
    let (status, out) = curl(
        &url,
        &[&["--anyauth", "-u", &login], form.as_slice()].concat(),
    );
    assert_eq!(status, "200", "{out:?}");
    // one that can be given an address and nothing else
    let open = at_the_door(172, 28, &json!({}));
    let url = format!(
        "{}/{CAMERAS}/{}/hikvision/event",
        sender.base, sender.secret
    );
    let json = [
        "-H",
        "Content-Type: application/json",
        "--data-binary",
        open.as_str(),
    ];
    let (status, out) = curl(&url, &json);
    assert_eq!(status, "200", "{out:?}");
    // and nobody
    let url = format!("{}/hikvision/event", sender.base);
    let (status, _) = curl(&url, &[&["-u", "cameras:wrong"], json.as_slice()].concat());
    assert_eq!(status, "401");

    let heard = eventually("all three are in history", SOON, || async {
        let heard = heard(&hub, "hikvision").await;
        let is_there = heard.get("192.168.1.70")?.len() == 2 && heard.contains_key("192.168.1.64");
        is_there.then_some(heard)
    })
    .await;
    let [read] = heard["192.168.1.64"].as_slice() else {
        panic!("{heard:?}");
    };
    assert_eq!(told(read), "vehicle.plate_read instant");
    assert_eq!(read["site"], "q2");
    assert_eq!(read["attrs"]["heading"], "forward", "{read}");
    assert_eq!(
        read["attrs"]["device_time"], "2026-11-27T07:10:34Z",
        "{read}"
    );
    let doors: Vec<String> = heard["192.168.1.70"].iter().map(told).collect();
    assert_eq!(doors, ["access.granted instant", "access.held_open raised"]);
    assert_eq!(quarantined(&hub, CAMERAS).await, [] as [Value; 0]);
    let log = hub.log();
    assert!(
        !log.contains("浙GK8123") && !log.contains(&sender.secret),
        "{log}"
    );
}
