//! `bench` against a Redis Cluster, which here is two threads that know their
//! slots: what is asked of whom, and when it waits for replicas.

use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

/// A primary, and what it was asked: the first word of each request and the key.
struct Primary {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Vec<String>>>>,
}

/// Two primaries with half of the slots each. One that waits in vain answers that
/// no replica has what was written.
fn cluster(replicas: usize) -> [Primary; 2] {
    let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let addresses = [0, 1].map(|number: usize| listeners[number].local_addr().unwrap());
    let text = format!(
        "aa {}@1 master - 0 0 1 connected 0-8191\nbb {}@2,name master - 0 0 2 connected 8192-16383\n\
         cc 127.0.0.1:1@3 slave aa 0 0 1 connected\n",
        addresses[0], addresses[1]
    );
    let nodes = format!("${}\r\n{text}\r\n", text.len());
    let mut number = 0;
    listeners.map(|listener| {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (its, nodes) = (Arc::clone(&asked), nodes.clone());
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (its, nodes) = (Arc::clone(&its), nodes.clone());
                thread::spawn(move || serve(stream, &its, &nodes, replicas));
            }
        });
        number += 1;
        Primary { address: addresses[number - 1], asked }
    })
}

fn serve(stream: TcpStream, asked: &Mutex<Vec<Vec<String>>>, nodes: &str, replicas: usize) {
    let mut output = stream.try_clone().unwrap();
    let mut input = BufReader::new(stream);
    while let Some(words) = request(&mut input) {
        let answer = match &*words[0] {
            "CLUSTER" => nodes.to_owned(),
            "INFO" => "-ERR not here\r\n".to_owned(),
            "GET" => "$-1\r\n".to_owned(),
            "SET" => "+OK\r\n".to_owned(),
            "WAIT" => {
                assert_eq!(words[1..], ["1", "0"]);
                format!(":{replicas}\r\n")
            }
            other => panic!("nobody sends `{other}`"),
        };
        asked.lock().unwrap().push(words);
        if output.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// The words of a request, in a line or one by one.
fn request(input: &mut BufReader<TcpStream>) -> Option<Vec<String>> {
    let mut line = String::new();
    input.read_line(&mut line).ok().filter(|&bytes| bytes > 0)?;
    let Some(count) = line.strip_prefix('*') else {
        return Some(line.split_whitespace().map(str::to_owned).collect());
    };
    (0..count.trim().parse().unwrap())
        .map(|_| {
            let mut head = String::new();
            input.read_line(&mut head).ok()?;
            let mut word = vec![0; head.trim()[1..].parse::<usize>().unwrap() + 2];
            input.read_exact(&mut word).ok()?;
            Some(String::from_utf8(word[..word.len() - 2].to_vec()).unwrap())
        })
        .collect()
}

/// As the specification has it, bit by bit.
fn slot(key: &str) -> u16 {
    let mut crc = 0_u16;
    for byte in key.bytes() {
        for bit in (0..8).rev() {
            let carry = (crc >> 15) ^ u16::from(byte >> bit & 1);
            crc = (crc << 1) ^ (carry * 0x1021);
        }
    }
    crc % 16_384
}

fn bench(primaries: &[Primary; 2], options: &str) -> (i32, Value, String) {
    let server = primaries[1].address;
    let line = format!("bench --protocol redis --server {server} -o json --keys 200 {options}");
    let mut program = Command::new(env!("CARGO_BIN_EXE_ringcached"));
    let done = program.args(line.split_whitespace()).output().unwrap();
    let said = String::from_utf8(done.stderr).unwrap();
    let figures: Value = serde_json::from_slice(&done.stdout).unwrap_or_default();
    (done.status.code().unwrap(), figures["runs"][0].clone(), said)
}

/// The first words of what a primary was asked by clients, all since the last time.
fn asked(primary: &Primary) -> Vec<Vec<String>> {
    let mut asked = std::mem::take(&mut *primary.asked.lock().unwrap());
    asked.retain(|words| !matches!(&*words[0], "CLUSTER" | "INFO"));
    asked
}

#[test]
fn keys_go_to_the_primary_of_their_slot() {
    let primaries = cluster(1);
    let (code, figures, said) =
        bench(&primaries, "--ring --preload --requests 400 --connections 4");
    assert_eq!(code, 0, "{said}");
    assert_eq!((&figures["operations"], &figures["servers"]), (&400.into(), &2.into()));
    let mut written = 0;
    for (number, primary) in primaries.iter().enumerate() {
        let asked = asked(primary);
        assert!(asked.iter().all(|words| usize::from(slot(&words[1]) / 8192) == number));
        written += asked.iter().filter(|words| words[0] == "SET").count();
    }
    assert!(written >= 200, "{written}");
}

#[test]
fn each_write_is_waited_for() {
    let primaries = cluster(1);
    let line = "--ring --requests 200 --reads 50% --connections 2 --pipeline 8 --wait each";
    let (code, figures, said) = bench(&primaries, line);
    assert_eq!(code, 0, "{said}");
    assert_eq!((&figures["operations"], &figures["wait"]), (&200.into(), &"each".into()));
    let mut writes = 0;
    for primary in &primaries {
        let asked = asked(primary);
        for (number, words) in asked.iter().enumerate() {
            let waits = asked.get(number + 1).is_some_and(|next| next[0] == "WAIT");
            assert_eq!(words[0] == "SET", waits, "{number}");
            writes += u64::from(words[0] == "SET");
        }
    }
    assert_eq!(figures["sets"], writes);
}

#[test]
fn a_batch_of_writes_is_waited_for_once() {
    let primaries = cluster(1);
    let line = "--ring --requests 160 --reads 0% --connections 2 --pipeline 8 --wait batch";
    let (code, figures, said) = bench(&primaries, line);
    assert_eq!((code, &figures["operations"]), (0, &160.into()), "{said}");
    for primary in &primaries {
        let asked = asked(primary);
        assert_eq!(asked.len(), 90);
        let waits = asked.iter().skip(8).step_by(9);
        assert!(waits.clone().count() == 10 && waits.clone().all(|words| words[0] == "WAIT"));
    }
    // Batches that only read wait for nobody.
    bench(&primaries, "--ring --requests 160 --reads 100% --pipeline 8 --wait batch");
    assert!(primaries.iter().all(|primary| asked(primary).iter().all(|words| words[0] == "GET")));
}

#[test]
fn a_write_that_no_replica_has_is_an_error() {
    let (code, figures, said) = bench(&cluster(0), "--ring --requests 100 --reads 0% --wait each");
    assert_eq!((code, &figures["errors"]), (1, &100.into()), "{said}");
    assert!(said.contains("Wait was answered by that 0 replicas have it"), "{said}");
}

#[test]
fn one_that_is_no_cluster_says_so() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let refusal = b"-ERR This instance has cluster support disabled\r\n";
            stream.write_all(refusal).unwrap();
        }
    });
    let primaries = [(); 2].map(|()| Primary { address, asked: Arc::default() });
    let (code, _, said) = bench(&primaries, "--ring --requests 10");
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("tells of no ring: -ERR This instance has cluster"), "{said}");
}
