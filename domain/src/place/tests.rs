use super::*;

const SMALL: &str = r#"
    [[committee]]
    id = "c1"
    name = "一委"
    [[person]]
    id = "p1"
    name = "王磊"
    [[grid]]
    id = "g1"
    name = "一格"
    committee = "c1"
    captain = "p1"
    [[site]]
    id = "q1"
    name = "一区"
    name_en = "Quarter 1"
    width_m = 100.0
    height_m = 80.0
    x_m = 0.0
    y_m = 0.0
    [[zone]]
    id = "z1"
    site = "q1"
    kind = "stair"
    name = "一单元"
    grid = "g1"
"#;
const HEAD: &str = "id,site,zone,class,name,model,heartbeat_s,x_m,y_m\n";

#[test]
fn a_small_folder_loads() {
    let csv = format!("{HEAD}smoke-1,q1,z1,fire_sensor,烟感-1,sim,60,1.0,2.0\n");
    let registry = Registry::from_files([("a.toml", SMALL), ("d.csv", &csv)]).expect("loads");
    assert_eq!(
        registry
            .zone_of(&"smoke-1".parse().expect("id"))
            .map(|z| z.name.as_str()),
        Some("一单元")
    );
}

#[test]
fn every_mistake_is_listed_with_its_file() {
    let csv = format!(
        "{HEAD}smoke-1,q1,nowhere,fire_sensor,n,m,60,1,2\nSMOKE,q1,z1,fire_sensor,n,m,60,1,2\nsmoke-3,q1,z1,toaster,n,m,60,1,2\n"
    );
    let errors = Registry::from_files([
        ("a.toml", SMALL),
        ("b.toml", "[[sitee]]\nid = \"x\""),
        ("d.csv", &csv),
    ])
    .expect_err("refused");
    let all = errors
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n");
    for part in ["sitee", "d.csv", "SMOKE", "line: 4"] {
        assert!(all.contains(part), "{part} is not in:\n{all}");
    }
    assert!(
        !all.contains("nowhere"),
        "not before the files are read: {all}"
    );
}

#[test]
fn a_device_in_no_zone_is_told_with_its_line() {
    let csv = format!(
        "# a remark\n{HEAD}s-1,q1,z1,fire_sensor,n,m,60,1,2\ns-2,q1,nowhere,fire_sensor,n,m,60,1,2\n"
    );
    let errors = Registry::from_files([("a.toml", SMALL), ("d.csv", &csv)]).expect_err("refused");
    let told: Vec<_> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        ["d.csv:4: device `s-2` names zone `nowhere`, which does not exist"]
    );
}

#[test]
fn plates_compare_by_their_letters() {
    assert_eq!(normal_plate(" 浙ｇ·１２３４５ "), "浙G12345");
}
