// Package wire has the services of helloworld.proto for grpc-go.
//
// The messages are well-known types whose fields have the same numbers and encodings, so that no generated code has to be
// checked in: StringValue is HelloRequest and HelloReply, BytesValue is Chunk, UInt64Value is Received, and Duration
// (two varints) is Wanted.
package wire

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// The methods, as their clients name them.
const (
	SayHello = "/helloworld.Greeter/SayHello"
	Download = "/helloworld.Streamer/Download"
	Upload   = "/helloworld.Streamer/Upload"
	Echo     = "/helloworld.Streamer/Echo"
)

// MaxConcurrentStreams and MaxMessageBytes are those of the other servers.
const (
	MaxConcurrentStreams = 20_000
	MaxMessageBytes      = 8 << 20
)

// The names of messages that are used here.
type (
	HelloRequest = wrapperspb.StringValue
	HelloReply   = wrapperspb.StringValue
	Chunk        = wrapperspb.BytesValue
	Received     = wrapperspb.UInt64Value
	Wanted       = durationpb.Duration
)

// Servicer answers all calls, as generated interfaces have it.
type Servicer interface {
	SayHello(context.Context, *HelloRequest) (*HelloReply, error)
	Download(*Wanted, grpc.ServerStreamingServer[Chunk]) error
	Upload(grpc.ClientStreamingServer[Chunk, Received]) error
	Echo(grpc.BidiStreamingServer[Chunk, Chunk]) error
}

// Register adds both services.
func Register(server *grpc.Server, servicer Servicer) {
	server.RegisterService(&greeter, servicer)
	server.RegisterService(&streamer, servicer)
}

var greeter = grpc.ServiceDesc{
	ServiceName: "helloworld.Greeter",
	HandlerType: (*Servicer)(nil),
	Methods:     []grpc.MethodDesc{{MethodName: "SayHello", Handler: sayHello}},
}

var streamer = grpc.ServiceDesc{
	ServiceName: "helloworld.Streamer",
	HandlerType: (*Servicer)(nil),
	Streams: []grpc.StreamDesc{
		{StreamName: "Download", Handler: download, ServerStreams: true},
		{StreamName: "Upload", Handler: upload, ClientStreams: true},
		{StreamName: "Echo", Handler: echo, ServerStreams: true, ClientStreams: true},
	},
}

// StreamDesc is what a client says of a stream.
func StreamDesc(method string) *grpc.StreamDesc {
	return &grpc.StreamDesc{ServerStreams: method != Upload, ClientStreams: method != Download}
}

func sayHello(servicer any, ctx context.Context, decode func(any) error, interceptor grpc.UnaryServerInterceptor) (any, error) {
	request := new(HelloRequest)
	if err := decode(request); err != nil {
		return nil, err
	}
	return servicer.(Servicer).SayHello(ctx, request)
}

func download(servicer any, stream grpc.ServerStream) error {
	wanted := new(Wanted)
	if err := stream.RecvMsg(wanted); err != nil {
		return err
	}
	return servicer.(Servicer).Download(wanted, &grpc.GenericServerStream[Wanted, Chunk]{ServerStream: stream})
}

func upload(servicer any, stream grpc.ServerStream) error {
	return servicer.(Servicer).Upload(&grpc.GenericServerStream[Chunk, Received]{ServerStream: stream})
}

func echo(servicer any, stream grpc.ServerStream) error {
	return servicer.(Servicer).Echo(&grpc.GenericServerStream[Chunk, Chunk]{ServerStream: stream})
}
