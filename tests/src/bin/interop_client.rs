//! Runs one of gRPC's interoperability test cases against any server that has the standard test service.

use std::error::Error;
use std::process::ExitCode;

use callwright::{Channel, ChannelCredentials};
use callwright_tests::interop::additional_metadata::AdditionalMetadata;
use callwright_tests::interop::cases::{Case, Soak};
use callwright_tests::interop::flags::{Flag, Flags, usage};

const ABOUT: &str = "Runs one interoperability test case; exits with 0 if it passes, with 1 if it fails.";
const FLAGS: [Flag; 10] = [
    Flag { name: "server_host", default: "localhost", help: "the host to connect to" },
    Flag { name: "server_port", default: "10000", help: "the port to connect to" },
    Flag { name: "server_host_override", default: "", help: "the name that the server is called by, if another" },
    Flag { name: "test_case", default: "large_unary", help: "the test case; a name that is none lists all" },
    Flag {
        name: "list_cases",
        default: "false",
        help: "print the names of all test cases, one a line, and nothing else",
    },
    Flag { name: "service_config_json", default: "", help: "the channel's service config" },
    Flag { name: "additional_metadata", default: "", help: "metadata of all calls: name:value;name:value" },
    Flag { name: "use_tls", default: "false", help: "connect over TLS" },
    Flag {
        name: "use_test_ca",
        default: "false",
        help: "not there: the tests' authority is not built in, see ca_file",
    },
    Flag { name: "ca_file", default: "", help: "the authorities to trust, as PEM; those of the system if empty" },
];

#[tokio::main]
async fn main() -> ExitCode {
    let known = [&FLAGS[..], &Soak::FLAGS].concat();
    let flags = match Flags::parse(&known, std::env::args().skip(1)) {
        Ok(flags) => flags,
        Err(error) => {
            eprintln!("interop_client: {error}\n\n{}", usage("interop_client", ABOUT, &known));
            return ExitCode::FAILURE;
        }
    };
    if flags.bool("list_cases") == Ok(true) {
        Case::ALL.iter().for_each(|case| println!("{}", case.name()));
        return ExitCode::SUCCESS;
    }
    match run(&flags).await {
        Ok(case) => {
            println!("{}: passed", case.name());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("interop_client: {}: {error}", flags.text("test_case"));
            ExitCode::FAILURE
        }
    }
}

async fn run(flags: &Flags) -> Result<Case, Box<dyn Error>> {
    let Some(case) = Case::find(flags.text("test_case")) else {
        let known = Case::ALL.iter().map(|case| format!("\n  {}", case.name())).collect::<String>();
        return Err(format!("no such test case; there are:{known}").into());
    };
    if flags.bool("use_test_ca")? {
        return Err("--use_test_ca: name the file of the authority's certificate with --ca_file".into());
    }
    let added = flags.text("additional_metadata");
    let added = AdditionalMetadata::parse(added).map_err(|error| format!("--additional_metadata: {error}"))?;
    let soak = Soak::from_flags(flags)?;
    let host = flags.text("server_host");
    let host = if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.to_owned() };
    let mut channel = Channel::builder(format!("dns:///{host}:{}", flags.port("server_port")?));
    if !flags.text("server_host_override").is_empty() {
        channel = channel.authority(flags.text("server_host_override"));
    }
    if flags.bool("use_tls")? {
        let credentials = match flags.text("ca_file") {
            "" => ChannelCredentials::tls(),
            file => ChannelCredentials::tls().root_certificates_file(file),
        };
        channel = channel.credentials(credentials.build()?);
    }
    if !flags.text("additional_metadata").is_empty() {
        channel = channel.interceptor(added);
    }
    if !flags.text("service_config_json").is_empty() {
        channel = channel.service_config_json(flags.text("service_config_json"));
    }
    case.run(channel, soak).await?;
    Ok(case)
}
