//! The interceptors that come with the crate.

use std::sync::{Arc, Mutex};

use callwright::server::interceptor::{
    BearerAuth, CallSpans, ConcurrencyLimit, Intercepted, Logging, Next, PanicReport, ServerInterceptor,
};
use callwright::{Code, Server, ServerContext, Status};
use callwright_tests::support::traced::Traced;
use tokio::sync::{Semaphore, mpsc};

use crate::actor::{self, KINDS, call};

#[derive(Clone)]
struct User(String);

/// Lets the handler's caller see who it is.
struct Tells;

impl ServerInterceptor for Tells {
    async fn intercept(&self, context: &mut ServerContext, next: Next<'_>) -> Result<(), Status> {
        let user = context.extensions().get::<User>().map_or("nobody", |user| &user.0).to_owned();
        context.set_trailing_metadata("user", user)?;
        next.run(context).await
    }
}

#[tokio::test]
async fn calls_pass_with_a_good_token_alone() {
    let auth = BearerAuth::new(|token: String| async move {
        tokio::task::yield_now().await;
        match token.as_str() {
            "sesame" => Ok(User("Ali".to_owned())),
            "thief" => Err(Status::permission_denied("not for you")),
            _ => Err(Status::unauthenticated("no such token")),
        }
    });
    let builder = Server::builder().interceptor(auth.except(["test.Actor/Down"])).interceptor(Tells);
    let (_server, channel, _waiting) = actor::serve(builder).await;
    for (kind, (value, code)) in KINDS.flat_map(|kind| {
        [
            (Some("Bearer sesame"), Code::NotFound),
            (Some("Bearer thief"), Code::PermissionDenied),
            (Some("Bearer other"), Code::Unauthenticated),
            (Some("Basic sesame"), Code::Unauthenticated),
            (None, Code::Unauthenticated),
        ]
        .map(|case| (kind, case))
    }) {
        let set = |_: &str| {
            let token = value.map(|value| ("authorization", value.to_owned()));
            token.into_iter().chain([("end", "error".to_owned())]).collect()
        };
        let got = call(&channel, kind, set).await;
        let expected = if kind == 1 { Code::NotFound } else { code };
        assert_eq!(got.status.code(), expected, "{kind} {value:?} {got:?}");
        if expected == Code::NotFound {
            let user = if kind == 1 { "nobody" } else { "Ali" };
            assert_eq!(got.status.metadata().get("user"), Some(user));
        }
    }
}

/// Tells which calls come and go.
struct Gate {
    name: &'static str,
    passes: mpsc::UnboundedSender<String>,
    /// Lets calls go on, where they are to wait.
    go: Option<Arc<Semaphore>>,
}

impl ServerInterceptor for Gate {
    async fn intercept(&self, context: &mut ServerContext, next: Next<'_>) -> Result<(), Status> {
        let number = context.invocation_metadata().get("number").unwrap_or_default().to_owned();
        let _ = self.passes.send(format!("{} {number}", self.name));
        if let Some(go) = &self.go {
            go.acquire().await.unwrap().forget();
        }
        let result = next.run(context).await;
        let _ = self.passes.send(format!("{} {number} left", self.name));
        result
    }
}

#[tokio::test]
async fn so_many_calls_run_and_so_many_wait() {
    let (go, (passes, mut passed)) = (Arc::new(Semaphore::new(0)), mpsc::unbounded_channel());
    let limit = ConcurrencyLimit::new(2).queue(2).except(["test.Actor/Up"]);
    let builder = Server::builder()
        .interceptor(Gate { name: "outer", passes: passes.clone(), go: None })
        .interceptor(limit)
        .interceptor(Gate { name: "inner", passes, go: Some(go.clone()) });
    let (_server, channel, _waiting) = actor::serve(builder).await;
    let spawn = |kind: usize, number: u32| {
        let channel = channel.clone();
        tokio::spawn(async move { call(&channel, kind, |_| vec![("number", number.to_string())]).await.status })
    };
    let mut running = Vec::new();
    for number in 0..2 {
        running.push(spawn(0, number));
        assert_eq!(passed.recv().await, Some(format!("outer {number}")));
        assert_eq!(passed.recv().await, Some(format!("inner {number}")));
    }
    let mut waiting = Vec::new();
    for number in 2..4 {
        waiting.push(spawn(0, number));
        assert_eq!(passed.recv().await, Some(format!("outer {number}")));
    }
    let refused = spawn(0, 4).await.unwrap();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert!(refused.message().contains("2 calls and 2 waiting"), "{refused}");
    assert_eq!((passed.recv().await, passed.recv().await), (Some("outer 4".into()), Some("outer 4 left".into())));
    // What is not counted is not held up.
    let free = spawn(2, 5);
    assert_eq!((passed.recv().await, passed.recv().await), (Some("outer 5".into()), Some("inner 5".into())));
    // One that waits goes away, and another has its place.
    waiting.remove(0).abort();
    assert_eq!(passed.recv().await.as_deref(), Some("outer 2 left"));
    let last = spawn(0, 6);
    assert_eq!(passed.recv().await.as_deref(), Some("outer 6"));
    go.add_permits(10);
    for call in running.into_iter().chain(waiting).chain([free, last]) {
        assert_eq!(call.await.unwrap().code(), Code::Ok);
    }
    // They had their turn as they came.
    let mut entered = Vec::new();
    while let Ok(passed) = passed.try_recv() {
        entered.extend(passed.strip_prefix("inner ").filter(|rest| !rest.ends_with("left")).map(str::to_owned));
    }
    assert_eq!(entered, ["3", "6"]);
}

#[tokio::test]
async fn a_limit_of_one_method_leaves_the_others_alone() {
    let limit = ConcurrencyLimit::new(0).only(["test.Actor/Unary"]);
    let (_server, channel, _waiting) = actor::serve(Server::builder().interceptor(limit)).await;
    let codes = [Code::ResourceExhausted, Code::Ok, Code::Ok, Code::Ok];
    for (kind, code) in KINDS.zip(codes) {
        assert_eq!(call(&channel, kind, |_| Vec::new()).await.status.code(), code, "{kind}");
    }
}

#[tokio::test]
async fn a_limit_of_what_is_not_served_is_a_mistake() {
    for by_service in [false, true] {
        let limit = Arc::new(ConcurrencyLimit::new(1).only(["/test.Actor/Unray"]));
        let (waits, _waiting) = mpsc::unbounded_channel();
        let actor = actor::Actor { waits };
        let builder = match by_service {
            true => Server::builder().add_service(Intercepted::new(actor, limit)),
            false => Server::builder().add_service(actor).interceptor(limit),
        };
        let error = builder.bind("127.0.0.1:0").await.unwrap_err().to_string();
        assert!(error.contains("test.Actor/Unray") && error.contains("test.Actor/Unary"), "{error}");
    }
}

#[tokio::test]
async fn panics_are_told_with_their_method_and_words() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = told.clone();
    let report = PanicReport::new(move |panic| {
        tell.lock().unwrap().push(format!("{} {}", panic.method(), panic.message()));
    });
    let (_server, channel, _waiting) = actor::serve(Server::builder().interceptor(report)).await;
    for kind in KINDS {
        let got = call(&channel, kind, |_| vec![("end", "panic".to_owned())]).await;
        assert_eq!(got.status.code(), Code::Internal);
        assert_eq!(call(&channel, kind, |_| Vec::new()).await.status.code(), Code::Ok);
        let expected = format!("{} as panicked", actor::method(kind).path());
        assert_eq!(std::mem::take(&mut *told.lock().unwrap()), [expected]);
    }
}

#[tokio::test]
async fn calls_are_logged_in_spans_of_their_own() {
    let traced = Traced::new("callwright::server::call");
    let _traced = tracing::subscriber::set_default(traced.clone());
    let builder = Server::builder().interceptor(CallSpans).interceptor(Logging);
    let (_server, channel, _waiting) = actor::serve(builder).await;
    for (end, code, logged) in [
        ("success", 0, r#"INFO method="/test.Actor/Unary" code=OK received=1 sent=1"#),
        ("error", 5, r#"INFO method="/test.Actor/Unary" code=NOT_FOUND details="as returned" received=1 sent=0"#),
        ("set", 11, r#"WARN method="/test.Actor/Unary" code=OUT_OF_RANGE details="as set" received=1 sent=0"#),
        (
            "panic",
            13,
            r#"ERROR method="/test.Actor/Unary" code=INTERNAL details="the handler panicked" received=1 sent=0"#,
        ),
    ] {
        call(&channel, 0, |_| vec![("end", end.to_owned())]).await;
        let span = concat!(
            r#"span otel.kind="server" otel.name="test.Actor/Unary" rpc.system="grpc" rpc.service="test.Actor" "#,
            r#"rpc.method="Unary""#
        );
        let mut expected = vec![span.to_owned(), logged.to_owned(), format!("record rpc.grpc.status_code={code}")];
        if code == 13 {
            expected.push(r#"record otel.status_code="ERROR""#.to_owned());
        }
        assert_eq!(traced.taken(), expected, "{end}");
    }
}
