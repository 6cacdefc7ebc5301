use super::*;
use crate::channel::Channel;

fn request(channel: &Channel) -> Arc<Exchange> {
    let request = Request {
        path: HeaderValue::from_static("/test.Echo/Say"),
        metadata: Metadata::new(),
        wait_for_ready: Some(true),
        deadline: None,
        compressor: None,
        tracers: CallTracers::default(),
        first_size: None,
    };
    Exchange::start(channel.lease().clone(), request, Some(CallConfig::default()), Some(Bytes::new()), true)
}

fn left_queue(exchange: &Exchange) -> Poll<Result<(), Status>> {
    exchange.poll_left_queue(&mut Context::from_waker(Waker::noop()))
}

#[tokio::test]
async fn a_call_that_ends_on_its_way_back_into_the_queue_takes_no_place_there() {
    let channel = Channel::builder("127.0.0.1:1").queue_limit(1).build().unwrap();
    let ended = request(&channel);
    ended.terminate(Status::cancelled("as in the test"));
    // As when one half finds that the stream was refused, and the other half is dropped before the call is queued again.
    ended.clone().enqueue();
    assert!(left_queue(&request(&channel)).is_pending());
}
