//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use callwright::Compression;
use lexopt::{Arg, Parser, ValueExt as _};

pub(crate) const HELP: &str = "\
callwright: calls any gRPC service from the shell

  callwright call TARGET PACKAGE.SERVICE/METHOD [-d JSON] [OPTIONS]
  callwright list [TARGET] [PACKAGE.SERVICE] [OPTIONS]
  callwright describe [TARGET] NAME [OPTIONS]

TARGET is host:port, or any other target of a channel: dns:///host:port, unix:/path, ...

Where the protos come from (the server's reflection service, unless said otherwise):
  --proto FILE             a .proto file; may be given several times
  -I, --proto-path DIR     where it and its imports are looked for (default: .)
  --descriptor-set FILE    a serialized FileDescriptorSet that holds all imports
  --reflect                the server's reflection service

How the server is reached (any of these means TLS, and so does the target https://host:port):
  --tls                    TLS, with the root certificates of the system
  --cacert FILE            trusts servers whose certificate one of these (PEM) has signed, in place of the system's
  --cert FILE, --key FILE  proves who the client is (mutual TLS): its certificate and private key, as PEM
  --server-name NAME       the name that the server's certificate is for, where it is not the target's

  -H, --header 'KEY: VAL'  adds metadata to all calls, those to the reflection service too; the value of a key that ends
                           in -bin is base64

call:
  -d, --data JSON          the request, or several of them for a method that streams its requests; @FILE reads a file,
                           @- reads all of stdin. Without it a method of one request gets {}, and one that streams its
                           requests gets a request a line from stdin
  --wait-for-ready         waits for a server that is not there yet
  --timeout DURATION       the deadline of the whole call: 5s, 500ms, 2m
  --compression NAME       compresses the requests: gzip, deflate, zstd, identity
  --max-message-size N     takes responses of up to N bytes (default: 4194304)
  -v, --verbose            says on stderr what happens: states, metadata

Responses go to stdout as JSON, one a line; everything else to stderr. The exit code is 0, or 64 plus the status code of
the call (78: UNAVAILABLE), or 2 for a command line that makes no sense.

A server tells more with the companion packages, which are features of the crate callwright: reflection (what it serves, so
that no protos are needed here), health (grpc.health.v1.Health/Check), channelz and admin (grpc.channelz.v1.Channelz),
status (error details with types). For tests without a server there is testing; protoc-gen-callwright is the generator.";

#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) task: Task,
}

#[derive(Debug)]
pub(crate) enum Task {
    Help,
    Call(Call),
    List(Query),
    Describe(Query),
}

/// Where the protos come from.
#[derive(Debug, Default)]
pub(crate) struct Source {
    pub(crate) protos: Vec<PathBuf>,
    pub(crate) folders: Vec<PathBuf>,
    pub(crate) descriptor_set: Option<PathBuf>,
    pub(crate) reflect: bool,
}

impl Source {
    /// Whether the server is to be asked.
    pub(crate) fn is_server(&self) -> bool {
        self.reflect || (self.protos.is_empty() && self.descriptor_set.is_none())
    }
}

#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) target: String,
    pub(crate) service: String,
    pub(crate) method: String,
    pub(crate) source: Source,
    pub(crate) options: Options,
}

/// What is looked up, and where.
#[derive(Debug)]
pub(crate) struct Query {
    pub(crate) target: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) source: Source,
    pub(crate) options: Options,
}

/// How connections are secured.
#[derive(Debug, Default)]
pub(crate) struct Tls {
    pub(crate) asked: bool,
    pub(crate) cacert: Option<PathBuf>,
    /// The certificate, and its key.
    pub(crate) identity: Option<(PathBuf, PathBuf)>,
    pub(crate) server_name: Option<String>,
}

impl Tls {
    /// Whether anything asks for TLS.
    pub(crate) fn is_wanted(&self) -> bool {
        self.asked || self.cacert.is_some() || self.identity.is_some() || self.server_name.is_some()
    }
}

#[derive(Debug, Default)]
pub(crate) struct Options {
    pub(crate) data: Option<String>,
    pub(crate) wait_for_ready: bool,
    pub(crate) timeout: Option<Duration>,
    pub(crate) compression: Option<Compression>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) tls: Tls,
    pub(crate) max_message_size: Option<usize>,
    pub(crate) verbose: bool,
}

impl Arguments {
    pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Arguments, lexopt::Error> {
        let mut parser = Parser::from_iter(arguments);
        let (mut words, mut source, mut options) = (Vec::new(), Source::default(), Options::default());
        let (mut certificate, mut key) = (None, None);
        while let Some(argument) = parser.next()? {
            match argument {
                Arg::Short('h') | Arg::Long("help") => return Ok(Arguments { task: Task::Help }),
                Arg::Long("proto") => source.protos.push(parser.value()?.into()),
                Arg::Short('I') | Arg::Long("proto-path") => source.folders.push(parser.value()?.into()),
                Arg::Long("descriptor-set") => source.descriptor_set = Some(parser.value()?.into()),
                Arg::Long("reflect") => source.reflect = true,
                Arg::Short('d') | Arg::Long("data") => options.data = Some(parser.value()?.string()?),
                Arg::Long("wait-for-ready") => options.wait_for_ready = true,
                Arg::Long("timeout") => options.timeout = Some(parser.value()?.parse_with(duration)?),
                Arg::Long("compression") => options.compression = Some(parser.value()?.parse_with(compression)?),
                Arg::Short('H') | Arg::Long("header") => options.headers.push(parser.value()?.parse_with(header)?),
                Arg::Long("tls") => options.tls.asked = true,
                Arg::Long("cacert") => options.tls.cacert = Some(parser.value()?.into()),
                Arg::Long("cert") => certificate = Some(parser.value()?.into()),
                Arg::Long("key") => key = Some(parser.value()?.into()),
                Arg::Long("server-name") => options.tls.server_name = Some(parser.value()?.string()?),
                Arg::Long("max-message-size") => options.max_message_size = Some(parser.value()?.parse()?),
                Arg::Short('v') | Arg::Long("verbose") => options.verbose = true,
                Arg::Value(word) => words.push(word.string()?),
                _ => return Err(argument.unexpected()),
            }
        }
        if source.reflect && (!source.protos.is_empty() || source.descriptor_set.is_some()) {
            return Err("--reflect and --proto or --descriptor-set exclude each other".into());
        }
        if source.descriptor_set.is_some() && !source.protos.is_empty() {
            return Err("--proto and --descriptor-set exclude each other".into());
        }
        options.tls.identity = match (certificate, key) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (Some(_), None) => return Err("--cert is given without --key: a certificate needs its private key".into()),
            (None, Some(_)) => return Err("--key is given without --cert: a key needs its certificate".into()),
            (None, None) => None,
        };
        Ok(Arguments { task: task(words, source, options)? })
    }
}

fn task(words: Vec<String>, source: Source, options: Options) -> Result<Task, lexopt::Error> {
    let mut words = words.into_iter();
    let task = words.next();
    let words: Vec<_> = words.collect();
    match (task.as_deref(), words.as_slice()) {
        (Some("call"), [target, method]) => {
            let Some((service, method)) = method.rsplit_once(['/', '.']) else {
                return Err(format!("{method:?} is no method: write PACKAGE.SERVICE/METHOD").into());
            };
            let service = service.trim_start_matches('/').to_owned();
            Ok(Task::Call(Call { target: target.clone(), service, method: method.to_owned(), source, options }))
        }
        (Some("call"), _) => {
            Err("call takes a target and a method: callwright call HOST:PORT PACKAGE.SERVICE/METHOD".into())
        }
        (Some("list"), words) => query(words, source, options, 0).map(Task::List),
        (Some("describe"), words) => query(words, source, options, 1).map(Task::Describe),
        (Some("help"), _) => Ok(Task::Help),
        (Some(other), _) => Err(format!("{other:?} is no task: there are call, list and describe").into()),
        (None, _) => Err("no task is given: there are call, list and describe".into()),
    }
}

/// A target, where the server is asked, then a name; `least` says whether the name must be there.
fn query(words: &[String], source: Source, options: Options, least: usize) -> Result<Query, lexopt::Error> {
    let asks = source.is_server();
    let (target, names) = match words {
        [target, names @ ..] if asks => (Some(target.clone()), names),
        [] if asks => return Err("name the server to ask, or the protos with --proto or --descriptor-set".into()),
        names => (None, names),
    };
    match names {
        [] if least == 0 => Ok(Query { target, name: None, source, options }),
        [name] => Ok(Query { target, name: Some(name.clone()), source, options }),
        [] => Err("say what to describe: a service, a method, a message or an enum".into()),
        [_, extra, ..] => Err(format!("{extra:?} is one word too many").into()),
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no duration: write 5s, 500ms or 2m");
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
    let (number, unit) = text.split_at(digits);
    let unit = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(wrong()),
    };
    let number: f64 = number.parse().map_err(|_| wrong())?;
    Duration::try_from_secs_f64(number * unit).map_err(|_| wrong())
}

fn compression(text: &str) -> Result<Compression, String> {
    [Compression::None, Compression::Deflate, Compression::Gzip, Compression::Zstd]
        .into_iter()
        .find(|compression| compression.name() == text)
        .ok_or_else(|| format!("{text:?} is not known: there are gzip, deflate, zstd and identity"))
}

fn header(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once(':').ok_or_else(|| format!("{text:?} is no header: write 'key: value'"))?;
    Ok((key.trim().to_owned(), value.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Task, String> {
        let words = line.split(' ').map(OsString::from);
        Arguments::parse(words).map(|arguments| arguments.task).map_err(|error| error.to_string())
    }

    #[test]
    fn a_call_is_read_whole() {
        let line = "callwright call h:1 a.B/C --proto p.proto -I x -d {} --timeout 500ms -H k:v --compression=gzip";
        let Ok(Task::Call(call)) = parse(line) else { panic!("not a call") };
        assert_eq!((call.target.as_str(), call.service.as_str(), call.method.as_str()), ("h:1", "a.B", "C"));
        assert_eq!(call.options.timeout, Some(Duration::from_millis(500)));
        assert_eq!(call.options.headers, [("k".to_owned(), "v".to_owned())]);
        assert_eq!(call.options.compression, Some(Compression::Gzip));
        assert!(!call.source.is_server());
    }

    #[test]
    fn what_makes_no_sense_says_why() {
        for (line, why) in [
            ("callwright", "no task"),
            ("callwright cal", "\"cal\" is no task"),
            ("callwright call h:1", "takes a target and a method"),
            ("callwright call h:1 Method", "is no method"),
            ("callwright list", "name the server"),
            ("callwright describe h:1", "say what to describe"),
            ("callwright list h:1 a b", "one word too many"),
            ("callwright call h:1 a.B/C --timeout soon", "no duration"),
            ("callwright call h:1 a.B/C --timeout 5", "no duration"),
            ("callwright call h:1 a.B/C --compression snappy", "not known"),
            ("callwright call h:1 a.B/C -H novalue", "no header"),
            ("callwright call h:1 a.B/C --reflect --proto p", "exclude each other"),
            ("callwright call h:1 a.B/C --wait", "--wait"),
            ("callwright list h:1 --cert c.pem", "--cert is given without --key"),
            ("callwright list h:1 --key k.pem", "--key is given without --cert"),
        ] {
            let error = parse(line).expect_err(line);
            assert!(error.contains(why), "{line}: {error}");
        }
    }
}
