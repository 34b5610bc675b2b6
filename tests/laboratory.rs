//! `ring bench`, run as its users run it, on clusters small enough for a test.

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

/// Little work: few slots, points and keys, one cluster, no timing.
const QUICK: [(&str, &str); 5] = [
    ("--slots", "4096"),
    ("--vnodes", "64"),
    ("--keys", "20k"),
    ("--repeat", "1"),
    ("--rounds", "0"),
];

fn run(options: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringcached"));
    command.args(["ring", "bench"]).args(options.split_whitespace());
    let words: Vec<&str> = options.split_whitespace().collect();
    for (name, value) in QUICK.into_iter().filter(|(name, _)| !words.contains(name)) {
        command.args([name, value]);
    }
    command.output().expect("the binary starts")
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The rows of a run that ends well.
fn rows(options: &str) -> Vec<Value> {
    let output = run(&format!("{options} -o json"));
    assert!(output.status.success(), "{}", stderr(&output));
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["schema_version"], 1);
    report["rows"].as_array().expect("rows").clone()
}

fn number(row: &Value, name: &str) -> f64 {
    row[name].as_f64().unwrap_or_else(|| panic!("no number {name} in {row}"))
}

/// The exit code and the complaint of a run that does not end well.
fn complaint(options: &str) -> (Option<i32>, String) {
    let output = run(options);
    (output.status.code(), stderr(&output))
}

#[test]
fn rows_are_every_combination() {
    let rows = rows("--nodes 3,5..6 --algo ring,vec-ring --bound 5%,none");
    let named =
        |row: &Value| (row["algorithm"].clone(), row["nodes"].clone(), row["bound"].clone());
    let mut seen: Vec<_> = rows.iter().map(named).collect();
    // The ring with and without a bound, its rival once.
    assert_eq!(seen.len(), 3 * 3);
    seen.dedup();
    assert_eq!(seen.len(), 3 * 3);
    assert!(rows.iter().all(|row| row["origin"].as_str().unwrap().starts_with("ringcached ")));
}

#[test]
fn equal_seeds_give_equal_figures() {
    let options = "--nodes 10 --algo ring,vec-ring,rendezvous --seed";
    let without_time = |seed: u64| {
        let mut rows = rows(&format!("{options} {seed}"));
        for row in &mut rows {
            row["build_ms"] = Value::Null;
        }
        rows
    };
    assert_eq!(without_time(7), without_time(7));
    assert_ne!(without_time(7), without_time(8));
}

#[test]
fn bound_shows_in_the_figures() {
    let rows = rows("--nodes 10 --bound 5%,none --repeat 5");
    let (bounded, free) = (&rows[0], &rows[1]);
    assert!(number(bounded, "max_over_mean") <= 1.05);
    assert!(number(bounded, "copies_max_over_mean") <= 1.05);
    assert!(number(free, "max_over_mean") > 1.05);
    assert!(number(free, "add_misplaced") < 1e-9);
    assert_eq!(bounded["counted"], "slots");
}

#[test]
fn numbered_nodes_pay_for_leaving() {
    // Every node that stays keeps its keys on a plain ring, and the lab says so.
    let rows =
        rows("--nodes 20 --algo vec-ring --scenario add,remove,remove-zone,resize --zones 4");
    let row = &rows[0];
    assert!(number(row, "remove_misplaced") < 1e-9);
    assert!(number(row, "remove_zone_moved") > 0.5);
    assert!(number(row, "resize_moved") > 0.5);
}

#[test]
fn skewed_keys_load_one_node() {
    let even = number(&rows("--nodes 10 --dist sequential")[0], "max_over_mean");
    let skewed = &rows("--nodes 10 --dist zipf:1.1")[0];
    assert_eq!(skewed["counted"], "keys");
    assert!(number(skewed, "max_over_mean") > even * 1.2, "{skewed} {even}");
    let spread = number(skewed, "copies_max_over_mean");
    assert!(spread < number(skewed, "max_over_mean"), "copies share the load");
}

#[test]
fn rounds_bring_the_times() {
    let row = &rows("--nodes 3 --rounds 2 --algo ring,ring-view,ring-batch")[2];
    for name in ["hash_ns", "lookup_ns", "owners_ns", "latency_ns", "owners_over_hash"] {
        assert!(number(row, name) > 0.0, "{name}");
    }
    assert!(rows("--nodes 3")[0]["lookup_ns"].is_null(), "no time without a round");
}

#[test]
fn checks_decide_the_exit_code() {
    assert_eq!(complaint("--nodes 10 --algo ring --check max_over_mean<=1.05").0, Some(0));
    let (code, text) = complaint("--nodes 3,10 --check max_over_mean<=1.000001");
    assert_eq!(code, Some(1));
    assert!(text.contains("max_over_mean") && text.contains("by ring at 10 nodes"), "{text}");
}

#[test]
fn figures_that_are_not_there_cannot_be_checked() {
    for (options, names) in [
        ("--nodes 10 --check lookup_ns<=1000000", "lookup_ns"),
        (
            "--nodes 1 --check remove_moved<=1,max_over_mean<2,lookup_ns<1",
            "remove_moved, lookup_ns",
        ),
        ("--nodes 3 --check remove_zone_moved<=1", "remove_zone_moved"),
    ] {
        let (code, text) = complaint(options);
        assert_eq!(code, Some(2), "{options}: {text}");
        let words = format!("error: not measured here: {names} (add --rounds or --scenario)\n");
        assert!(text.ends_with(&words), "{options}: {text}");
        assert!(!text.contains("NaN"), "{options}: {text}");
    }
}

#[test]
fn mistakes_are_named() {
    for (options, words) in [
        ("--nodes 3 --algo rong", "no algorithm `rong`"),
        ("--nodes 0", "`0` is not a number of nodes"),
        ("--nodes 9..3", "ends before it begins"),
        ("--nodes 70000", "is not a number of nodes"),
        ("--nodes 3 --check peak<=1", "no figure `peak`"),
        ("--nodes 3 --dist gaussian", "uniform, sequential, zipf"),
        ("--nodes 3 --scenario burn", "balance, add, remove, remove-zone, resize"),
        ("--nodes 3 --keys 0", "it must be 1 to"),
        ("--nodes 3 --keys-file /nowhere/keys", "/nowhere/keys"),
        ("--nodes 3 --vnodes 0", "0 virtual nodes"),
        ("--nodes 3 --zones 0", "there must be 1 to 65535 zones"),
        ("--nodes 3 --zones 1000000000000", "there must be 1 to 65535 zones"),
    ] {
        let (code, text) = complaint(options);
        assert_eq!(code, Some(2), "{options}: {text}");
        assert!(text.contains(words), "{options}: {text}");
    }
}

#[test]
fn algorithms_that_cannot_are_left_out() {
    let output = run("--nodes 4 --algo ring,rendezvous --weights 1,2 -o csv");
    assert!(output.status.success());
    assert!(stderr(&output).contains("rendezvous left out at 4 nodes"), "{}", stderr(&output));
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 2, "heading and ring");
}

#[test]
fn keys_come_from_a_file() {
    let folder = tempfolder("keys");
    let file = folder.join("keys.txt");
    std::fs::write(&file, "one\ntwo\r\n\nthree\n").unwrap();
    let row = &rows(&format!("--nodes 3 --keys-file {}", file.display()))[0];
    assert_eq!(row["counted"], "keys");
    assert_eq!(row["keys"], 3);
    std::fs::write(&file, "k".repeat(251)).unwrap();
    let (code, text) = complaint(&format!("--nodes 3 --keys-file {}", file.display()));
    assert_eq!(code, Some(2));
    assert!(text.contains("line 1 is longer than 250 bytes"), "{text}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn endless_lines_are_refused() {
    let (code, text) = complaint("--nodes 3 --keys-file /dev/zero");
    assert_eq!(code, Some(2));
    assert_eq!(text, "error: keys file /dev/zero: line 1 is longer than 250 bytes\n");
}

#[test]
fn pictures_hold_every_algorithm() {
    let folder = tempfolder("pictures");
    let options = "--nodes 3,4,5,6,7,40 --vnodes 32,64 --algo ring,vec-ring --rounds 1 --svg";
    let output = run(&format!("{options} {}", folder.display()));
    assert!(output.status.success(), "{}", stderr(&output));
    for name in ["shares", "cdf", "lookup", "moved", "vnodes", "growth"] {
        let text = std::fs::read_to_string(folder.join(format!("{name}.svg"))).expect(name);
        assert!(text.trim_end().ends_with("</svg>"), "{name}");
        assert!(!text.contains("NaN"), "{name}");
        assert!(text.contains("ring"), "{name}");
        assert!(name == "growth" || text.contains("vec-ring"), "{name}");
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn tables_are_plain_when_piped() {
    let output = run("--nodes 12");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("ALGORITHM"), "{text}");
    assert!(text.contains("12 nodes of `ring`"), "{text}");
    assert!(!text.contains('\u{1b}'));
}

/// A folder of this process and test.
fn tempfolder(name: &str) -> std::path::PathBuf {
    let folder =
        Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}
