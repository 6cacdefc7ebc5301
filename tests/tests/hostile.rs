//! Descriptors and reflection servers that mean harm: they may be refused, and must not take this process down or hold it.

use callwright::dynamic::{DynamicMessage, Loader, Module, to_json};

const SEED: &str = r#"
syntax = "proto3";
package s;
import "google/protobuf/any.proto";
import "google/protobuf/struct.proto";
enum E { A = 0; B = 1; }
message M {
  message N { int32 a = 1; M m = 2; }
  int32 a = 1; optional string b = 2; repeated N c = 3; map<string, N> d = 4; oneof e { bytes f = 5; E g = 6; }
  map<int64, double> h = 7; google.protobuf.Any i = 8; google.protobuf.Value j = 9; repeated fixed64 k = 10; bool l = 11;
  reserved 20 to 30;
}
service S { rpc One(M) returns (M.N); rpc Two(stream M) returns (stream M); }
"#;

/// Random numbers, always the same.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }
}

/// Uses everything of a module that a caller may.
fn use_all(module: &Module, random: &mut Random) {
    let bytes: Vec<u8> = (0..40).map(|_| random.below(256) as u8).collect();
    for service in module.services() {
        for method in service.methods() {
            let _ = (method.input().full_name().to_owned(), method.output().full_name().to_owned());
        }
        let _ = module.servicer(service.full_name()).map(drop);
    }
    for message in module.messages().filter(|message| !message.full_name().starts_with("google.")) {
        for field in message.fields() {
            let _ = (format!("{:?}", field.kind()), field.is_map(), field.is_list(), field.containing_oneof());
            if let Some(entry) = field.kind().as_message().filter(|_| field.is_map()) {
                let _ = (entry.map_entry_key_field().kind(), entry.map_entry_value_field().kind());
            }
            for value in ["1", "\"1\"", "null", "[1, {}]", "{\"1\": {}}", "{\"true\": 1}", "{}", "\"A\"", "true"] {
                let json = format!("{{{:?}: {value}}}", field.name());
                if let Ok(made) = module.new_message(message.full_name(), json) {
                    let _ = to_json(&made);
                }
            }
        }
        let _ = message.oneofs().map(|oneof| oneof.fields().count()).sum::<usize>();
        if let Ok(decoded) = DynamicMessage::decode(message.clone(), bytes.as_slice()) {
            let _ = to_json(&decoded);
        }
    }
}

#[test]
fn descriptors_that_contradict_themselves_are_refused_or_harmless() {
    let seed = Loader::new().text("s.proto", SEED).load(&["s.proto"]).unwrap().file_descriptor_set().to_vec();
    let mut random = Random(20261123);
    let mut taken = 0;
    for round in 0..500 {
        let mut bytes = seed.clone();
        // Its last file is the one above; those before it are Google's.
        let from = bytes.len() - 500;
        for _ in 0..=random.below(3) {
            let at = from + random.below(bytes.len() - from);
            match random.below(4) {
                0 => bytes[at] = random.below(256) as u8,
                1 => bytes[at] ^= 1 << random.below(8),
                2 => bytes[at] = bytes[at].wrapping_add(1),
                _ => bytes[at] = random.below(20) as u8,
            }
        }
        match Loader::new().load_file_descriptor_set(&bytes) {
            Ok(module) => {
                use_all(&module, &mut random);
                taken += 1;
            }
            // This is what a panic of the library below looks like.
            Err(error) => assert!(!error.to_string().contains("contradict"), "round {round}: {error}"),
        }
    }
    assert!(taken > 100, "{taken} were taken: too few to say much");
}

#[test]
fn a_syntax_that_nobody_knows_is_refused() {
    // Name and syntax, as FileDescriptorProto has them.
    let file = [b"\x0a\x01a".as_slice(), b"\x62\x06proto4"].concat();
    let set = [&[0x0a, file.len() as u8], file.as_slice()].concat();
    let error = Loader::new().load_file_descriptor_set(&set).unwrap_err().to_string();
    assert!(error.contains("\"proto4\" is no syntax"), "{error}");
}
