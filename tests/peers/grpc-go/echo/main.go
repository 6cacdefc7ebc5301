// Serves callwright.tests.Echo with grpc-go, as tests/peers/grpcio/echo_server.py does with grpcio: its Blob is a
// BytesValue on the wire. What the metadata of a call asks for is listed in tests/src/interop/echo.rs and, of attempts, in
// tests/src/interop/rows/attempts.rs; compression and status details are not among what it does.
//
// It says where it listens. With --until_stdin_closes, a line "stop" ends the server at once, with the calls that it has.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"strconv"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

type blob = wrapperspb.BytesValue

func main() {
	port := flag.Int("port", 0, "the port to listen on, on 127.0.0.1; 0 is any that is free")
	streams := flag.Uint("max_concurrent_streams", 0, "how many calls a connection may have at once; 0 is any number")
	untilStdin := flag.Bool("until_stdin_closes", false, "end when the standard input does")
	flag.Parse()
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", *port))
	if err != nil {
		log.Fatal(err)
	}
	var options []grpc.ServerOption
	if *streams != 0 {
		options = append(options, grpc.MaxConcurrentStreams(uint32(*streams)))
	}
	server := grpc.NewServer(options...)
	server.RegisterService(service(), newAttempts())
	if *untilStdin {
		go obey(server)
	}
	fmt.Printf("listening on %s\n", listener.Addr())
	if err := server.Serve(listener); err != nil {
		log.Fatal(err)
	}
}

// obey ends this process with its parent, even one that was killed itself.
func obey(server *grpc.Server) {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		if lines.Text() == "stop" {
			server.Stop()
		}
	}
	os.Exit(0)
}

func service() *grpc.ServiceDesc {
	return &grpc.ServiceDesc{
		ServiceName: "callwright.tests.Echo",
		HandlerType: (*any)(nil),
		Methods:     []grpc.MethodDesc{{MethodName: "UnaryUnary", Handler: unaryUnary}},
		Streams: []grpc.StreamDesc{
			{StreamName: "UnaryStream", Handler: unaryStream, ServerStreams: true},
			{StreamName: "StreamUnary", Handler: streamUnary, ClientStreams: true},
			{StreamName: "StreamStream", Handler: streamStream, ClientStreams: true, ServerStreams: true},
		},
	}
}

// asked gives the value of a key of the metadata, empty if there is none.
func asked(ctx context.Context, key string) string {
	all, _ := metadata.FromIncomingContext(ctx)
	return strings.Join(all.Get(key), "")
}

func unaryUnary(server any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
	var request blob
	if err := decode(&request); err != nil {
		return nil, err
	}
	attempts := server.(*attempts)
	if name := asked(ctx, "x-report"); name != "" {
		return wrapperspb.Bytes([]byte(attempts.report(name))), nil
	}
	if name := asked(ctx, "x-call"); name != "" {
		if err := attempts.answer(ctx, name); err != nil {
			return nil, err
		}
	}
	return &request, nil
}

func unaryStream(_ any, stream grpc.ServerStream) error {
	var request blob
	if err := stream.RecvMsg(&request); err != nil {
		return err
	}
	responses := 1
	if text := asked(stream.Context(), "x-responses"); text != "" {
		number, err := strconv.Atoi(text)
		if err != nil {
			return err
		}
		responses = number
	}
	for range responses {
		if err := stream.SendMsg(&request); err != nil {
			return err
		}
	}
	return nil
}

func streamUnary(_ any, stream grpc.ServerStream) error {
	last := &blob{}
	for {
		var request blob
		err := stream.RecvMsg(&request)
		if errors.Is(err, io.EOF) {
			return stream.SendMsg(last)
		}
		if err != nil {
			return err
		}
		last = &request
	}
}

func streamStream(_ any, stream grpc.ServerStream) error {
	for {
		var request blob
		err := stream.RecvMsg(&request)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := stream.SendMsg(&request); err != nil {
			return err
		}
	}
}
