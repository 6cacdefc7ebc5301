// Error details with grpc-go, both ways (gRFC L44): a server that ends its calls as it is told, or a client that has a
// server end them so. The service is callwright.tests.Echo, whose Blob is a BytesValue on the wire.
//
// Usage: details --port PORT            the server, which says where it listens
//
//	details --client PORT          the rows, each of which prints PASS or FAIL
package main

import (
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
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/protoadapt"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/timestamppb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const (
	method  = "/callwright.tests.Echo/UnaryUnary"
	message = "what the row is about: \u263a"
	timeout = 20 * time.Second
)

func main() {
	port := flag.Int("port", 0, "the port to listen on, on 127.0.0.1; 0 is any that is free")
	client := flag.Int("client", 0, "the port of a server: run the rows against it")
	wanted := flag.String("case", "", "the row, or the start of rows' names; all if empty")
	untilStdin := flag.Bool("until_stdin_closes", false, "end when the standard input does")
	flag.Parse()
	if *client != 0 {
		if !run(*client, *wanted) {
			os.Exit(1)
		}
		return
	}
	if *untilStdin {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			os.Exit(0)
		}()
	}
	serve(*port)
}

// The server.

func serve(port int) {
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer()
	handle := func(_ any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		var request wrapperspb.BytesValue
		if err := decode(&request); err != nil {
			return nil, err
		}
		return &request, failAsAsked(ctx)
	}
	server.RegisterService(&grpc.ServiceDesc{
		ServiceName: "callwright.tests.Echo",
		HandlerType: (*any)(nil),
		Methods:     []grpc.MethodDesc{{MethodName: "UnaryUnary", Handler: handle}},
	}, struct{}{})
	fmt.Printf("listening on %s\n", listener.Addr())
	log.Fatal(server.Serve(listener))
}

// What the metadata asks for is listed in tests/src/interop/echo.rs.
func failAsAsked(ctx context.Context) error {
	asked, _ := metadata.FromIncomingContext(ctx)
	first := func(key string) string { return strings.Join(asked.Get(key), "") }
	if bytes := first("x-status-bin"); bytes != "" {
		var proto3 spb.Status
		if err := proto.Unmarshal([]byte(bytes), &proto3); err != nil {
			return err
		}
		return status.FromProto(&proto3).Err()
	}
	if details := first("x-details-bin"); details != "" {
		if err := grpc.SetTrailer(ctx, metadata.Pairs("grpc-status-details-bin", details)); err != nil {
			return err
		}
	}
	if code := first("x-code"); code != "" {
		number, err := strconv.Atoi(code)
		if err != nil {
			return err
		}
		return status.Error(codes.Code(number), first("x-message"))
	}
	return nil
}

// The client.

func run(port int, wanted string) bool {
	target := fmt.Sprintf("passthrough:///127.0.0.1:%d", port)
	channel, err := grpc.NewClient(target, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	defer channel.Close()
	passed := true
	row := func(name string, check func() error) {
		if wanted != "" && name != wanted && !strings.HasPrefix(name, wanted+"/") {
			return
		}
		if err := check(); err != nil {
			passed = false
			fmt.Printf("FAIL %s: %s\n", name, strings.ReplaceAll(err.Error(), "\n", " "))
			return
		}
		fmt.Printf("PASS %s\n", name)
	}
	row("status/ok", func() error { return call(channel) })
	row("status/plain", func() error {
		got := status.Convert(call(channel, "x-code", "5", "x-message", "gone"))
		if got.Code() != codes.NotFound || got.Message() != "gone" || len(got.Details()) != 0 {
			return fmt.Errorf("saw %v", got)
		}
		return nil
	})
	row("status/all_ten", func() error { return details(channel, allTen()) })
	row("status/other_types", func() error {
		return details(channel, []protoadapt.MessageV1{
			protoadapt.MessageV1Of(&timestamppb.Timestamp{Seconds: 1}),
			&errdetails.RetryInfo{},
			protoadapt.MessageV1Of(&timestamppb.Timestamp{Seconds: 2}),
		})
	})
	row("status/invalid_code", func() error {
		sent, err := proto.Marshal(&spb.Status{Code: 42, Message: message})
		if err != nil {
			return err
		}
		got := status.Convert(call(channel, "x-status-bin", string(sent)))
		if got.Code() != codes.Unknown || got.Message() != "invalid status code 42: "+message {
			return fmt.Errorf("saw %v", got)
		}
		return nil
	})
	return passed
}

func call(channel *grpc.ClientConn, pairs ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	var reply wrapperspb.BytesValue
	return channel.Invoke(metadata.AppendToOutgoingContext(ctx, pairs...), method, wrapperspb.Bytes([]byte{0}), &reply)
}

// Every detail must come back with its type, as it was.
func details(channel *grpc.ClientConn, sent []protoadapt.MessageV1) error {
	made, err := status.New(codes.Aborted, message).WithDetails(sent...)
	if err != nil {
		return err
	}
	bytes, err := proto.Marshal(made.Proto())
	if err != nil {
		return err
	}
	got := status.Convert(call(channel, "x-status-bin", string(bytes)))
	if got.Code() != codes.Aborted || got.Message() != message {
		return fmt.Errorf("saw %v", got)
	}
	if len(got.Details()) != len(sent) {
		return fmt.Errorf("saw %d details of %d", len(got.Details()), len(sent))
	}
	for i, detail := range got.Details() {
		seen, ok := detail.(proto.Message)
		if !ok {
			return fmt.Errorf("detail %d: %v", i, detail)
		}
		if expected := protoadapt.MessageV2Of(sent[i]); !proto.Equal(seen, expected) {
			return fmt.Errorf("detail %d: saw %v, expected %v", i, seen, expected)
		}
	}
	return nil
}

func allTen() []protoadapt.MessageV1 {
	var all []protoadapt.MessageV1
	for _, detail := range []proto.Message{
		&errdetails.ErrorInfo{}, &errdetails.RetryInfo{}, &errdetails.DebugInfo{}, &errdetails.QuotaFailure{},
		&errdetails.PreconditionFailure{}, &errdetails.BadRequest{}, &errdetails.RequestInfo{},
		&errdetails.ResourceInfo{}, &errdetails.Help{}, &errdetails.LocalizedMessage{},
	} {
		if err := fill(detail.ProtoReflect()); err != nil {
			log.Fatal(err)
		}
		all = append(all, protoadapt.MessageV1Of(detail))
	}
	return all
}

// fill sets every field, those of inner messages too.
func fill(message protoreflect.Message) error {
	fields := message.Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		var err error
		switch {
		case field.IsMap():
			key := protoreflect.ValueOfString("key").MapKey()
			message.Mutable(field).Map().Set(key, protoreflect.ValueOfString("value"))
		case field.IsList() && field.Message() != nil:
			err = fill(message.Mutable(field).List().AppendMutable().Message())
		case field.IsList():
			message.Mutable(field).List().Append(protoreflect.ValueOfString("one"))
		case field.Message() != nil:
			err = fill(message.Mutable(field).Message())
		case field.Kind() == protoreflect.StringKind:
			message.Set(field, protoreflect.ValueOfString("the "+string(field.Name())))
		case field.Kind() == protoreflect.Int64Kind:
			message.Set(field, protoreflect.ValueOfInt64(7))
		case field.Kind() == protoreflect.Int32Kind:
			message.Set(field, protoreflect.ValueOfInt32(7))
		default:
			err = errors.New("no value for " + string(field.FullName()))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
