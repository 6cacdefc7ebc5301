//! A browser: a page of one origin calls services of others by gRPC-Web, over HTTP/1.1.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use callwright::grpc_web::GrpcWeb;
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

use crate::Failure;
use crate::report::Report;
use crate::servers::{self, Running};
use crate::service::{Notes, server};

/// How long the browser may take for all rows, its start included.
const TIMEOUT: Duration = Duration::from_secs(120);

/// What the page reports, in its order; [`DONE`] behind them.
const ROWS: [&str; 17] = [
    "unary_binary",
    "unary_text",
    "streaming_binary",
    "streaming_text",
    "incremental_binary",
    "incremental_text",
    "client_streaming_binary",
    "client_streaming_text",
    "large_stream_binary",
    "large_stream_text",
    "status_without_messages",
    "status_behind_messages",
    "unimplemented",
    "metadata",
    "deadline",
    "cancel",
    "other_origin_refused",
];
const DONE: &str = "done";
/// The last of the rows that is not the page's: what the server that it may not call has seen.
const REFUSED_UNSEEN: &str = "other_origin_never_reaches_a_handler";

/// The page's origin, and what it reports.
struct Page {
    running: Running,
    reports: mpsc::UnboundedReceiver<String>,
}

pub(crate) async fn run(report: &mut Report, chromium: &OsStr) -> Result<(), Failure> {
    let mut page = Page::serve().await?;
    let origin = format!("http://{}", page.running.address);
    let (notes, closed_notes) = (Arc::<Notes>::default(), Arc::<Notes>::default());
    let settings = GrpcWeb::new().allow_origin(&origin).expose_header("x-greeter".parse()?);
    let open = servers::axum_web(server(&notes).into_http_service()?.grpc_web(settings)).await?;
    let closed = GrpcWeb::new().allow_origin("http://other.example");
    let closed = servers::axum_web(server(&closed_notes).into_http_service()?.grpc_web(closed)).await?;
    let url = format!("{origin}/?service=http://{}&closed=http://{}", open.address, closed.address);
    let profile = tempfile::tempdir()?;
    let mut browser = start(chromium, profile.path().as_os_str(), &url)?;
    let (mut results, ended) = page.results().await;
    let said = if ended { String::new() } else { said(&mut browser).await };
    for row in ROWS {
        let result = results.remove(row).unwrap_or_else(|| Err(format!("the page did not report it\n{said}")));
        report.note(&format!("browser/{row}"), result);
    }
    let begun = closed_notes.begun.load(Ordering::Relaxed);
    let unseen = if begun == 0 { Ok(()) } else { Err(format!("{begun} calls reached it")) };
    report.note(&format!("browser/{REFUSED_UNSEEN}"), unseen);
    for (row, _) in results {
        report.note(&format!("browser/{row}"), Err("nobody knows this row".into()));
    }
    // What has ended already cannot be killed.
    let _ = browser.kill().await;
    Ok(())
}

impl Page {
    async fn serve() -> Result<Page, Failure> {
        let (sender, reports) = mpsc::unbounded_channel();
        let javascript = |text| move || async move { ([(CONTENT_TYPE, "text/javascript")], text).into_response() };
        let html = || async { ([(CONTENT_TYPE, "text/html")], include_str!("page/index.html")).into_response() };
        let router = Router::new()
            .route("/", get(html))
            .route("/page.js", get(javascript(include_str!("page/page.js"))))
            .route("/grpc_web.js", get(javascript(include_str!("page/grpc_web.js"))))
            .route("/report", post(take))
            .with_state(sender);
        Ok(Page { running: servers::serve_axum(router, std::future::pending()).await?, reports })
    }

    /// What the page reports until it is done or its time is over; whether it is done.
    async fn results(&mut self) -> (HashMap<String, Result<(), String>>, bool) {
        let mut results = HashMap::new();
        let done = async {
            while let Some(report) = self.reports.recv().await {
                let (row, error) = report.split_once('\n').unwrap_or((&report, ""));
                if row == DONE {
                    return;
                }
                let result = if error.is_empty() { Ok(()) } else { Err(error.to_owned()) };
                results.insert(row.to_owned(), result);
            }
        };
        let ended = tokio::time::timeout(TIMEOUT, done).await.is_ok();
        (results, ended)
    }
}

/// A row as the page tells of it: its name, and on the next lines what went wrong.
async fn take(State(reports): State<mpsc::UnboundedSender<String>>, report: String) {
    // Whoever does not wait any more has said so.
    let _ = reports.send(report);
}

fn start(chromium: &OsStr, profile: &OsStr, url: &str) -> Result<Child, Failure> {
    let mut command = Command::new(chromium);
    command.args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]);
    command.args(["--no-first-run", "--disable-background-networking", "--disable-component-update"]);
    command.args(["--no-proxy-server", "--enable-logging=stderr"]).arg({
        let mut folder = std::ffi::OsString::from("--user-data-dir=");
        folder.push(profile);
        folder
    });
    command.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    command.spawn().map_err(|error| format!("cannot run {}: {error}", chromium.display()).into())
}

/// What a browser has said that did not do what it was started for.
async fn said(browser: &mut Child) -> String {
    let _ = browser.kill().await;
    let mut said = Vec::new();
    if let Some(stderr) = &mut browser.stderr {
        let _ = stderr.take(64 * 1024).read_to_end(&mut said).await;
    }
    String::from_utf8_lossy(&said).into_owned()
}
