//! Compiles the snapshots of `tests/snapshots.rs` against the real runtime, under stricter lints than most users have, and
//! sees that what comes out works: stubs and servers fit together, messages are on the wire what protoc says they are.

#![deny(warnings, missing_docs, missing_debug_implementations, unreachable_pub, rust_2018_idioms, unused)]
#![deny(clippy::all)]

macro_rules! snapshot {
    ($name:literal) => {
        include!(concat!("snapshots/snapshots__", $name, ".snap.rs"));
    };
}

#[rustfmt::skip]
mod generated {
    // Beside each other, as the paths between packages expect.
    snapshot!("no_package");
    pub(crate) mod comments { snapshot!("comments"); }
    pub(crate) mod deprecated { snapshot!("deprecated"); }
    pub(crate) mod foreign {
        snapshot!("foreign");
        pub(crate) mod deep {
            pub(crate) mod inner { snapshot!("foreign_deep_inner"); }
            pub(crate) mod user { snapshot!("foreign_deep_user"); }
        }
    }
    pub(crate) mod helloworld { snapshot!("helloworld"); }
    pub(crate) mod keywords { pub(crate) mod r#type { snapshot!("keywords"); } }
    pub(crate) mod messages_only { snapshot!("messages_only"); }
    pub(crate) mod old_style { snapshot!("old_style"); }
    pub(crate) mod options { snapshot!("options"); }
    pub(crate) mod own_names { snapshot!("own_names"); }
    pub(crate) mod routeguide { snapshot!("routeguide"); }
    pub(crate) mod services_only { snapshot!("services_only"); }
    pub(crate) mod several { snapshot!("several"); }
    pub(crate) mod split { snapshot!("split"); }
    pub(crate) mod well_known { snapshot!("well_known"); }
}

#[rustfmt::skip]
mod editions {
    pub(crate) mod v2023 { snapshot!("editions_2023"); }
    pub(crate) mod v2024 { snapshot!("editions_2024"); }
}

/// What other choices of the builder make of the same files.
#[rustfmt::skip]
mod otherwise {
    pub(crate) mod messages_only {
        snapshot!("builder_options");

        // The builder was told to leave this to us.
        impl std::fmt::Debug for everything::Circle {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("Circle")
            }
        }
    }
    pub(crate) mod services_only { snapshot!("builder_options_services"); }
    pub(crate) mod client { snapshot!("client_without_comments"); }
    pub(crate) mod server { snapshot!("server_with_descriptors"); }
}

/// Where `extern_path` was told to look.
mod foreign {
    pub(crate) use crate::generated::foreign::*;
}

#[rustfmt::skip]
mod with_extern_path {
    pub(crate) mod foreign { pub(crate) mod deep { pub(crate) mod user { snapshot!("extern_path"); } } }
}

/// What would be a crate each: `extern_crate` was told to look here.
#[rustfmt::skip]
mod apart {
    macro_rules! as_a_crate {
        ($name:ident, $snapshot:literal) => {
            pub(crate) mod $name {
                pub(crate) mod apart { pub(crate) mod r#type { pub(crate) mod self_ { snapshot!($snapshot); } } }
            }
        };
    }
    as_a_crate!(dependency, "apart_dependency");
    as_a_crate!(user, "apart_user");
    as_a_crate!(user_messages, "apart_user_messages");
    as_a_crate!(user_services, "apart_user_services");
}

use callwright::codegen::prost::Message;
use callwright::{Channel, Requests, Responses, ServerContext, Status};
use generated::routeguide::{
    Feature, Point, Rectangle, RouteGuideServer, RouteGuideServicer, RouteGuideStub, RouteNote, RouteSummary,
};

#[derive(Debug)]
struct Guide;

impl RouteGuideServicer for Guide {
    async fn get_feature(&self, request: Point, _: &mut ServerContext) -> Result<Feature, Status> {
        Ok(Feature { name: "a feature".into(), location: Some(request) })
    }

    async fn list_features(
        &self,
        request: Rectangle,
        responses: &mut Responses<Feature>,
        _: &mut ServerContext,
    ) -> Result<(), Status> {
        for location in [request.lo, request.hi] {
            responses.send(Feature { name: String::new(), location }).await?;
        }
        Ok(())
    }

    async fn record_route(&self, mut requests: Requests<Point>, _: &mut ServerContext) -> Result<RouteSummary, Status> {
        let mut summary = RouteSummary::default();
        while requests.message().await?.is_some() {
            summary.point_count += 1;
        }
        Ok(summary)
    }
    // route_chat is left out: it answers UNIMPLEMENTED.
}

async fn serve() -> (callwright::RunningServer, Channel) {
    let server = callwright::Server::builder().add_service(RouteGuideServer::new(Guide));
    let running = server.bind("127.0.0.1:0").await.unwrap();
    let address = running.local_addr().to_string();
    (running, Channel::builder(address).build().unwrap())
}

#[tokio::test]
async fn stub_and_server_fit_together_in_all_shapes() {
    let (_running, channel) = serve().await;
    let stub = RouteGuideStub::new(channel);
    let point = |latitude| Point { latitude, longitude: 2 };

    let feature = stub.get_feature(point(1)).await.unwrap();
    assert_eq!(feature.location, Some(point(1)));

    let rectangle = Rectangle { lo: Some(point(1)), hi: Some(point(3)) };
    let mut features = stub.list_features(rectangle).await.unwrap();
    let mut found = Vec::new();
    while let Some(feature) = features.message().await.unwrap() {
        found.push(feature.location.unwrap().latitude);
    }
    assert_eq!(found, [1, 3]);

    let (mut points, summary) = stub.record_route().start();
    for latitude in 0..5 {
        points.send(point(latitude)).await.unwrap();
    }
    points.finish();
    assert_eq!(summary.await.unwrap().point_count, 5);

    let (mut notes, mut replies) = stub.route_chat().start();
    let _ = notes.send(RouteNote::default()).await;
    let status = replies.message().await.unwrap_err();
    assert_eq!(status.code(), callwright::Code::Unimplemented);
    assert!(status.message().contains("/routeguide.RouteGuide/RouteChat"), "{status:?}");
}

#[test]
fn a_server_is_cloned_without_its_servicer() {
    let server = RouteGuideServer::new(Guide);
    assert!(format!("{:?}", server.clone()).contains("Guide"));
    assert_eq!(RouteGuideServer::<Guide>::SERVICE_NAME, RouteGuideStub::SERVICE_NAME);
    assert_eq!(generated::RootlessStub::SERVICE_NAME, "Rootless");
    assert_eq!(otherwise::services_only::RelayStub::SERVICE_NAME, "Relay");
}

#[test]
fn repeated_numbers_are_packed_unless_the_proto_says_otherwise() {
    #[allow(deprecated)]
    let message = generated::deprecated::NewRequest { numbers: vec![1, 2], spread: vec![3, 4], ..Default::default() };
    assert_eq!(message.encode_to_vec(), [0x1a, 2, 1, 2, 0x20, 3, 0x20, 4]);
}

#[test]
fn embedded_descriptors_are_the_package_and_its_imports() {
    use callwright::codegen::prost_types::FileDescriptorSet;
    let set = FileDescriptorSet::decode(otherwise::server::FILE_DESCRIPTOR_SET).unwrap();
    let names: Vec<_> = set.file.iter().map(|file| file.name()).collect();
    assert_eq!(names, ["several.proto"]);
    assert_eq!(set.file[0].service.len(), 3);
    assert!(set.file[0].source_code_info.is_none());
}

/// The bytes are what Python's protobuf 7.36 writes for the same message.
#[test]
fn editions_are_on_the_wire_what_protobuf_makes_of_them() {
    use editions::v2023::{Features, features};
    let inner = |text: &str| features::Inner { text: Some(text.into()) };
    let message = Features {
        explicit: Some(0),
        implicit: 0,
        required: "r".into(),
        packed: vec![1, 2],
        expanded: vec![3, 4],
        delimited: Some(Box::new(Features { implicit: 5, ..Features::default() })),
        many_delimited: vec![inner("a"), inner("b")],
        prefixed: Some(inner("p")),
        by_name: [("k".to_owned(), inner("v"))].into(),
        choice: Some(features::Choice::Inner(inner("o"))),
        open: Some(1),
        mutual: Some(Box::new(features::Mutual { back: Some(Box::default()) })),
        ..Features::default()
    };
    let bytes = message.encode_to_vec();
    assert_eq!(hex(&bytes), PYTHON_2023);
    assert_eq!(Features::decode(bytes.as_slice()).unwrap(), message);

    use editions::v2024::{Inherits, Other};
    let message = Inherits {
        implicit: 0,
        explicit: Some(0),
        delimited: Some(Other { packed: vec![-1, 1] }),
        by_name: [("k".to_owned(), Other { packed: vec![2] })].into(),
        expanded: vec![1, 2],
    };
    assert_eq!(hex(&message.encode_to_vec()), PYTHON_2024);
}

const PYTHON_2023: &str = "08001a017222020102280328043310051a00343b0a01613c3b0a01623c42030a01704a080a016b12030a01765b0a016f5c68017b0b1a000c7c";
const PYTHON_2024: &str = "10001b0a0201021c22080a016b12030a010428012802";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_file_of_another_crate_is_not_generated_again() {
    use apart::dependency::apart::r#type::self_ as dependency;
    use apart::user_messages::apart::r#type::self_ as messages;
    use apart::user_services::apart::r#type::self_ as services;

    // One type each, wherever it is used.
    let header = dependency::sha256_hash::HttpHeader::default();
    let hash = dependency::Sha256Hash { header: Some(header), ..Default::default() };
    let used = apart::user::apart::r#type::self_::Use { hash: Some(hash.clone()), ..Default::default() };
    let again = messages::Use { hash: used.hash, header: hash.header, ..Default::default() };

    // A service over the messages of another crate.
    struct Uses;
    impl services::UsedServicer for Uses {
        async fn r#use(
            &self,
            request: messages::Use,
            _: &mut ServerContext,
        ) -> Result<dependency::sha256_hash::http_header::Type, Status> {
            Ok(dependency::sha256_hash::http_header::Type { number: request.kind })
        }
    }
    let _ = (services::UsedServer::new(Uses), again);
}
