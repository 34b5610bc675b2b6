//! `bench` against servers that answer well, wrongly, late or not at all.
//!
//! The servers are threads of the test, on ports that the system chose.

use serde_json::Value;
use socket2::{Domain, Socket, Type};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// How a server answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Manner {
    /// As memcached does.
    Well,
    /// The statistics; nothing else, ever.
    Silent,
    /// Closes after so many answers on a connection.
    Closing(usize),
    /// Stores nothing and says so.
    Full,
    /// A line that no protocol has.
    Babbling,
    /// Bytes without a line's end.
    Endless,
    /// Other values than those stored, as long.
    Lying,
    /// Values of another key.
    Confused,
    /// The first answer comes late.
    Slow(Duration),
}

/// What a server has seen and stored.
#[derive(Debug, Default)]
struct Seen {
    values: Mutex<BTreeMap<Vec<u8>, Vec<u8>>>,
    expiries: Mutex<Vec<String>>,
    gets: AtomicUsize,
    sets: AtomicUsize,
    connections: AtomicUsize,
}

struct Server {
    address: SocketAddr,
    seen: Arc<Seen>,
}

impl Server {
    fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, seen) = (listener.local_addr().unwrap(), Arc::new(Seen::default()));
        let server = Self { address, seen: Arc::clone(&seen) };
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                stream.set_nodelay(true).unwrap();
                serve(stream.try_clone().unwrap(), stream, manner, &seen);
            }
        });
        server
    }

    fn bench(&self, options: &str) -> Run {
        bench(&format!("--server {} {options}", self.address))
    }

    /// The only run of a bench that must succeed, as JSON.
    fn figures(&self, options: &str) -> Value {
        let run = self.bench(&format!("-o json {options}"));
        assert_eq!(run.code, 0, "{run:?}");
        run.figures()
    }
}

/// Answers a connection on a thread of its own.
fn serve(
    input: impl Read + Send + 'static,
    mut output: impl Write + Send + 'static,
    manner: Manner,
    seen: &Arc<Seen>,
) {
    let seen = Arc::clone(seen);
    seen.connections.fetch_add(1, Ordering::SeqCst);
    thread::spawn(move || {
        let mut input = BufReader::new(input);
        let mut answered = 0;
        let mut line = String::new();
        while input.read_line(&mut line).is_ok_and(|bytes| bytes > 0) {
            let answer = answer(line.trim_end(), &mut input, manner, &seen);
            if manner == Manner::Closing(answered) && !line.starts_with("stats") {
                return;
            }
            if let (Manner::Slow(delay), 0) = (manner, answered) {
                thread::sleep(delay);
            }
            answered += usize::from(!line.starts_with("stats"));
            if output.write_all(&answer).is_err() {
                return;
            }
            line.clear();
        }
    });
}

fn answer(line: &str, input: &mut impl BufRead, manner: Manner, seen: &Seen) -> Vec<u8> {
    let words: Vec<&str> = line.split(' ').collect();
    if words[0] == "stats" {
        return format!("STAT pid {}\r\nEND\r\n", std::process::id()).into_bytes();
    }
    let stored = match words[0] {
        "set" | "ms" => Some(store(&words, input, seen)),
        _ => None,
    };
    match manner {
        Manner::Silent => Vec::new(),
        Manner::Babbling => b"GOOD DAY\r\n".to_vec(),
        Manner::Endless => vec![b'x'; 10_000],
        Manner::Full if stored.is_some() => b"SERVER_ERROR out of memory\r\n".to_vec(),
        _ => stored.unwrap_or_else(|| found(&words, manner, seen)),
    }
}

fn store(words: &[&str], input: &mut impl BufRead, seen: &Seen) -> Vec<u8> {
    seen.sets.fetch_add(1, Ordering::SeqCst);
    let (length, expiry, stored): (usize, _, _) = match words[0] {
        "set" => (words[4].parse().unwrap(), words[3], "STORED\r\n"),
        _ => (words[2].parse().unwrap(), words.get(3).copied().unwrap_or(""), "HD\r\n"),
    };
    let mut value = vec![0; length + 2];
    input.read_exact(&mut value).unwrap();
    assert_eq!(value.split_off(length), b"\r\n");
    seen.expiries.lock().unwrap().push(expiry.to_owned());
    seen.values.lock().unwrap().insert(words[1].as_bytes().to_vec(), value);
    stored.into()
}

fn found(words: &[&str], manner: Manner, seen: &Seen) -> Vec<u8> {
    seen.gets.fetch_add(usize::from(words[0] != "mn"), Ordering::SeqCst);
    let values = seen.values.lock().unwrap();
    let value = |key: &str| {
        let value = values.get(key.as_bytes())?;
        let is_lie = manner == Manner::Lying;
        Some(if is_lie { vec![b'?'; value.len()] } else { value.clone() })
    };
    let mut answer = Vec::new();
    match words[0] {
        "get" => {
            for key in &words[1..] {
                let Some(value) = value(key) else { continue };
                let key = if manner == Manner::Confused { "other" } else { key };
                write!(answer, "VALUE {key} 0 {}\r\n", value.len()).unwrap();
                answer.extend_from_slice(&value);
                answer.extend_from_slice(b"\r\n");
            }
            answer.extend_from_slice(b"END\r\n");
        }
        "mg" => match value(words[1]) {
            Some(value) => {
                let key =
                    if words.contains(&"k") { format!(" k{}", words[1]) } else { String::new() };
                write!(answer, "VA {}{key}\r\n", value.len()).unwrap();
                answer.extend_from_slice(&value);
                answer.extend_from_slice(b"\r\n");
            }
            None if words.contains(&"q") => {}
            None => answer.extend_from_slice(b"EN\r\n"),
        },
        "mn" => answer.extend_from_slice(b"MN\r\n"),
        other => panic!("nobody sends `{other}`"),
    }
    answer
}

/// What one run left behind.
#[derive(Debug)]
struct Run {
    code: i32,
    stdout: String,
    stderr: String,
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

impl Run {
    fn figures(&self) -> Value {
        let value: Value = serde_json::from_str(&self.stdout).unwrap();
        assert_eq!(value["schema_version"], 1);
        assert_eq!(value["runs"].as_array().unwrap().len(), 1);
        value["runs"][0].clone()
    }
}

fn bench(options: &str) -> Run {
    let mut program = Command::new(env!("CARGO_BIN_EXE_ringcached"));
    program.arg("bench").args(options.split_whitespace()).output().unwrap().into()
}

fn number(figures: &Value, name: &str) -> f64 {
    figures[name].as_f64().unwrap_or_else(|| panic!("{name} in {figures}"))
}

mod counts {
    use super::*;

    #[test]
    fn every_request_is_counted() {
        for protocol in ["text", "meta"] {
            let server = Server::start(Manner::Well);
            let figures = server.figures(&format!(
                "--protocol {protocol} --requests 1003 --keys 100 --preload --connections 4 \
                 --threads 2 --pipeline 8 --value-bytes 50-150 --reads 80% --verify"
            ));
            let count = |name| number(&figures, name) as usize;
            assert_eq!((count("operations"), count("errors")), (1003, 0), "{figures}");
            assert_eq!(count("gets"), server.seen.gets.load(Ordering::SeqCst));
            assert_eq!(count("sets") + 100, server.seen.sets.load(Ordering::SeqCst));
            assert_eq!(server.seen.values.lock().unwrap().len(), 100);
            assert!((700..900).contains(&count("gets")), "{figures}");
            assert_eq!(figures["hit_ratio"], 1.0);
        }
    }

    #[test]
    fn multigets_count_their_keys() {
        for protocol in ["text", "meta"] {
            let server = Server::start(Manner::Well);
            let line = "--requests 200 --reads 100% --multiget 10 --pipeline 3 --verify";
            // Half of the keys are there.
            let preload = "--keys 50 --preload --requests 1 --reads 100%";
            server.figures(&format!("--protocol {protocol} {preload}"));
            let figures = server.figures(&format!("--protocol {protocol} --keys 100 {line}"));
            assert_eq!(figures["keys_read"], 2000);
            let ratio = number(&figures, "hit_ratio");
            assert!((0.4..0.6).contains(&ratio) && figures["errors"] == 0, "{figures}");
        }
    }

    #[test]
    fn misses_are_written_once() {
        let server = Server::start(Manner::Well);
        let figures = server.figures(
            "--cache-aside --reads 100% --dist sequential --keys 100 --requests 300 --connections 1",
        );
        // A hundred misses with a set each, then a hundred hits.
        assert_eq!(figures["sets"], 100);
        assert_eq!(figures["hit_ratio"], 0.5);
    }

    #[test]
    fn scans_are_told_apart() {
        let server = Server::start(Manner::Well);
        let figures = server.figures(
            "--preload --cache-aside --reads 100% --keys 100 --requests 2k --scan 20% --pipeline 4",
        );
        let all = number(&figures, "hit_ratio");
        assert!((0.75..0.85).contains(&all), "{figures}");
        assert_eq!(figures["hit_ratio_without_scan"], 1.0);
    }

    #[test]
    fn connections_are_held() {
        let server = Server::start(Manner::Well);
        server.figures("--requests 100 --connections 5 --idle 20");
        // One more asks for the statistics.
        assert_eq!(server.seen.connections.load(Ordering::SeqCst), 26);
    }

    #[test]
    fn values_may_expire() {
        for (protocol, expiry) in [("text", "90"), ("meta", "T90")] {
            let server = Server::start(Manner::Well);
            server.figures(&format!("--protocol {protocol} --reads 0% --requests 10 --ttl 90s"));
            assert_eq!(*server.seen.expiries.lock().unwrap(), [expiry; 10]);
        }
        assert_eq!(bench("--ttl 1.5s").code, 2);
    }

    #[test]
    fn large_values_come_whole() {
        let server = Server::start(Manner::Well);
        let figures = server.figures(
            "--preload --keys 20 --value-bytes 1-300k --reads 50% --pipeline 16 --connections 2 \
             --requests 300 --verify",
        );
        assert_eq!((&figures["errors"], &figures["hit_ratio"]), (&0.into(), &1.0.into()));
    }
}

mod time {
    use super::*;

    #[test]
    fn rate_is_kept() {
        let server = Server::start(Manner::Well);
        let figures = server.figures("--rate 200/s --requests 41 --connections 2");
        // The last is due 40 / 200 s after the first.
        let seconds = number(&figures, "seconds");
        assert!((0.199..60.0).contains(&seconds), "{figures}");
        assert_eq!(figures["operations"], 41);
    }

    #[test]
    fn late_answers_delay_those_behind() {
        let server = Server::start(Manner::Slow(Duration::from_millis(400)));
        let figures = server.figures("--rate 100/s --requests 40 --connections 1");
        // One answer was slow. All that were due meanwhile are late too, which a
        // generator that waits for it would not tell: 400, 390, 380 ms and so on.
        assert!(number(&figures, "p50_us") > 100_000.0, "{figures}");
        assert!(number(&figures, "max_us") >= 400_000.0, "{figures}");
    }

    #[test]
    fn warm_up_may_count_requests() {
        let server = Server::start(Manner::Well);
        let figures = server.figures("--warm-up 500 --requests 300 --reads 100% --keys 10");
        assert_eq!(figures["operations"], 300);
        assert!(server.seen.gets.load(Ordering::SeqCst) >= 800);
    }

    #[test]
    fn duration_ends_the_run() {
        let server = Server::start(Manner::Well);
        let figures = server.figures("--duration 1s --warm-up 1s --connections 2");
        let seconds = number(&figures, "seconds");
        assert!((1.0..60.0).contains(&seconds) && number(&figures, "operations") > 10.0);
        // What came during the warm-up was sent, and is not counted.
        let sent = server.seen.gets.load(Ordering::SeqCst) as f64;
        assert!(number(&figures, "gets") < sent, "{figures}");
    }
}

mod faults {
    use super::*;

    #[test]
    fn nobody_listens() {
        // Kept, so that nobody else gets the port, and never listened at.
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        let run = bench(&format!("--server {address}"));
        assert_eq!((run.code, run.stdout.as_str()), (3, ""), "{run:?}");
        assert!(run.stderr.contains(&format!("cannot connect to {address}")), "{run:?}");
        assert_eq!(bench("--server unix:/nowhere/at.all").code, 3);
    }

    #[test]
    fn silence_ends_the_run() {
        for options in ["", "--preload", "--duration 1h"] {
            let server = Server::start(Manner::Silent);
            let run = server.bench(&format!("--timeout 200ms {options}"));
            assert_eq!((run.code, run.stdout.as_str()), (4, ""), "{run:?}");
            assert!(run.stderr.contains("no answer within 200ms"), "{run:?}");
        }
    }

    #[test]
    fn silent_statistics_end_it_too() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        // The system accepts; nobody ever reads.
        assert_eq!(bench(&format!("--server {address} --timeout 200ms")).code, 4);
        let open: Option<TcpStream> = listener.accept().ok().map(|(stream, _)| stream);
        assert!(open.is_some());
    }

    #[test]
    fn closing_ends_the_run() {
        for answers in [0, 7] {
            let server = Server::start(Manner::Closing(answers));
            let run = server.bench("--connections 1 --requests 100");
            assert_eq!(run.code, 1, "{run:?}");
            assert!(run.stderr.contains(&format!("after {answers} answered")), "{run:?}");
        }
    }

    #[test]
    fn errors_are_counted() {
        let server = Server::start(Manner::Full);
        let run = server.bench("--requests 500 --pipeline 4 -o json");
        let figures = run.figures();
        assert_eq!(run.code, 1);
        assert!(figures["errors"] == figures["sets"] && number(&figures, "errors") > 10.0);
        assert!(run.stderr.contains("SERVER_ERROR out of memory"), "{run:?}");
        assert_eq!(figures["first_error"], "Set was answered by `SERVER_ERROR out of memory`");
    }

    #[test]
    fn preloading_counts_its_errors() {
        let server = Server::start(Manner::Full);
        let run = server.bench("--preload --keys 50 --reads 100% --requests 10 -o json");
        assert_eq!((run.code, &run.figures()["errors"]), (1, &50.into()), "{run:?}");
    }

    #[test]
    fn babble_is_counted() {
        let run = Server::start(Manner::Babbling).bench("--requests 30 -o json");
        assert_eq!((run.code, &run.figures()["errors"]), (1, &30.into()), "{run:?}");
        assert!(run.stderr.contains("`GOOD DAY`"), "{run:?}");
    }

    #[test]
    fn endless_lines_end_the_run() {
        let run = Server::start(Manner::Endless).bench("--requests 30");
        assert_eq!(run.code, 1, "{run:?}");
        assert!(run.stderr.contains("a line without an end"), "{run:?}");
    }

    #[test]
    fn lies_are_noticed() {
        let server = Server::start(Manner::Lying);
        let line = "--preload --keys 10 --requests 100 --reads 100%";
        assert_eq!(server.figures(line)["errors"], 0);
        let run = server.bench(&format!("{line} --verify -o json"));
        assert_eq!((run.code, &run.figures()["errors"]), (1, &100.into()), "{run:?}");
    }

    #[test]
    fn foreign_keys_are_noticed() {
        let server = Server::start(Manner::Confused);
        let run = server.bench("--preload --keys 10 --requests 100 --reads 100% -o json");
        assert_eq!((run.code, &run.figures()["errors"]), (1, &100.into()), "{run:?}");
        assert!(run.stderr.contains("of key `other`"), "{run:?}");
    }

    #[test]
    fn senseless_options_are_refused() {
        let lines = [
            "--connections 0",
            "--pipeline x",
            "--reads 90",
            "--reads 101%",
            "--value-bytes 20-10",
            "--key-bytes 251",
            "--key-bytes 5 --keys 1M",
            "--keys 0",
            "--dist normal",
            "--protocol http",
            "--rate 0",
            "--timeout 0s",
            "--duration 10",
            "--duration 1s --requests 5",
            "--multiget 5 --scan 5%",
            "--check p98_us<=1",
            "--server nowhere",
        ];
        for line in lines {
            let run = bench(line);
            assert_eq!((run.code, run.stdout.as_str()), (2, ""), "{line}: {run:?}");
        }
    }
}

mod answers {
    use super::*;

    #[test]
    fn json_has_every_figure() {
        let server = Server::start(Manner::Well);
        let figures = server.figures("--preload --keys 10 --requests 200");
        let fields = [
            "operations ops_per_s seconds gets sets keys_read hits hit_ratio errors",
            "sent_bytes_per_s received_bytes_per_s mean_us p50_us p90_us p99_us p999_us max_us",
            "server_cpu_us_per_op client_cpu_us_per_op server_rss_bytes server_rss_anon_bytes",
            "connections pipeline",
        ];
        for field in fields.join(" ").split(' ') {
            assert!(number(&figures, field) >= 0.0, "{field}");
        }
        // The server is this process.
        assert_eq!(figures["server_pid"], std::process::id());
        let order = ["p50_us", "p90_us", "p99_us", "p999_us", "max_us"];
        assert!(order.map(|name| number(&figures, name)).is_sorted(), "{figures}");
        assert!(number(&figures, "received_bytes_per_s") * number(&figures, "seconds") > 20_000.0);
    }

    #[test]
    fn own_costs_are_told_whatever_ends_the_run() {
        let server = Server::start(Manner::Well);
        for extent in ["--requests 20k", "--warm-up 500 --requests 20k", "--duration 1s"] {
            let figures = server.figures(&format!("{extent} --threads 2 --connections 2"));
            // Nobody sends a request and takes its answer in less; more than that
            // there is not in two threads and the one that waits for them.
            let (each, share) = ("client_cpu_us_per_op", "client_cpu_share");
            assert!(number(&figures, each) > 0.5, "{extent}: {figures}");
            assert!((0.01..3.0).contains(&number(&figures, share)), "{extent}: {figures}");
        }
    }

    #[test]
    fn tables_and_csv_agree() {
        let server = Server::start(Manner::Well);
        let table = server.bench("--requests 50").stdout;
        assert!(table.starts_with("OPERATIONS") && table.contains("P99.9"), "{table}");
        let csv = server.bench("--requests 50 -o csv").stdout;
        let lines: Vec<&str> = csv.lines().collect();
        assert!(lines[0].starts_with("server,protocol,connections,pipeline,operations,"));
        assert_eq!((lines.len(), lines[0].split(',').count()), (2, lines[1].split(',').count()));
    }

    #[test]
    fn checks_decide() {
        let server = Server::start(Manner::Well);
        let line = "--preload --keys 10 --requests 50 --check errors==0,hit_ratio>=99%";
        assert_eq!(server.bench(line).code, 0);
        let run = server.bench(&format!("{line},p99_us<=0"));
        assert_eq!(run.code, 1);
        assert!(run.stderr.contains("check p99_us<=0 is not met"), "{run:?}");
    }

    #[test]
    fn unix_sockets_serve_too() {
        let path = format!("{}/bench-{}.sock", env!("CARGO_TARGET_TMPDIR"), std::process::id());
        // A run that was killed leaves its file, and the number may be another's by now.
        let _ = std::fs::remove_file(&path);
        let listener = UnixListener::bind(&path).unwrap();
        let seen = Arc::new(Seen::default());
        let its = Arc::clone(&seen);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                serve(stream.try_clone().unwrap(), stream, Manner::Well, &its);
            }
        });
        let run = bench(&format!("--server unix:{path} --requests 100 -o json"));
        std::fs::remove_file(&path).unwrap();
        assert_eq!((run.code, &run.figures()["operations"]), (0, &100.into()), "{run:?}");
    }

    #[test]
    fn foreign_processes_may_be_named() {
        let server = Server::start(Manner::Well);
        let own = std::process::id();
        assert_eq!(server.figures(&format!("--requests 9 --pid {own}"))["server_pid"], own);
        let run = server.bench("--requests 9 --pid 4194305");
        assert_eq!(run.code, 1, "{run:?}");
        assert!(run.stderr.contains("process 4194305"), "{run:?}");
    }
}
