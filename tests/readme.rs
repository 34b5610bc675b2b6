//! The README and the docs as their readers meet them: every command runs,
//! every link leads somewhere, every option that is named exists.
//!
//! What the commands print is not compared here; `tests/cli.rs` does that. A
//! node is started at a free port, and what the README says to the default one
//! is said there.

use std::cell::{OnceCell, RefCell};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// More than this nobody reads before trying the program.
const README_LINES_MAX: usize = 250;

/// One command may take this long; unoptimised builds are slow.
const COMMAND_TIME_MAX: Duration = Duration::from_secs(120);

/// What a bare `ring bench` is given here: it takes seconds in a release build,
/// and far longer in the unoptimised one that tests run.
const QUICK_BENCH: [&str; 6] = ["--keys", "10k", "--rounds", "1", "--nodes", "3,10"];

/// What a `bench` of a running node is given here, and for the same reason.
const QUICK_LOAD: [&str; 4] = ["--requests", "10k", "--warm-up", "0s"];

/// A node starts, answers or stops in less, unless it hangs.
const NODE_TIME_MAX: Duration = Duration::from_secs(20);

/// Where the README finds a node that was started as it says.
const DEFAULT_ADDRESS: &str = "127.0.0.1:11211";

#[test]
fn readme_commands_all_run() {
    let readme = read(&root().join("README.md"));
    let commands = commands(&readme);
    assert!(commands.len() > 2, "the README has its commands in `sh` blocks: {commands:?}");
    let mut ours = commands.iter().filter(|command| command.starts_with("cargo "));
    assert_eq!(ours.next().unwrap(), "cargo run --release", "the first one starts a node");
    assert_eq!(ours.next().unwrap(), "cargo test", "the second one tests it");
    let reader = Reader::default();
    assert_none(commands.iter().filter_map(|command| reader.attempt(command).err()));
    let stopped = reader.node.into_inner().map(Node::stop);
    assert_eq!(stopped, Some(Ok(())), "some command asked a node");
}

#[test]
fn readme_stays_short() {
    let lines = read(&root().join("README.md")).lines().count();
    assert!(lines <= README_LINES_MAX, "{lines} lines, at most {README_LINES_MAX}");
}

#[test]
fn links_lead_to_something() {
    let dead = |file: PathBuf| {
        let links = links(&read(&file)).into_iter();
        let dead: Vec<_> = links.filter_map(|link| why_dead(&file, &link)).collect();
        dead.into_iter().map(move |why| format!("{}: {why}", shown(&file)))
    };
    assert_none(documents().into_iter().flat_map(dead));
}

#[test]
fn examples_use_real_options() {
    let wrong = |file: PathBuf| {
        let examples = examples(&read(&file)).into_iter();
        let wrong: Vec<_> = examples.filter_map(|example| refused(&example)).collect();
        wrong.into_iter().map(move |why| format!("{}: {why}", shown(&file)))
    };
    assert_none(documents().into_iter().flat_map(wrong));
}

#[test]
fn broken_commands_are_noticed() {
    let broken = [
        "cargo run --release -- ring show --nodes 0",
        "cargo run --release -- ring show --nodes 3 --no-such-option",
        "cargo run --release -- ring plan --nodes 3 --add weight=1 --check 'moved<0.5x'",
        "cargo run --release -- -U 11211",
        "cargo run --release -- --no-such-option",
        "cargo run --release -- bench --server 127.0.0.1:11211 --check 'errors>=1'",
        "printf 'get\\r\\nquit\\r\\n' | nc 127.0.0.1 11211",
        "printf 'get k\\r\\n' | nc 127.0.0.1 11212",
        "printf 'get k\\r\\n' | tail",
        "cargo test | tail",
        "curl example.org",
    ];
    let reader = Reader::default();
    for command in broken {
        assert!(reader.attempt(command).is_err(), "{command}");
    }
    assert!(refused("ring show --no-such-option").is_some());
    assert!(refused("no-such-command").is_some());
}

#[test]
fn dead_links_are_noticed() {
    let readme = root().join("README.md");
    let text = "[a](no/such.md) ![b](Cargo.toml) `[c](code.md)` [d](#no-such-heading)";
    let dead: Vec<_> = links(text).iter().filter_map(|link| why_dead(&readme, link)).collect();
    assert_eq!(dead, ["no/such.md is not there", "#no-such-heading is no heading"]);
}

#[test]
fn anchors_are_made_like_githubs() {
    assert_eq!(anchor("The path of one key, today"), "the-path-of-one-key-today");
    assert_eq!(anchor("`ring plan` and 2^16 slots"), "ring-plan-and-216-slots");
}

/// What a command in the README stands for.
#[derive(Debug)]
enum Wanted {
    /// The program with these arguments, until it is done.
    Program(Vec<String>),
    /// The program with these arguments, which make it a node.
    Node(Vec<String>),
    /// The program with these arguments, which make it one node of a cluster.
    Member(Vec<String>),
    /// The program with these arguments, which ask that cluster.
    Status(Vec<String>),
    /// The program with these arguments, which ask it as operators do.
    Operator(Vec<String>),
    /// The program with these arguments, which start a cluster.
    Demo(Vec<String>),
    /// The program with these arguments, which ask a node at this one's place.
    Question(Vec<String>, usize),
    /// These bytes said to a node.
    Talk(Vec<u8>),
    /// The tests, of which this is one.
    Tests,
}

impl Wanted {
    fn new(command: &str) -> Result<Self, String> {
        if let Some(talk) = command.strip_prefix("printf ") {
            return talk_of(talk).map(Self::Talk).ok_or(format!("{command}: not a talk to a node"));
        }
        let words = words(command)?;
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match words[..] {
            ["cargo", "test"] => Ok(Self::Tests),
            ["cargo", "run", "--release"] => Ok(Self::Node(Vec::new())),
            ["cargo", "run", "--release", "--", "ring", "bench"] => {
                Ok(Self::Program(owned(["ring", "bench"].iter().chain(&QUICK_BENCH))))
            }
            ["cargo", "run", "--release", "--", "bench", ref rest @ ..] => {
                let arguments = owned(["bench"].iter().chain(rest).chain(&QUICK_LOAD));
                match arguments.iter().position(|word| word == DEFAULT_ADDRESS) {
                    Some(at) => Ok(Self::Question(arguments, at)),
                    None => Err(format!("{command}: asks no node at {DEFAULT_ADDRESS}")),
                }
            }
            ["cargo", "run", "--release", "--", "demo", ref rest @ ..] => {
                Ok(Self::Demo(owned(["demo"].iter().chain(rest))))
            }
            ["cargo", "run", "--release", "--", asks @ ("status" | "members"), ref rest @ ..] => {
                Ok(Self::Status(owned([asks].iter().chain(rest))))
            }
            ["cargo", "run", "--release", "--", "rebalance", ref rest @ ..] => {
                Ok(Self::Operator(owned(["rebalance"].iter().chain(rest))))
            }
            ["cargo", "run", "--release", "--", first, ref rest @ ..] => {
                let arguments = owned([first].iter().chain(rest));
                if arguments.iter().any(|word| word == "--peer-listen" || word == "--join") {
                    return Ok(Self::Member(arguments));
                }
                let is_node = first.starts_with('-') && !["--help", "--version"].contains(&first);
                Ok(if is_node { Self::Node(arguments) } else { Self::Program(arguments) })
            }
            _ => Err(format!("{command}: a command of no known kind")),
        }
    }
}

fn owned<'a>(words: impl Iterator<Item = &'a &'a str>) -> Vec<String> {
    words.map(ToString::to_string).collect()
}

/// What `printf 'bytes' | nc 127.0.0.1 11211` says, without its first word.
fn talk_of(rest: &str) -> Option<Vec<u8>> {
    let (said, receiver) = rest.strip_prefix('\'')?.split_once("' | ")?;
    let known = receiver == format!("nc {}", DEFAULT_ADDRESS.replace(':', " "));
    known.then(|| said.replace("\\r", "\r").replace("\\n", "\n").into_bytes())
}

/// Whoever does what the README says, one command after the other.
#[derive(Default)]
struct Reader {
    /// Started when it is first asked.
    node: OnceCell<Node>,
    /// Those of a cluster, as they were started.
    members: RefCell<Vec<Node>>,
}

impl Reader {
    /// Does what a reader would do with the command, and says what went wrong.
    fn attempt(&self, command: &str) -> Result<(), String> {
        self.do_it(Wanted::new(command)?).map_err(|why| format!("{command}: {why}"))
    }

    fn do_it(&self, wanted: Wanted) -> Result<(), String> {
        match wanted {
            Wanted::Tests => Ok(()),
            Wanted::Program(arguments) => says_something(&run(&arguments)?),
            Wanted::Node(arguments) => {
                let node = Node::start(&arguments)?;
                let answer = node.ask(b"set k 0 0 1\r\nv\r\nget k\r\nquit\r\n")?;
                let stopped = node.stop();
                match &answer[..] {
                    "STORED\r\nVALUE k 0 1\r\nv\r\nEND\r\n" => stopped,
                    _ => Err(format!("a get after a set gives {answer:?}")),
                }
            }
            Wanted::Member(mut arguments) => {
                let mut members = self.members.borrow_mut();
                let mut told = String::new();
                for at in 1..arguments.len() {
                    if arguments[at - 1] == "--peer-listen" {
                        told = std::mem::replace(&mut arguments[at], "127.0.0.1:0".to_owned());
                    } else if arguments[at - 1] == "--join" {
                        let there = members.iter().find(|node| node.told == arguments[at]);
                        let there = there.ok_or(format!("nobody is at {}", arguments[at]))?;
                        arguments[at].clone_from(&there.peer);
                    }
                }
                let mut node = Node::start(&arguments)?;
                node.told = told;
                members.push(node);
                Ok(())
            }
            Wanted::Status(mut arguments) => {
                let members = self.members.borrow();
                let last = members.last().ok_or("there is no cluster to ask")?;
                arguments.extend(["--server".to_owned(), last.address.to_string()]);
                // The last of them may be about to link to the others.
                let started = Instant::now();
                loop {
                    match run(&arguments) {
                        Err(_) if started.elapsed() < NODE_TIME_MAX => thread::yield_now(),
                        answer => {
                            let answer = answer?;
                            let all = answer.matches("127.0.0.1:").count() == 2 * members.len();
                            return if all {
                                Ok(())
                            } else {
                                Err(format!("misses nodes: {answer}"))
                            };
                        }
                    }
                }
            }
            Wanted::Operator(mut arguments) => {
                let members = self.members.borrow();
                let last = members.last().ok_or("there is no cluster to ask")?;
                arguments.extend(["--admin".to_owned(), last.admin.clone()]);
                says_something(&run(&arguments)?)
            }
            Wanted::Demo(arguments) => demo(&arguments),
            Wanted::Question(mut arguments, at) => {
                arguments[at] = self.node()?.address.to_string();
                says_something(&run(&arguments)?)
            }
            Wanted::Talk(bytes) => {
                let answer = self.node()?.ask(&bytes)?;
                match answer.contains("ERROR") {
                    true => Err(format!("the node answers {answer:?}")),
                    false => says_something(&answer),
                }
            }
        }
    }

    fn node(&self) -> Result<&Node, String> {
        if self.node.get().is_none() {
            let _ = self.node.set(Node::start(&[])?);
        }
        Ok(self.node.get().expect("just started"))
    }
}

/// A cluster that starts, says where its three nodes are, and ends when told to.
fn demo(arguments: &[String]) -> Result<(), String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringcached"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let told = (0..3).filter_map(|_| lines.next()?.ok()).filter(|line| line.contains(" clients "));
    let told = told.count();
    Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    let status = child.wait().unwrap();
    let well = told == 3 && status.success();
    if well { Ok(()) } else { Err(format!("{told} nodes, and then {status}")) }
}

fn says_something(answer: &str) -> Result<(), String> {
    if answer.trim().is_empty() { Err("says nothing".to_owned()) } else { Ok(()) }
}

/// A node that runs; killed when it is dropped.
#[derive(Debug)]
struct Node {
    child: Child,
    folder: PathBuf,
    address: SocketAddr,
    /// Where others join it, if they can.
    peer: String,
    /// Where operators ask it.
    admin: String,
    /// Where the README says that they do.
    told: String,
}

impl Node {
    /// Starts one with these arguments, at a free port whatever they say, and
    /// waits until it serves.
    fn start(arguments: &[String]) -> Result<Self, String> {
        let folder = empty_folder("node");
        let ready = folder.join("ready");
        let child = Command::new(env!("CARGO_BIN_EXE_ringcached"))
            .args(at_a_free_port(arguments))
            .arg("--ready-file")
            .arg(&ready)
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stderr(File::create(folder.join("stderr")).unwrap())
            .spawn()
            .unwrap();
        let address = DEFAULT_ADDRESS.parse().unwrap();
        let (peer, admin, told) = (String::new(), String::new(), String::new());
        let mut node = Self { child, folder, address, peer, admin, told };
        let started = Instant::now();
        while !ready.exists() {
            if let Some(status) = node.child.try_wait().unwrap() {
                return Err(format!("{status}: {}", read(&node.folder.join("stderr")).trim()));
            }
            if started.elapsed() > NODE_TIME_MAX {
                return Err(format!("does not serve after {NODE_TIME_MAX:?}"));
            }
            thread::yield_now();
        }
        // It is written whole.
        let told: serde_json::Value = serde_json::from_str(&read(&ready)).unwrap();
        told["peer"].as_str().unwrap_or_default().clone_into(&mut node.peer);
        told["admin"].as_str().unwrap_or_default().clone_into(&mut node.admin);
        node.address = told["client"].as_str().unwrap().parse().unwrap();
        Ok(node)
    }

    /// All that it answers until it closes the connection.
    fn ask(&self, bytes: &[u8]) -> Result<String, String> {
        let talk = || {
            let mut stream = TcpStream::connect(self.address)?;
            stream.set_read_timeout(Some(NODE_TIME_MAX))?;
            stream.write_all(bytes)?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        };
        talk().map_err(|why: std::io::Error| format!("cannot talk to the node: {why}"))
    }

    /// Stops it as a service manager would, and says what went wrong.
    fn stop(mut self) -> Result<(), String> {
        let pid = self.child.id().to_string();
        Command::new("kill").args(["-TERM", &pid]).status().unwrap();
        let started = Instant::now();
        while started.elapsed() < NODE_TIME_MAX {
            if let Some(status) = self.child.try_wait().unwrap() {
                return if status.success() { Ok(()) } else { Err(format!("{status}")) };
            }
            thread::yield_now();
        }
        Err(format!("does not stop within {NODE_TIME_MAX:?}"))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Arguments of a node, with port 0 for the one that they name.
fn at_a_free_port(arguments: &[String]) -> Vec<String> {
    let mut arguments = arguments.to_vec();
    match arguments.iter().position(|word| word == "-p" || word == "--port") {
        Some(at) if at + 1 < arguments.len() => "0".clone_into(&mut arguments[at + 1]),
        _ => arguments.extend(["-p".to_owned(), "0".to_owned()]),
    }
    arguments
}

/// The words of a line as a shell would split it. Quotes are known; whatever
/// else a shell would act on is refused.
fn words(line: &str) -> Result<Vec<String>, String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for letter in line.chars() {
        let word = words.last_mut().expect("never empty");
        match (quote, letter) {
            (Some(open), _) if open == letter => quote = None,
            (None, '\'' | '"') => quote = Some(letter),
            (None, ' ') => words.push(String::new()),
            (None, '|' | '&' | ';' | '<' | '>' | '$' | '\\' | '`' | '*' | '(' | '#') => {
                return Err(format!("{line}: `{letter}` needs a shell"));
            }
            _ => word.push(letter),
        }
    }
    words.retain(|word| !word.is_empty());
    if quote.is_some() { Err(format!("{line}: a quote stays open")) } else { Ok(words) }
}

/// What the program prints, in an empty folder and within the time.
fn run(arguments: &[String]) -> Result<String, String> {
    let folder = empty_folder("program");
    let complaints = folder.join("stderr");
    let mut child = Command::new(env!("CARGO_BIN_EXE_ringcached"))
        .args(arguments)
        .current_dir(&folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(File::create(&complaints).unwrap())
        .spawn()
        .unwrap();
    let mut pipe = child.stdout.take().unwrap();
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = pipe.read_to_end(&mut bytes).map(|_| bytes);
        // Nobody listens any more when the time is over.
        let _ = sender.send(read);
    });
    let Ok(stdout) = receiver.recv_timeout(COMMAND_TIME_MAX) else {
        child.kill().unwrap();
        child.wait().unwrap();
        return Err(format!("not done after {COMMAND_TIME_MAX:?}"));
    };
    let status = child.wait().unwrap();
    let complaint = read(&complaints);
    fs::remove_dir_all(folder).unwrap();
    match status.success() {
        true => Ok(String::from_utf8_lossy(&stdout.unwrap()).into_owned()),
        false => Err(format!("{status}: {}", complaint.trim())),
    }
}

/// A folder of its own for each caller and purpose.
fn empty_folder(purpose: &str) -> PathBuf {
    static FOLDERS: AtomicU32 = AtomicU32::new(0);
    let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
    let name = format!("readme-{}-{purpose}-{number}", std::process::id());
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Why the program would not take the options of an example, if so: its own
/// help has to know them.
fn refused(example: &str) -> Option<String> {
    // What a shell does with the answer is not the program's.
    let words = example.split_whitespace().take_while(|word| !["|", ">", ">>"].contains(word));
    let words: Vec<&str> = words.collect();
    let command = words.iter().take_while(|word| !word.starts_with('-'));
    let mut asked: Vec<String> = command.map(ToString::to_string).collect();
    asked.push("--help".to_owned());
    let help = match run(&asked) {
        Ok(help) => help,
        Err(why) => return Some(format!("`{example}`: {why}")),
    };
    let known: Vec<&str> = help.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').collect();
    let options = words.iter().filter(|word| word.starts_with('-'));
    let mut names = options.map(|option| option.split_once('=').map_or(*option, |(name, _)| name));
    let unknown = names.find(|name| !known.contains(name))?;
    Some(format!("`{example}`: no option {unknown}"))
}

/// Why a link leads nowhere, if so. Addresses of other sites are not tried.
fn why_dead(file: &Path, link: &str) -> Option<String> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (path, heading) = link.split_once('#').map_or((link, None), |(p, h)| (p, Some(h)));
    let target = match path {
        "" => file.to_path_buf(),
        path => file.parent().unwrap().join(path),
    };
    if !target.exists() {
        return Some(format!("{link} is not there"));
    }
    let has = |heading: &str| headings(&read(&target)).iter().any(|name| anchor(name) == heading);
    (!heading.is_none_or(has)).then(|| format!("{link} is no heading"))
}

/// The targets of a text's links and pictures.
fn links(text: &str) -> Vec<String> {
    let prose = lines(text).filter(|line| line.fence.is_none());
    let link = |text: &str| Some(text.split_once(')')?.0.to_owned());
    prose
        .flat_map(|line| {
            // Every second part lies between backticks.
            let words: String = line.text.split('`').step_by(2).collect();
            words.split("](").skip(1).filter_map(link).collect::<Vec<_>>()
        })
        .collect()
}

fn headings(text: &str) -> Vec<String> {
    let prose = lines(text).filter(|line| line.fence.is_none() && line.text.starts_with('#'));
    prose.map(|line| line.text.trim_start_matches('#').trim().to_owned()).collect()
}

/// The anchor that GitHub gives to a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || "-_ ".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

/// The lines of all `sh` blocks, without comments.
fn commands(text: &str) -> Vec<String> {
    let block = lines(text).filter(|line| line.fence == Some("sh"));
    let commands = block.map(|line| line.text.split(" #").next().unwrap_or_default().trim());
    let commands = commands.filter(|command| !command.is_empty() && !command.starts_with('#'));
    commands.map(str::to_owned).collect()
}

/// The arguments of every call of the program that a text shows: in `sh` blocks
/// and between backticks.
fn examples(text: &str) -> Vec<String> {
    let prose = lines(text).filter(|line| line.fence.is_none());
    let spans = prose.flat_map(|line| line.text.split('`').skip(1).step_by(2));
    let arguments = |shown: &str| {
        let called = match shown.strip_prefix("cargo run ") {
            Some(rest) => rest.split_once("-- ")?.1,
            None => shown.strip_prefix("ringcached ")?,
        };
        Some(called.to_owned())
    };
    let commands = commands(text);
    spans.chain(commands.iter().map(String::as_str)).filter_map(arguments).collect()
}

/// A line of Markdown.
struct Line<'a> {
    text: &'a str,
    /// The language of the fenced block that it lies in.
    fence: Option<&'a str>,
}

/// All lines but the fences themselves.
fn lines(text: &str) -> impl Iterator<Item = Line<'_>> {
    let mut fence = None;
    text.lines().filter_map(move |text| match (text.trim_start().strip_prefix("```"), fence) {
        (Some(language), None) => {
            fence = Some(language.trim());
            None
        }
        (Some(_), Some(_)) => {
            fence = None;
            None
        }
        (None, _) => Some(Line { text, fence }),
    })
}

/// The README and everything under `docs/`.
fn documents() -> Vec<PathBuf> {
    let mut files = vec![root().join("README.md")];
    collect(&root().join("docs"), &mut files);
    files.sort();
    assert!(files.len() > 2, "{files:?}");
    files
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            files.push(path);
        }
    }
}

fn root() -> PathBuf {
    env!("CARGO_MANIFEST_DIR").into()
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn shown(file: &Path) -> String {
    file.strip_prefix(root()).unwrap().display().to_string()
}

/// Fails with everything found, so that one run shows all there is to mend.
fn assert_none(found: impl Iterator<Item = String>) {
    let found: Vec<String> = found.collect();
    assert!(found.is_empty(), "{} wrong:\n  {}", found.len(), found.join("\n  "));
}
