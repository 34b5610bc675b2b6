//! The program as its users meet it: what it is asked, what it prints, and its
//! exit code.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Output, Stdio};

/// What one run left behind.
#[derive(Debug)]
struct Run {
    code: i32,
    stdout: String,
    stderr: String,
}

fn program() -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_ringcached"));
    for name in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE"] {
        program.env_remove(name);
    }
    program
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().expect("an exit code"),
            stdout: String::from_utf8(output.stdout).expect("UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }
}

/// Runs a command line, split at spaces.
fn run(line: &str) -> Run {
    run_words(&line.split_whitespace().collect::<Vec<_>>())
}

fn run_words(words: &[&str]) -> Run {
    program().args(words).output().unwrap().into()
}

fn run_with_stdin(line: &str, stdin: &str) -> Run {
    let mut child = program()
        .args(line.split_whitespace())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
    child.wait_with_output().unwrap().into()
}

impl Run {
    /// Its stdout, if it succeeded.
    fn answer(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.stdout
    }

    /// Its stderr, if it answered nothing and exited with this code.
    fn complaint(self, code: i32) -> String {
        assert_eq!((self.code, self.stdout.as_str()), (code, ""), "{self:?}");
        self.stderr
    }
}

fn json(line: &str) -> Value {
    let value: Value = serde_json::from_str(&run(line).answer()).unwrap();
    assert_eq!(value["schema_version"], 1);
    value
}

/// The records of a CSV text, the header first.
fn csv(text: &str) -> Vec<Vec<String>> {
    let (mut records, mut record) = (Vec::new(), Vec::new());
    let (mut field, mut is_quoted) = (String::new(), false);
    let mut rest = text.chars().peekable();
    while let Some(next) = rest.next() {
        match next {
            '"' if is_quoted && rest.next_if_eq(&'"').is_some() => field.push('"'),
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => record.push(std::mem::take(&mut field)),
            '\n' if !is_quoted => {
                record.push(std::mem::take(&mut field));
                records.push(std::mem::take(&mut record));
            }
            other => field.push(other),
        }
    }
    assert!(record.is_empty() && field.is_empty() && !is_quoted, "ends within a record");
    records
}

/// The owners of every slot, primary first, as `ring export` tells them.
fn exported(options: &str) -> Vec<Vec<String>> {
    let records = csv(&run(&format!("ring export -o csv {options}")).answer());
    records.into_iter().skip(1).map(|mut record| record.split_off(1)).collect()
}

/// A file with that content, whose name no other test uses.
fn file(name: &str, content: &str) -> String {
    let path = format!("{}/{name}", env!("CARGO_TARGET_TMPDIR"));
    fs::write(&path, content).unwrap();
    path
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no whole number"))
}

fn words(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

mod program {
    use super::*;

    #[test]
    fn help_has_flags_and_commands() {
        let help = run("--help").answer();
        assert!(help.contains("Usage: ringcached") && help.contains("completions"), "{help}");
        assert!(help.contains("-p, --port") && help.contains("--ready-file"), "{help}");
    }

    #[test]
    fn help_is_an_answer() {
        assert!(run("--help").answer().contains("Exit codes: 0 done"));
        assert!(run("ring plan --help").answer().contains("--to-copies"));
        assert!(run("--version").answer().starts_with("ringcached "));
    }

    #[test]
    fn wrong_usage_is_two() {
        let lines = [
            "rong",
            "ring",
            "ring show",
            "ring show --nodes 0",
            "ring show --nodes 65536",
            "ring show --nodes 3 --nods 4",
            "ring show --nodes 3 --cluster-file x.toml",
            "ring show --nodes 3 --bound 5",
            "ring show --nodes 3 --slots 1000",
            "ring show --nodes 3 -o yaml",
            "ring owner --nodes 3",
            "ring plan --nodes 3",
            "ring plan --nodes 3 --add colour=red",
            "ring plan --nodes 3 --add weight=1 --value-bytes 10",
            "ring plan --nodes 3 --add weight=1 --keys 1MB",
        ];
        for line in lines {
            let complaint = run(line).complaint(2);
            assert!(complaint.starts_with("error: ") || complaint.contains("Usage:"), "{line}");
        }
    }

    #[test]
    fn what_is_no_admin_address_is_two() {
        for wrong in [
            "nonsense",
            "127.0.0.1",
            "http://127.0.0.1:1",
            ":1",
            "a:0",
            "a:65536",
            "::1:5",
            "[::1]",
        ] {
            for command in ["drain", "rebalance status", "rebalance pause"] {
                let said = run(&format!("{command} --admin {wrong}")).complaint(2);
                assert!(said.contains("127.0.0.1:12211") && said.contains("[::1]:"), "{said}");
            }
            let mut asked = program();
            let asked = asked.args(["rebalance", "status"]).env("RINGCACHED_ADMIN", wrong);
            let said = Run::from(asked.output().unwrap()).complaint(2);
            assert!(said.contains("RINGCACHED_ADMIN"), "{said}");
        }
        for nobody in ["localhost:1", "[::1]:1", "127.0.0.1:1"] {
            run(&format!("drain --admin {nobody}")).complaint(3);
        }
    }

    #[test]
    fn missing_cluster_names_both_ways() {
        let complaint = run("ring show").complaint(2);
        assert!(complaint.contains("--nodes") && complaint.contains("--cluster-file"));
    }

    #[test]
    fn shells_get_their_completions() {
        for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
            assert!(run(&format!("completions {shell}")).answer().contains("cluster-file"));
        }
        run("completions tcsh").complaint(2);
    }

    #[test]
    fn man_pages_are_roff() {
        assert!(run("man").answer().contains(".TH ringcached 1"));
        let page = run("man ring plan").answer();
        assert!(page.contains(".TH ringcached-ring-plan 1"), "{page}");
        assert!(page.contains("\\-\\-to\\-copies"), "{page}");
        assert!(run("man ring rong").complaint(2).contains("show, owner, plan, export"));
        assert!(run("man completions bash").complaint(2).contains("no subcommands"));
    }
}

mod streams {
    use super::*;

    #[test]
    fn piped_output_has_no_escapes() {
        let lines = [
            "--help",
            "rong",
            "ring show --nodes 3",
            "ring show --nodes 50 -o wide",
            "ring owner k --nodes 3 --explain",
            "ring plan --nodes 3 --add weight=1 --check moved<=0.1",
        ];
        for line in lines {
            let Run { stdout, stderr, .. } = run(line);
            assert!(!stdout.contains('\u{1b}') && !stderr.contains('\u{1b}'), "{line}");
        }
    }

    #[test]
    fn no_color_beats_force() {
        let stderr = |no_color: &str| {
            let mut program = program();
            program.env("CLICOLOR_FORCE", "1").env("NO_COLOR", no_color).arg("rong");
            Run::from(program.output().unwrap()).stderr
        };
        assert!(stderr("").contains('\u{1b}'), "forced colour shows what is looked for");
        assert!(!stderr("1").contains('\u{1b}'));
    }

    #[test]
    fn early_leaver_ends_it_quietly() {
        let mut child = program()
            .args("ring export --nodes 3".split(' '))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        // More than a pipe holds is still to come when the reader goes away.
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "slot,primary,owner_2\n");
        let run = Run::from(child.wait_with_output().unwrap());
        assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    }

    #[test]
    fn check_outlives_its_reader() {
        let mut child = program()
            .args("ring plan --nodes 3 --add weight=1 --check moved<=0.1 -o json".split(' '))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let run = Run::from(child.wait_with_output().unwrap());
        assert_eq!(run.code, 1, "{run:?}");
        assert!(run.stderr.starts_with("check moved<=0.1 is not met"), "{run:?}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn full_disk_is_a_failure() {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let output = program().args("ring show --nodes 3 -o json".split(' ')).stdout(full).output();
        let complaint = Run::from(output.unwrap()).complaint(1);
        assert!(complaint.starts_with("error: cannot write the answer"), "{complaint}");
    }
}

mod show {
    use super::*;

    #[test]
    fn verdict_comes_first() {
        let answer = run("ring show --nodes 5 --zones 3 --copies 3").answer();
        let lines: Vec<&str> = answer.lines().collect();
        let parts: Vec<&str> = lines[0].split("  ").collect();
        assert!(parts[0].starts_with("ring ") && parts[0].len() == 21, "{answer}");
        let expected = [
            "5 nodes",
            "3 zones",
            "copies 3",
            "slots 65,536",
            "vnodes 2,048 per weight",
            "bound 5%",
        ];
        assert_eq!(parts[1..7], expected);
        let columns: Vec<&str> = lines[2].split_whitespace().collect();
        let expected = ["NODE", "ZONE", "WEIGHT", "PRIMARIES", "FAIR", "X", "COPIES", "FAIR", "X"];
        assert_eq!(columns, expected);
        assert!(lines[3].starts_with("node-0  zone-0       1 "), "{answer}");
        assert!(lines[3].ends_with(['█', '▏', '▎', '▍', '▌', '▋', '▊', '▉']), "{answer}");
        assert_eq!(lines.len(), 8);
    }

    #[test]
    fn hints_are_for_people() {
        for (format, is_hinted) in
            [("table", true), ("wide", true), ("json", false), ("csv", false)]
        {
            let run = run(&format!("ring show --nodes 3 -o {format}"));
            assert_eq!(run.stderr.contains("next: "), is_hinted, "{format}");
        }
    }

    #[test]
    fn json_adds_up() {
        let shown = json("ring show --nodes 5 --copies 3 --slots 1024 --weights 1,2 -o json");
        let nodes = shown["nodes"].as_array().unwrap();
        let sum = |name: &str| nodes.iter().map(|node| number(&node[name])).sum::<u64>();
        assert_eq!(sum("primaries_slots"), 1024);
        assert_eq!(sum("copies_slots"), 3 * 1024);
        let layout = serde_json::json!(
            {"copies": 3, "slots": 1024, "vnodes": 2048, "bound": 0.05, "seed": 0}
        );
        assert_eq!(shown["layout"], layout);
        let ratios = nodes.iter().map(|node| node["primaries_ratio"].as_f64().unwrap());
        assert_eq!(shown["primaries"]["max"].as_f64(), ratios.reduce(f64::max));
        for node in nodes {
            let slots = u32::try_from(number(&node["primaries_slots"])).unwrap();
            assert_eq!(node["primaries_share"].as_f64(), Some(f64::from(slots) / 1024.0));
            assert_eq!(node["zone"], Value::Null);
        }
    }

    #[test]
    fn loads_agree_with_export() {
        let options = "--nodes 7 --zones 3 --slots 1024";
        let mut counted: BTreeMap<String, u64> = BTreeMap::new();
        for owners in exported(options) {
            *counted.entry(owners[0].clone()).or_default() += 1;
        }
        let shown = json(&format!("ring show -o json {options}"));
        for node in shown["nodes"].as_array().unwrap() {
            assert_eq!(number(&node["primaries_slots"]), counted[words(&node["node"])]);
        }
    }

    #[test]
    fn csv_and_json_agree() {
        let options = "--nodes 4 --zones 2 --slots 256";
        let records = csv(&run(&format!("ring show -o csv {options}")).answer());
        let shown = json(&format!("ring show -o json {options}"));
        for (record, node) in records[1..].iter().zip(shown["nodes"].as_array().unwrap()) {
            for (name, field) in records[0].iter().zip(record) {
                let value = &node[name.as_str()];
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                assert_eq!(*field, text, "{name}");
            }
        }
        assert_eq!(records.len(), 5);
    }

    #[test]
    fn many_nodes_are_summed_up() {
        let summary = run("ring show --nodes 60 --slots 4096").answer();
        let buckets: Vec<&str> = summary.lines().skip(3).take(20).collect();
        let count = |line: &&str| line.split_whitespace().nth(2).unwrap().parse::<u64>().unwrap();
        assert_eq!(buckets.iter().map(count).sum::<u64>(), 60, "{summary}");
        let rows = |text: &str| text.lines().filter(|line| line.starts_with("node-")).count();
        assert_eq!(rows(&summary), 10);
        assert_eq!(rows(&run("ring show --nodes 60 --slots 4096 --all").answer()), 60);
        assert_eq!(rows(&run("ring show --nodes 40 --slots 4096").answer()), 40);
    }

    #[test]
    fn lone_node_has_no_copies() {
        let answer = run("ring show --nodes 1").answer();
        assert!(answer.contains("  1 node  no zones  copies 1 (2 asked for, too few nodes)  "));
        assert_eq!(json("ring show --nodes 1 -o json")["copies"], 1);
    }

    #[test]
    fn wide_shows_identities() {
        assert!(run("ring show --nodes 3 -o wide").answer().contains("COPIES SLOTS  ID"));
        assert!(!run("ring show --nodes 3").answer().contains("COPIES SLOTS"));
    }
}

mod owner {
    use super::*;

    #[test]
    fn owners_agree_with_export() {
        let options = "--nodes 7 --zones 3 --copies 3 --slots 1024";
        let slots = exported(options);
        let found = json(&format!("ring owner -o json {options} a user:17 ключ"));
        let keys = found["keys"].as_array().unwrap();
        assert_eq!(keys.len(), 3);
        for key in keys {
            let owners = key["owners"].as_array().unwrap().iter();
            let names: Vec<&str> = owners.map(|owner| words(&owner["node"])).collect();
            let slot = number(&key["slot"]);
            assert_eq!(names, slots[usize::try_from(slot).unwrap()]);
            let hash = u64::from_str_radix(words(&key["hash"]), 16).unwrap();
            assert_eq!(hash >> 54, slot);
        }
    }

    #[test]
    fn table_has_a_line_each() {
        let answer = run("ring owner a b --nodes 3").answer();
        let lines: Vec<Vec<&str>> =
            answer.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[0], ["KEY", "HASH", "SLOT", "PRIMARY", "OTHER", "OWNERS"]);
        assert_eq!((lines[1][0], lines[2][0], lines.len()), ("a", "b", 3));
        assert!(run("ring owner a --nodes 1").answer().trim_end().ends_with("node-0   -"));
    }

    #[test]
    fn explanation_names_the_next() {
        let options = "--nodes 5 --zones 2";
        let found = json(&format!("ring owner user:17 --explain -o json {options}"));
        let key = &found["keys"][0];
        let owner = |place: usize| words(&key["owners"][place]["node"]);
        let answer = run(&format!("ring owner user:17 --explain {options}")).answer();
        assert!(answer.contains(&format!("owner 1 {} in zone-", owner(0))), "{answer}");
        assert!(answer.contains(&format!("if {} dies, {} is to answer", owner(0), owner(1))));
        assert!(answer.contains(words(&key["hash"])), "{answer}");
        let heirs = key["owners_without_primary"].as_array().unwrap();
        assert_eq!(heirs.len(), 2);
        assert!(heirs.iter().all(|heir| words(&heir["node"]) != owner(0)));
    }

    #[test]
    fn heirs_are_the_planned_owners() {
        let key = &json("ring owner k --explain -o json --nodes 5 --slots 256")["keys"][0];
        let primary = words(&key["owners"][0]["node"]);
        let names = (0..5).map(|number| format!("node-{number}")).filter(|name| name != primary);
        let list: Vec<Value> = names.map(|name| serde_json::json!({"name": name})).collect();
        let rest = file("heirs.json", &serde_json::json!({"slots": 256, "node": list}).to_string());
        let expected = &json(&format!("ring owner k -o json --cluster-file {rest}"))["keys"][0];
        assert_eq!(key["owners_without_primary"], expected["owners"]);
    }

    #[test]
    fn last_node_has_no_heir() {
        let answer = run("ring owner k --explain --nodes 1").answer();
        assert!(answer.contains("the key is lost") && answer.contains("nobody is left"));
    }

    #[test]
    fn base64_spells_the_same_key() {
        let plain = json("ring owner user:17 --nodes 5 -o json");
        let encoded = json("ring owner dXNlcjoxNw== --base64 --nodes 5 -o json");
        assert_eq!(plain, encoded);
        assert!(
            run("ring owner a! --base64 --nodes 5").complaint(2).contains("`a!` is not base64")
        );
    }

    #[test]
    fn keys_are_as_long_as_memcacheds() {
        let key = "k".repeat(250);
        run_words(&["ring", "owner", &key, "--nodes", "3"]).answer();
        let long = format!("{key}k");
        let complaint = run_words(&["ring", "owner", &long, "--nodes", "3"]).complaint(2);
        assert_eq!(complaint, "error: a key of 251 bytes: memcached's have 1 to 250\n");
        run_words(&["ring", "owner", "", "--nodes", "3"]).complaint(2);
    }
}

mod cluster {
    use super::*;

    const TOML: &str = r#"
copies = 3
slots = 1024
vnodes = 256
bound = "10%"
seed = 7

[[node]]
name = "cache-a"
zone = "eu"
weight = 2

[[node]]
name = "cache-b"
zone = "us"

[[node]]
name = "cache-c"

[[node]]
name = "cache-d"
zone = "us"
"#;

    const JSON: &str = r#"{"copies": 3, "slots": 1024, "vnodes": 256, "bound": "10%", "seed": 7,
        "node": [
            {"name": "cache-d", "zone": "us"},
            {"name": "cache-c"},
            {"name": "cache-a", "zone": "eu", "weight": 2},
            {"name": "cache-b", "zone": "us", "weight": 1}
        ]}"#;

    fn fingerprint(options: &str) -> String {
        words(&json(&format!("ring show -o json {options}"))["fingerprint"]).to_owned()
    }

    #[test]
    fn language_and_order_change_nothing() {
        let (toml, json) = (file("same.toml", TOML), file("same.json", JSON));
        let (toml, json) = (format!("--cluster-file {toml}"), format!("--cluster-file {json}"));
        assert_eq!(fingerprint(&toml), fingerprint(&json));
        assert_eq!(exported(&toml), exported(&json));
    }

    #[test]
    fn stdin_is_a_file() {
        let expected = exported(&format!("--cluster-file {}", file("stdin.toml", TOML)));
        for text in [TOML, JSON] {
            let answer = run_with_stdin("ring export --cluster-file -", text).answer();
            let owners = csv(&answer).into_iter().skip(1).map(|mut record| record.split_off(1));
            assert!(owners.eq(expected.iter().cloned()));
        }
    }

    #[test]
    fn options_override_the_file() {
        let path = file("override.toml", TOML);
        let options =
            "--copies 2 --slots 512 --vnodes 9 --bound none --seed 1 --weights 3 --zones z";
        let shown = json(&format!("ring show -o json --cluster-file {path} {options}"));
        let layout = serde_json::json!(
            {"copies": 2, "slots": 512, "vnodes": 9, "bound": null, "seed": 1}
        );
        assert_eq!(shown["layout"], layout);
        for node in shown["nodes"].as_array().unwrap() {
            assert_eq!((&node["weight"], &node["zone"]), (&3.into(), &"z".into()));
        }
    }

    #[test]
    fn options_equal_a_file() {
        let text =
            "seed = 5\n[[node]]\nname = \"node-0\"\n[[node]]\nname = \"node-1\"\nweight = 2\n";
        let path = file("options.toml", text);
        assert_eq!(
            fingerprint(&format!("--cluster-file {path}")),
            fingerprint("--nodes 2 --seed 5 --weights 1,2")
        );
        assert_ne!(fingerprint("--nodes 2 --seed 5"), fingerprint("--nodes 2"));
    }

    #[test]
    fn zones_keep_copies_apart() {
        let zones = |name: &str| name.trim_start_matches("node-").parse::<u32>().unwrap() % 2;
        let slots = exported("--nodes 4 --zones 2 --slots 256");
        assert!(slots.iter().all(|owners| zones(&owners[0]) != zones(&owners[1])));
    }

    #[test]
    fn unknown_toml_key_is_shown() {
        let path = file("unknown.toml", "copies = 2\ncopys = 3\n");
        let complaint = run(&format!("ring show --cluster-file {path}")).complaint(2);
        let shown = "at line 2, column 1\n  |\n2 | copys = 3\n  | ^^^^^\nunknown field `copys`";
        assert!(complaint.starts_with("error: ") && complaint.contains(shown), "{complaint}");
        assert!(complaint.contains("`copies`"), "{complaint}");
    }

    #[test]
    fn unknown_node_key_is_shown() {
        let path = file("node.toml", "[[node]]\nname = \"a\"\ncolour = \"red\"\n");
        let complaint = run(&format!("ring show --cluster-file {path}")).complaint(2);
        assert!(complaint.contains("3 | colour = \"red\"\n  | ^^^^^^\n"), "{complaint}");
    }

    #[test]
    fn bad_values_are_shown() {
        let path = file("values.toml", "bound = \"5\"\n");
        let complaint = run(&format!("ring show --cluster-file {path}")).complaint(2);
        assert!(complaint.contains("1 | bound = \"5\"\n  |         ^^^"), "{complaint}");
        assert!(complaint.contains("a percentage such as 5%, or none"), "{complaint}");
    }

    #[test]
    fn unknown_json_key_has_a_place() {
        let path = file("unknown.json", "{\"copies\": 2,\n \"copys\": 3}");
        let complaint = run(&format!("ring show --cluster-file {path}")).complaint(2);
        assert!(complaint.contains("unknown field `copys`"), "{complaint}");
        assert!(complaint.ends_with("at line 2 column 8\n"), "{complaint}");
    }

    /// What a cluster file on stdin is refused with.
    fn refused(text: &str) -> String {
        run_with_stdin("ring show --cluster-file -", text).complaint(2)
    }

    #[test]
    fn bad_clusters_are_explained() {
        let twice = "[[node]]\nname = \"a\"\n[[node]]\nname = \"b\"\n[[node]]\nname = \"a\"\n";
        assert_eq!(refused(twice), "error: two nodes are called `a`; rename one\n");
        let weight =
            |weight: &str| refused(&format!("[[node]]\nname = \"a\"\nweight = {weight}\n"));
        assert_eq!(weight("0"), "error: node `a` has weight 0: it must be 1 to 1000\n");
        assert_eq!(weight("1001"), "error: node `a` has weight 1001: it must be 1 to 1000\n");
        assert!(weight("-1").contains("3 | weight = -1\n"));
        assert_eq!(refused(""), "error: a ring needs at least one node\n");
        let copies = |copies| refused(&format!("copies = {copies}\n[[node]]\nname = \"a\"\n"));
        assert_eq!(copies(0), "error: 0 copies: it must be 1 to 4\n");
        assert_eq!(copies(5), "error: 5 copies: it must be 1 to 4\n");
        assert!(refused("[[node]]\nname = \"\"\n").contains("1 to 255 bytes"));
        let escape = refused("[[node]]\nname = \"\\u001b[31m\"\n");
        assert!(escape.contains("no control characters") && !escape.contains('\u{1b}'));
    }

    #[test]
    fn hostile_files_do_not_reach_the_terminal() {
        let key = refused(r#"{"\u001b[31mPWN":1}"#);
        assert!(key.starts_with(r"error: stdin: unknown field `\u{1b}[31mPWN`"), "{key}");
        let key = refused("\"\\u001b[31mPWN\" = 1\n");
        assert!(key.contains("\n  | ^^^") && key.contains(r"`\u{1b}[31mPWN`"), "{key}");
        let line = refused("seed = 1\n\u{1b}[31mPWN = ");
        assert!(line.contains("\n2 | \\u{1b}[31mPWN = \n"), "{line}");
        for text in [key, line] {
            assert!(!text.replace('\n', "").contains(char::is_control), "{text:?}");
        }
        for text in [format!("{} = 1", "a".repeat(2_000_000)), format!("a = {}", "[".repeat(9999))]
        {
            let text = refused(&text);
            assert!(text.len() < 4096 && text.contains("\n1 | "), "{text}");
        }
        let endless = refused(&format!("{{\"{}\": 1}}", "é".repeat(1_000_000)));
        assert!(endless.len() < 4096 && endless.ends_with("é…\n"), "{endless}");
    }

    #[test]
    fn names_are_told_apart_by_sight() {
        for name in ["a\\u202eb", "a\\u200b", " ", " a", "a\\u00a0"] {
            let text = refused(&format!(r#"{{"node":[{{"name":"{name}"}}]}}"#));
            assert!(text.contains("no white space at its ends"), "{name}: {text}");
        }
    }

    #[test]
    fn files_take_the_slots_of_every_size() {
        let nodes: Vec<Value> =
            (0..129).map(|number| serde_json::json!({"name": format!("n{number}")})).collect();
        let path = file("many.json", &serde_json::json!({"vnodes": 8, "node": nodes}).to_string());
        let slots = |options: &str| {
            let shown = json(&format!("ring show -o json {options}"));
            number(&shown["layout"]["slots"])
        };
        assert_eq!(slots(&format!("--cluster-file {path}")), 1 << 16);
        assert_eq!(slots("--nodes 129 --vnodes 8"), 1 << 18);
        assert!(
            run("ring show --help").answer().contains("[default: by --nodes; 65536 for a file]")
        );
    }

    #[test]
    fn bad_options_are_explained() {
        let complaint = |options: &str| run(&format!("ring show --nodes 2 {options}")).complaint(2);
        assert_eq!(complaint("--copies 0"), "error: 0 copies: it must be 1 to 4\n");
        assert!(complaint("--weights 1,0").contains("node `node-1` has weight 0"));
        assert!(complaint("--zones a,").contains("1 to 255 bytes"));
        assert!(complaint("--zones 0").contains("1 to 65535 zones"));
        assert!(complaint("--vnodes 0").contains("0 virtual nodes"));
        assert!(complaint("--bound 901%").contains("9010 thousandths"));
    }

    #[test]
    fn unreadable_files_are_named() {
        let complaint = |path: &str| run(&format!("ring show --cluster-file {path}")).complaint(2);
        let absent = complaint("absent.toml");
        assert!(absent.starts_with("error: cannot read absent.toml: "), "{absent}");
        assert!(complaint(&file("cluster.yaml", "")).contains("end in .toml or .json"));
        let path = format!("{}/latin.toml", env!("CARGO_TARGET_TMPDIR"));
        fs::write(&path, b"seed = 1 # \xe9\n").unwrap();
        assert!(complaint(&path).contains("not UTF-8 from byte 11 on"));
    }

    #[test]
    fn endless_input_is_cut_off() {
        let mut child = program()
            .args("ring show --cluster-file -".split(' '))
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // Ends when the program stops to read.
        while stdin.write_all(&[b'\n'; 4096]).is_ok() {}
        let complaint = Run::from(child.wait_with_output().unwrap()).complaint(2);
        assert_eq!(complaint, "error: stdin is longer than 16 MiB\n");
    }
}

mod plan {
    use super::*;

    type Pair = (String, String);

    /// What has to move between two exports: for every slot its new owners,
    /// with who had the slot before.
    fn fetched(old: &[Vec<String>], new: &[Vec<String>]) -> BTreeSet<(u64, String)> {
        let slots = (0_u64..).zip(old.iter().zip(new));
        slots
            .flat_map(|(slot, (old, new))| {
                let missing = new.iter().filter(|name| !old.contains(name));
                missing.map(move |name| (slot, name.clone()))
            })
            .collect()
    }

    /// What a plan says moves, slot by slot, with each move's source.
    fn planned(plan: &Value) -> BTreeMap<(u64, String), String> {
        let mut moves = BTreeMap::new();
        for pair in plan["moves"].as_array().unwrap() {
            let (source, target) = (words(&pair["source"]), words(&pair["target"]));
            let mut slots = 0;
            for range in pair["ranges"].as_array().unwrap() {
                for slot in number(&range[0])..=number(&range[1]) {
                    let earlier = moves.insert((slot, target.to_owned()), source.to_owned());
                    assert_eq!(earlier, None, "slot {slot} goes to {target} twice");
                    slots += 1;
                }
            }
            assert_eq!(number(&pair["slots"]), slots);
        }
        moves
    }

    /// Checks a plan against the exports of both rings.
    fn assert_plan(old_options: &str, change: &str, new_options: &str) {
        let plan = json(&format!("ring plan -o json {old_options} {change}"));
        let (old, new) = (exported(old_options), exported(new_options));
        let moves = planned(&plan);
        assert_eq!(moves.keys().cloned().collect::<BTreeSet<_>>(), fetched(&old, &new));
        for ((slot, _), source) in &moves {
            assert!(old[usize::try_from(*slot).unwrap()].contains(source));
        }
        assert_eq!(number(&plan["copies"]["slots"]), moves.len() as u64);
        let primaries = old.iter().zip(&new).filter(|(old, new)| old[0] != new[0]).count();
        assert_eq!(number(&plan["primaries"]["slots"]), primaries as u64);
        for (side, options) in [("before", old_options), ("after", new_options)] {
            let shown = json(&format!("ring show -o json {options}"));
            assert_eq!(plan[side]["fingerprint"], shown["fingerprint"]);
        }
        assert_nodes(&plan, &moves);
    }

    /// Checks what a plan says each node sends and fetches.
    fn assert_nodes(plan: &Value, moves: &BTreeMap<(u64, String), String>) {
        for node in plan["nodes"].as_array().unwrap() {
            let name = words(&node["node"]);
            let fetched = moves.keys().filter(|(_, target)| target == name).count();
            let sent = moves.values().filter(|source| *source == name).count();
            assert_eq!(number(&node["slots_fetched"]), fetched as u64);
            assert_eq!(number(&node["slots_sent"]), sent as u64);
        }
    }

    #[test]
    fn joins_agree_with_exports() {
        let options = "--slots 1024 --zones 2";
        assert_plan(
            &format!("--nodes 4 {options}"),
            "--add zone=zone-0 --add zone=zone-1",
            &format!("--nodes 6 {options}"),
        );
    }

    #[test]
    fn leaves_agree_with_exports() {
        assert_plan(
            "--nodes 6 --slots 1024",
            "--remove node-5 --remove node-4",
            "--nodes 4 --slots 1024",
        );
    }

    #[test]
    fn more_copies_agree_with_exports() {
        assert_plan("--nodes 5 --slots 1024", "--to-copies 3", "--nodes 5 --slots 1024 --copies 3");
        assert_plan("--nodes 5 --slots 1024", "--to-copies 1", "--nodes 5 --slots 1024 --copies 1");
    }

    #[test]
    fn weights_agree_with_exports() {
        assert_plan(
            "--nodes 4 --slots 1024",
            "--weight node-1=2 --weight node-3=2",
            "--nodes 4 --slots 1024 --weights 1,2",
        );
    }

    #[test]
    fn replacement_keeps_its_name() {
        assert_plan(
            "--nodes 3 --zones a --slots 256",
            "--remove node-2 --add name=node-2,zone=a",
            "--nodes 3 --zones a --slots 256",
        );
    }

    #[test]
    fn people_read_that_nothing_moves() {
        let answer = run("ring plan --nodes 5 --add zone=b,name=new --zones 2").answer();
        let lines: Vec<&str> = answer.lines().collect();
        assert!(lines[0].contains("nodes 5 -> 6  copies 2 -> 2  slots 65,536  "), "{answer}");
        assert!(lines[1].starts_with("nothing moves"), "{answer}");
        assert!(lines[3].starts_with("WHAT       SLOTS MOVED  LEAST POSSIBLE"), "{answer}");
        let new = lines.iter().find(|line| line.starts_with("new ")).unwrap();
        assert!(new.contains(" b ") && new.contains(" joins "), "{answer}");
        assert!(!answer.contains("SOURCE"), "{answer}");
    }

    #[test]
    fn wide_lists_who_sends() {
        let options = "--nodes 3 --add weight=1 --slots 1024";
        let answer = run(&format!("ring plan -o wide {options}")).answer();
        let lines: Vec<Vec<&str>> =
            answer.lines().map(|line| line.split_whitespace().collect()).collect();
        let heading = lines.iter().position(|line| line.first() == Some(&"SOURCE")).unwrap();
        let shown: Vec<Pair> =
            lines[heading + 1..].iter().map(|line| (line[0].into(), line[1].into())).collect();
        let plan = json(&format!("ring plan -o json {options}"));
        let name = |value: &Value| words(value).to_owned();
        let moves = plan["moves"].as_array().unwrap().iter();
        let expected: Vec<Pair> =
            moves.map(|pair| (name(&pair["source"]), name(&pair["target"]))).collect();
        assert_eq!(shown, expected);
    }

    #[test]
    fn many_nodes_are_cut_off() {
        let rows = |format: &str| {
            let line = format!("ring plan --nodes 50 --add name=new --slots 1024 -o {format}");
            let answer = run(&line).answer();
            let rows: Vec<&str> = answer.split("\n\n").nth(2).unwrap().lines().collect();
            assert!(rows.iter().any(|row| row.starts_with("new ")), "{answer}");
            rows.len()
        };
        // A line of explanation and the headings; the headings alone.
        assert_eq!((rows("table"), rows("wide")), (2 + 40, 1 + 51));
    }

    #[test]
    fn keys_and_bytes_are_in_proportion() {
        let line = "ring plan --nodes 4 --add weight=1 --keys 1M --value-bytes 2k -o json";
        let plan = json(line);
        let copies = &plan["copies"];
        let rounded = (number(&copies["slots"]) * 1_000_000 + 32_768) / 65_536;
        assert_eq!(number(&copies["keys"]), rounded);
        assert_eq!(number(&copies["value_bytes"]), number(&copies["keys"]) * 2048);
        assert_eq!(plan["primaries"].get("value_bytes"), None);
        let unasked = json("ring plan --nodes 4 --add weight=1 -o json");
        assert_eq!(unasked["copies"].get("keys"), None);
    }

    #[test]
    fn csv_has_a_line_each() {
        let answer = run("ring plan --nodes 3 --remove node-1 -o csv").answer();
        let records = csv(&answer);
        assert_eq!(records[0][..3], ["node", "zone", "change"]);
        assert_eq!(records.len(), 4);
        assert_eq!(records[3][..3], ["node-1", "", "leaves"]);
    }

    #[test]
    fn unknown_nodes_list_known() {
        let expected = "error: no node is called `bob`; there are: node-0, node-1, node-2\n";
        assert_eq!(run("ring plan --nodes 3 --remove bob").complaint(2), expected);
        assert_eq!(run("ring plan --nodes 3 --weight bob=2").complaint(2), expected);
    }

    #[test]
    fn impossible_plans_are_refused() {
        let refused = |change: &str| run(&format!("ring plan --nodes 2 {change}")).complaint(2);
        assert!(refused("--add name=node-1").contains("two nodes are called `node-1`"));
        assert!(refused("--remove node-0 --remove node-1").contains("at least one node"));
        assert!(refused("--to-copies 5").contains("5 copies"));
        assert!(refused("--weight node-0=0").contains("node `node-0` has weight 0"));
        assert!(refused("--weight node-0").contains("write NAME=N"));
    }

    #[test]
    fn checks_decide_the_exit_code() {
        let line = |checks: &str| run(&format!("ring plan --nodes 5 --add weight=1 {checks}"));
        let met =
            "--check moved<=1.1x,misplaced<=1% --check max_over_mean<=1.06,primaries_moved>0.9";
        line(met).answer();
        let unmet = line("--check moved<=0.5x,max_over_mean<=1.05 --check copies_moved<50%");
        assert_eq!(unmet.code, 1);
        assert!(unmet.stdout.starts_with("plan "), "the answer comes all the same");
        let faults: Vec<&str> =
            unmet.stderr.lines().filter(|line| line.starts_with("check ")).collect();
        assert!(faults[0].starts_with("check moved<=0.5x is not met: moved is "), "{faults:?}");
        assert!(faults[1].starts_with("check copies_moved<50% is not met"), "{faults:?}");
        assert_eq!(faults.len(), 2);
    }

    #[test]
    fn checks_must_make_sense() {
        let refused = |check: &str| {
            run(&format!("ring plan --nodes 2 --add weight=1 --check {check}")).complaint(2)
        };
        let known = "there are: moved, copies_moved, primaries_moved, misplaced, max_over_mean\n";
        assert_eq!(refused("mooved<=1"), format!("error: no figure `mooved` to check; {known}"));
        assert!(refused("moved").contains("is not a check"));
        assert!(refused("moved<=fast").contains("`fast` is not a unit here"));
    }
}

mod export {
    use super::*;

    #[test]
    fn every_slot_has_a_line() {
        let records = csv(&run("ring export --nodes 4 --copies 3 --slots 256").answer());
        assert_eq!(records[0], ["slot", "primary", "owner_2", "owner_3"]);
        assert_eq!(records.len(), 257);
        for (slot, record) in records[1..].iter().enumerate() {
            assert_eq!((record[0].clone(), record.len()), (slot.to_string(), 4));
            assert_eq!(record[1..].iter().collect::<BTreeSet<_>>().len(), 3, "distinct owners");
        }
    }

    #[test]
    fn all_formats_agree() {
        let options = "--nodes 4 --zones 2 --slots 256";
        let slots = exported(options);
        let table = run(&format!("ring export -o table {options}")).answer();
        assert_eq!(table, run(&format!("ring export -o csv {options}")).answer());
        let exported = json(&format!("ring export -o json {options}"));
        let name = |owner: &Value| {
            words(&exported["nodes"][usize::try_from(number(owner)).unwrap()]["name"]).to_owned()
        };
        let named = |owners: &Value| owners.as_array().unwrap().iter().map(name).collect();
        let named: Vec<Vec<String>> =
            exported["slots"].as_array().unwrap().iter().map(named).collect();
        assert_eq!(named, slots);
        let shown = json(&format!("ring show -o json {options}"));
        assert_eq!(exported["fingerprint"], shown["fingerprint"]);
        assert_eq!(exported["layout"], shown["layout"]);
    }

    #[test]
    fn names_are_quoted_in_csv() {
        let names = ["plain", "a,b", "say \"hi\"", "two words"];
        let nodes: Vec<Value> =
            names.iter().map(|name| serde_json::json!({"name": name})).collect();
        let text = serde_json::json!({"slots": 256, "nodes": nodes}).to_string();
        let path = file("quoted.json", &text);
        let answer = run(&format!("ring export --cluster-file {path}")).answer();
        assert!(answer.contains("\"a,b\"") && answer.contains("\"say \"\"hi\"\"\""));
        let records = csv(&answer);
        let seen: BTreeSet<&str> = records[1..].iter().map(|record| record[1].as_str()).collect();
        assert_eq!(seen, BTreeSet::from(names));
    }
}
