//! `ring scale`, run as its users run it, on clusters small enough for a test.

use serde_json::Value;
use std::process::{Command, Output};

fn run(options: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringcached"));
    command.args(["ring", "scale"]).args(options.split_whitespace());
    command.output().expect("the binary starts")
}

fn rows(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["schema_version"], 1);
    report["rows"].as_array().expect("rows").clone()
}

#[test]
fn each_size_and_upheaval_is_a_row() {
    let output = run("--nodes 12,30 --upheaval join,zone --repeat 2 -o json \
        --check one_view_s<30,false_deaths<=0,moved<=1.1");
    let rows = rows(&output);
    let named = |row: &Value| (row["nodes"].as_u64(), row["upheaval"].as_str().map(str::to_owned));
    let named: Vec<_> = rows.iter().map(named).collect();
    let expected = [(12, "join"), (12, "zone"), (30, "join"), (30, "zone")];
    assert_eq!(named, expected.map(|(nodes, what)| (Some(nodes), Some(what.to_owned()))));
    for row in &rows {
        assert_eq!(row["seeds"], 2);
        assert!(row["moved_share"].as_f64().unwrap() > 0.0, "{row}");
        assert!(row["packets_per_s"].as_f64() > row["rest_packets_per_s"].as_f64(), "{row}");
    }
}

#[test]
fn what_is_not_met_is_told() {
    let output = run("--nodes 12 --upheaval deaths --repeat 1 --check one_view_s<0.1");
    assert_eq!(output.status.code(), Some(1));
    let output = run("--nodes 12 --upheaval deaths --repeat 1 --patience 100ms -o json");
    assert_eq!(rows(&output)[0]["one_view_s"], Value::Null);
    let output = run("--upheaval flood");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn pictures_are_drawn_of_each_size() {
    let folder = std::env::temp_dir().join(format!("ringcached-scale-{}", std::process::id()));
    let options = "--nodes 12,30 --upheaval deaths --repeat 1 --svg";
    let drawn = run(&format!("{options} {}", folder.display()));
    assert!(drawn.status.success(), "{}", String::from_utf8_lossy(&drawn.stderr));
    for name in ["scale-news-12", "scale-news-30", "scale-traffic-30", "scale-one-view"] {
        let text = std::fs::read_to_string(folder.join(format!("{name}.svg"))).expect(name);
        assert!(text.trim_end().ends_with("</svg>") && text.contains("deaths"), "{name}");
        assert!(!text.contains("NaN"), "{name}");
    }
    std::fs::remove_dir_all(folder).unwrap();
}
