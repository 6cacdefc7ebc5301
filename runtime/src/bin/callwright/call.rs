//! `callwright call`.

use std::io::Read as _;
use std::time::Instant;

use callwright::dynamic::{DynamicMessage, DynamicMethod, MethodKind, to_json};
use callwright::{Channel, Metadata, RequestSender, Status, Streaming};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::arguments::{Call, Options};
use crate::channel;
use crate::failure::Failure;
use crate::output;
use crate::source;

pub(crate) async fn run(call: Call) -> Result<(), Failure> {
    let channel = channel::open(&call.target, &call.options)?;
    report_states(&channel, call.options.verbose);
    let deadline = source::deadline(&call.options);
    let module = source::load(&call.source, Some(&channel), &call.options, deadline).await?;
    let method = module.stub(&call.service, &channel)?.method(&call.method)?;
    let data = call.options.data.as_deref().map(read_data).transpose()?;
    match method.kind() {
        MethodKind::Unary => {
            let response = configure(method.call(one(data)), &call.options, deadline).send().await?;
            report_metadata(&call.options, "initial", response.initial_metadata());
            output::line(to_json(response.message()))?;
            report_metadata(&call.options, "trailing", response.trailing_metadata());
            Ok(())
        }
        MethodKind::ServerStreaming => {
            let responses = configure(method.server_streaming(one(data)), &call.options, deadline).await?;
            print_all(responses, &call.options).await
        }
        MethodKind::ClientStreaming => {
            let (requests, reply) = configure(method.client_streaming(), &call.options, deadline).start();
            let (sent, response) = tokio::join!(send_all(&method, requests, data), reply.response());
            let response = response.map_err(|status| sent.err().unwrap_or(Failure::from(status)))?;
            output::line(to_json(response.message()))?;
            report_metadata(&call.options, "trailing", response.trailing_metadata());
            Ok(())
        }
        MethodKind::Bidi => {
            let (requests, responses) = configure(method.bidi(), &call.options, deadline).start();
            let sending = tokio::spawn(async move { send_all(&method, requests, data).await });
            let printed = print_all(responses, &call.options).await;
            // A server that is done needs no more of stdin. What broke while that was read says more than CANCELLED.
            sending.abort();
            match (printed, sending.await) {
                (Err(_), Ok(Err(broken))) => Err(broken),
                (printed, _) => printed,
            }
        }
    }
}

/// The one request of a method that has one: `{}` unless said otherwise.
fn one(data: Option<String>) -> String {
    data.unwrap_or_else(|| "{}".to_owned())
}

fn configure<K, Req: 'static, Res: 'static>(
    mut call: callwright::Call<K, Req, Res>,
    options: &Options,
    deadline: Option<Instant>,
) -> callwright::Call<K, Req, Res> {
    call = call.wait_for_ready(options.wait_for_ready);
    if let Some(deadline) = deadline {
        call = call.deadline(deadline);
    }
    if let Some(compression) = options.compression {
        call = call.compression(compression);
    }
    if let Some(bytes) = options.max_message_size {
        call = call.max_receive_message_size(bytes);
    }
    call
}

async fn print_all(mut responses: Streaming<DynamicMessage>, options: &Options) -> Result<(), Failure> {
    while let Some(response) = responses.message().await? {
        output::line(to_json(&response))?;
    }
    if let Some(trailing) = responses.trailing_metadata() {
        report_metadata(options, "trailing", trailing);
    }
    Ok(())
}

/// Sends the requests in `data`, or those that come on stdin, a line each.
async fn send_all(
    method: &DynamicMethod,
    mut requests: RequestSender<DynamicMessage>,
    data: Option<String>,
) -> Result<(), Failure> {
    match data {
        Some(data) => {
            for json in serde_json::Deserializer::from_str(&data).into_iter::<Value>() {
                let json = json.map_err(|error| Status::invalid_argument(format!("the data is not JSON: {error}")))?;
                requests.send(method.request(json)?).await?;
            }
        }
        None => {
            let mut lines = BufReader::new(tokio::io::stdin()).lines();
            while let Some(line) = lines.next_line().await? {
                if !line.trim().is_empty() {
                    requests.send(method.request(line)?).await?;
                }
            }
        }
    }
    requests.finish();
    Ok(())
}

/// `@FILE` is a file, `@-` is stdin, anything else is itself.
fn read_data(data: &str) -> Result<String, Failure> {
    let mut text = String::new();
    match data.strip_prefix('@') {
        None => return Ok(data.to_owned()),
        Some("-") => drop(std::io::stdin().read_to_string(&mut text)?),
        Some(path) => {
            text = std::fs::read_to_string(path)
                .map_err(|error| std::io::Error::new(error.kind(), format!("cannot read {path}: {error}")))?;
        }
    }
    Ok(text)
}

/// Says on stderr what becomes of the connection: failures always, the rest when asked.
fn report_states(channel: &Channel, verbose: bool) {
    let (target, mut states) = (channel.target(), channel.watch_state());
    tokio::spawn(async move {
        while let Some(state) = states.changed().await {
            if verbose || state == callwright::ConnectivityState::TransientFailure {
                output::say(format_args!("{target} is {state}"));
            }
        }
    });
}

fn report_metadata(options: &Options, which: &str, metadata: &Metadata) {
    if options.verbose {
        for (key, value) in metadata.iter() {
            output::say(format_args!("{which} metadata {key}: {value:?}"));
        }
    }
}
