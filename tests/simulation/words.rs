//! What clients say, what it asks of each key, and how the answers read.

use std::fmt::Write;

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Word {
    pub(crate) what: What,
    pub(crate) keys: Vec<String>,
    pub(crate) form: Form,
    /// No other request has this number.
    pub(crate) number: u64,
}

/// In which words a request is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Classic,
    /// Nothing is answered, whatever comes of it.
    Noreply,
    Meta,
    /// Success is not answered, or nothing where something is read.
    Quiet,
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    Set {
        value: u64,
    },
    Add {
        value: u64,
    },
    Replace {
        value: u64,
    },
    /// If it has this token.
    Compare {
        token: u64,
        value: u64,
    },
    Delete,
    /// With its token, or without.
    Get {
        token: bool,
    },
    GetAndTouch {
        token: bool,
        seconds: u64,
    },
    Touch {
        seconds: u64,
    },
    Count,
    /// Puts a piece at one end.
    Extend {
        front: bool,
        piece: u64,
    },
    Flush {
        delay: u64,
    },
}

/// What came of a request for one of its keys.
#[derive(Clone, Debug)]
pub(crate) enum Fate {
    Done(Done),
    /// Nobody knows.
    Unknown,
    /// An answer that this request does not have.
    Senseless(String),
}

#[derive(Clone, Debug)]
pub(crate) struct Done {
    pub(crate) saw: Saw,
    pub(crate) wrote: bool,
    /// Of what is there now.
    pub(crate) version: Option<u64>,
}

/// What a request found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Saw {
    /// It did not look.
    Unlooked,
    Nothing,
    /// Whatever it is.
    Something,
    Value(String),
    /// What has this version.
    Version(u64),
}

impl Done {
    fn saw(saw: Saw) -> Fate {
        Fate::Done(Self { saw, wrote: false, version: None })
    }
}

pub(crate) fn piece_text(piece: u64) -> String {
    format!("<{piece}>")
}

impl Word {
    /// As a client says it.
    pub(crate) fn say(&self, said: &mut String) {
        let (key, number, form) = (&self.keys[0], self.number, self.form);
        let is_meta = matches!(form, Form::Meta | Form::Quiet);
        let end = match form {
            Form::Classic => "",
            Form::Noreply => " noreply",
            Form::Meta => " c k",
            Form::Quiet => &format!(" c k q O{number}"),
        };
        let store = |verb: &str, flags: &str, token: String, value: String| match is_meta {
            true => format!("ms {key} {}{end}{flags}{token}\r\n{value}\r\n", value.len()),
            false => format!("{verb} {key} 0 0 {}{token}{end}\r\n{value}\r\n", value.len()),
        };
        let no_token = String::new;
        let text = match &self.what {
            What::Set { value } => store("set", "", no_token(), value.to_string()),
            What::Add { value } => store("add", " ME", no_token(), value.to_string()),
            What::Replace { value } => store("replace", " MR", no_token(), value.to_string()),
            What::Compare { token, value } => {
                let token = if is_meta { format!(" C{token}") } else { format!(" {token}") };
                store("cas", "", token, value.to_string())
            }
            What::Extend { front, piece } => {
                let (verb, mode) =
                    if *front { ("prepend", " MP N0") } else { ("append", " MA N0") };
                store(verb, mode, no_token(), piece_text(*piece))
            }
            What::Delete if is_meta => format!("md {key}{}\r\n", end.replace(" c", "")),
            What::Delete => format!("delete {key}{end}\r\n"),
            What::Get { .. } if is_meta => {
                let mut all = String::new();
                for key in &self.keys {
                    let _ = write!(all, "mg {key} v{end}\r\n");
                }
                if form == Form::Quiet { all + "mn\r\n" } else { all }
            }
            What::Get { token } => {
                format!("{} {}\r\n", if *token { "gets" } else { "get" }, self.keys.join(" "))
            }
            What::GetAndTouch { token, seconds } => {
                let verb = if *token { "gats" } else { "gat" };
                format!("{verb} {seconds} {}\r\n", self.keys.join(" "))
            }
            What::Touch { seconds } => format!("touch {key} {seconds}{end}\r\n"),
            What::Count if is_meta => format!("ma {key} v{end} N0 J1\r\n"),
            What::Count => format!("incr {key} 1{end}\r\n"),
            What::Flush { delay: 0 } => "flush_all\r\n".to_owned(),
            What::Flush { delay } => format!("flush_all {delay}\r\n"),
        };
        said.push_str(&text);
    }

    /// Takes its answers; one fate for each key.
    fn hear(&self, lines: &mut Lines<'_>) -> Vec<Fate> {
        match &self.what {
            What::Get { .. } if self.form == Form::Quiet => self.hear_found(lines),
            What::Get { .. } if self.form == Form::Meta => vec![meta_read(lines.next(), lines)],
            What::Get { .. } | What::GetAndTouch { .. } => self.hear_values(lines),
            _ => vec![self.hear_one(lines)],
        }
    }

    fn hear_one(&self, lines: &mut Lines<'_>) -> Fate {
        let line = match self.form {
            Form::Noreply => return Fate::Unknown,
            Form::Quiet => match lines.next_if(|line| self.is_answered_by(line)) {
                None => return self.wrote(None),
                Some(line) => line,
            },
            Form::Classic | Form::Meta => lines.next(),
        };
        let first = line.split(' ').next().unwrap_or_default();
        match (&self.what, first) {
            (_, "SERVER_ERROR") => Fate::Unknown,
            (What::Count, "VA") => match meta_read(line, lines) {
                Fate::Done(done) => Fate::Done(Done { wrote: true, ..done }),
                other => other,
            },
            (What::Count, number) if number.parse::<u64>().is_ok() => {
                Fate::Done(Done { saw: Saw::Value(number.into()), wrote: true, version: None })
            }
            (What::Add { .. }, "NOT_STORED" | "NS")
            | (What::Compare { .. }, "EXISTS" | "EX")
            | (What::Touch { .. }, "TOUCHED") => Done::saw(Saw::Something),
            (What::Replace { .. } | What::Extend { .. }, "NOT_STORED" | "NS")
            | (_, "NOT_FOUND" | "NF") => Done::saw(Saw::Nothing),
            (_, "STORED" | "HD" | "DELETED" | "OK") => self.wrote(token(line)),
            _ => Fate::Senseless(line.to_owned()),
        }
    }

    /// It has done what it is for.
    fn wrote(&self, version: Option<u64>) -> Fate {
        let saw = match &self.what {
            What::Add { .. } => Saw::Nothing,
            What::Replace { .. } | What::Delete => Saw::Something,
            What::Compare { token, .. } => Saw::Version(*token),
            _ => Saw::Unlooked,
        };
        Fate::Done(Done { saw, wrote: true, version })
    }

    fn is_answered_by(&self, line: &str) -> bool {
        line.split(' ').any(|word| word.strip_prefix('O') == Some(&self.number.to_string()))
    }

    /// Of many keys, only those that are there are answered.
    fn hear_found(&self, lines: &mut Lines<'_>) -> Vec<Fate> {
        let is_its = |key: &str, line: &str| {
            self.is_answered_by(line)
                && line.split(' ').any(|word| word.strip_prefix('k') == Some(key))
        };
        let mut fates = Vec::new();
        for key in &self.keys {
            fates.push(match lines.next_if(|line| is_its(key, line)) {
                None => Done::saw(Saw::Nothing),
                Some(line) => meta_read(line, lines),
            });
        }
        match lines.next() {
            "MN" => fates,
            other => vec![Fate::Senseless(other.to_owned()); self.keys.len()],
        }
    }

    fn hear_values(&self, lines: &mut Lines<'_>) -> Vec<Fate> {
        let mut fates = vec![Done::saw(Saw::Nothing); self.keys.len()];
        loop {
            let line = lines.next();
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["END"] => return fates,
                ["SERVER_ERROR", ..] => return vec![Fate::Unknown; self.keys.len()],
                ["VALUE", key, _, _, ..] if self.keys.iter().any(|known| known == key) => {
                    let place = self.keys.iter().position(|known| known == key).unwrap();
                    let version = words.get(4).and_then(|token| token.parse().ok());
                    let saw = Saw::Value(lines.next().to_owned());
                    fates[place] = Fate::Done(Done { saw, wrote: false, version });
                }
                _ => return vec![Fate::Senseless(line.to_owned()); self.keys.len()],
            }
        }
    }
}

/// The answers to all requests of a turn.
pub(crate) fn hear(words: &[Word], answers: &str) -> Vec<Vec<Fate>> {
    // Whose error it is cannot be told where some are quiet.
    let is_quiet = words.iter().any(|word| word.form == Form::Quiet);
    if is_quiet && answers.lines().any(|line| line.starts_with("SERVER_ERROR")) {
        return words.iter().map(|word| vec![Fate::Unknown; word.keys.len()]).collect();
    }
    let mut lines = Lines(answers);
    let mut fates: Vec<_> = words.iter().map(|word| word.hear(&mut lines)).collect();
    if !lines.0.is_empty() {
        fates.push(vec![Fate::Senseless(lines.0.to_owned())]);
    }
    fates
}

fn meta_read(line: &str, lines: &mut Lines<'_>) -> Fate {
    match line.split(' ').next() {
        Some("VA") => {
            let saw = Saw::Value(lines.next().to_owned());
            Fate::Done(Done { saw, wrote: false, version: token(line) })
        }
        Some("EN" | "NF") => Done::saw(Saw::Nothing),
        Some("SERVER_ERROR") => Fate::Unknown,
        _ => Fate::Senseless(line.to_owned()),
    }
}

fn token(line: &str) -> Option<u64> {
    line.split(' ').find_map(|word| word.strip_prefix('c')?.parse().ok())
}

/// Answers, line by line.
struct Lines<'a>(&'a str);

impl<'a> Lines<'a> {
    /// Nothing, where there is none.
    fn next(&mut self) -> &'a str {
        let (line, rest) = self.0.split_once("\r\n").unwrap_or((self.0, ""));
        self.0 = rest;
        line
    }

    fn next_if(&mut self, is_it: impl Fn(&str) -> bool) -> Option<&'a str> {
        let mut rest = Lines(self.0);
        let line = rest.next();
        let found = is_it(line);
        if found {
            *self = rest;
        }
        found.then_some(line)
    }
}
