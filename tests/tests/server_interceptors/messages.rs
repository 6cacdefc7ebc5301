//! What interceptors see and change of the messages.

use std::sync::{Arc, Mutex};

use callwright::server::interceptor::{AnyMessage, Next, ServerInterceptor};
use callwright::{Code, Server, ServerContext, Status};

use crate::actor::{self, KINDS, call};

/// Marks each message with its name, and refuses one.
struct Marks {
    name: char,
    log: Arc<Mutex<Vec<String>>>,
    refuses: Option<&'static str>,
}

impl Marks {
    fn mark(&self, what: &'static str) -> impl FnMut(&mut AnyMessage) -> Result<(), Status> + Send + 'static {
        let (name, log, refuses) = (self.name, self.log.clone(), self.refuses);
        move |message| {
            let text = message.downcast_mut::<String>().expect("all of this service are text");
            log.lock().unwrap().push(format!("{name} {what} {text}"));
            text.push(name);
            if refuses == Some(what) { Err(Status::invalid_argument("not this one")) } else { Ok(()) }
        }
    }
}

impl ServerInterceptor for Marks {
    async fn intercept(&self, context: &mut ServerContext, next: Next<'_>) -> Result<(), Status> {
        next.for_each_request(self.mark("request")).for_each_response(self.mark("response")).run(context).await
    }
}

#[tokio::test]
async fn requests_are_seen_from_outside_to_inside_and_responses_back() {
    let log = Arc::new(Mutex::new(Vec::new()));
    let marks = |name| Marks { name, log: log.clone(), refuses: None };
    let (_server, channel, _waiting) =
        actor::serve(Server::builder().interceptor(marks('a')).interceptor(marks('b'))).await;
    for (kind, response) in KINDS.zip(["reply", "streamed", "reply", "requestab"]) {
        let got = call(&channel, kind, |_| Vec::new()).await;
        assert_eq!(got.messages, [format!("{response}ba")], "{kind}");
        let expected = [
            "a request request".to_owned(),
            "b request requesta".to_owned(),
            format!("b response {response}"),
            format!("a response {response}b"),
        ];
        assert_eq!(std::mem::take(&mut *log.lock().unwrap()), expected, "{kind}");
    }
}

#[tokio::test]
async fn a_stream_of_responses_that_breaks_ends_its_call_with_its_error() {
    let (_server, channel, _waiting) = actor::serve(Server::builder()).await;
    let got = call(&channel, 1, |_| vec![("end", "a stream that breaks".to_owned())]).await;
    assert_eq!((got.status.code(), got.status.message()), (Code::DataLoss, "as streamed"));
    assert_eq!(got.messages, ["streamed"]);
}

#[tokio::test]
async fn a_message_that_is_refused_ends_its_call() {
    for what in ["request", "response"] {
        let marks = Marks { name: 'a', log: Arc::default(), refuses: Some(what) };
        let (_server, channel, _waiting) = actor::serve(Server::builder().interceptor(marks)).await;
        for kind in KINDS {
            let got = call(&channel, kind, |_| Vec::new()).await;
            assert_eq!((got.status.code(), got.status.message()), (Code::InvalidArgument, "not this one"), "{kind}");
            assert_eq!(got.messages.len(), 0, "{kind} {what}");
        }
    }
}
