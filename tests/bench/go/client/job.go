package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"

	"callwright.invalid/tests/bench/go/wire"
	"google.golang.org/grpc"
)

// What is called, and what is sent, made once.
type job struct {
	call func(*grpc.ClientConn) (uint64, error)
}

func newJob(mode string, size, messages int) (job, error) {
	name, body := strings.Repeat("x", size), bytes.Repeat([]byte("x"), size)
	switch mode {
	case "unary":
		return job{func(channel *grpc.ClientConn) (uint64, error) { return unary(channel, name) }}, nil
	case "server_stream":
		return job{func(channel *grpc.ClientConn) (uint64, error) { return download(channel, size, messages) }}, nil
	case "client_stream":
		return job{func(channel *grpc.ClientConn) (uint64, error) { return upload(channel, body, messages) }}, nil
	case "bidi":
		return job{func(channel *grpc.ClientConn) (uint64, error) { return echo(channel, body, messages) }}, nil
	}
	return job{}, fmt.Errorf("no mode %q: unary, server_stream, client_stream, bidi", mode)
}

func unary(channel *grpc.ClientConn, name string) (uint64, error) {
	reply := new(wire.HelloReply)
	if err := channel.Invoke(context.Background(), wire.SayHello, &wire.HelloRequest{Value: name}, reply); err != nil {
		return 0, err
	}
	return 1, expect("bytes", len(reply.GetValue()), len(name))
}

func download(channel *grpc.ClientConn, size, messages int) (uint64, error) {
	stream, err := channel.NewStream(context.Background(), wire.StreamDesc(wire.Download), wire.Download)
	if err != nil {
		return 0, err
	}
	if err := stream.SendMsg(&wire.Wanted{Seconds: int64(messages), Nanos: int32(size)}); err != nil {
		return 0, err
	}
	if err := stream.CloseSend(); err != nil {
		return 0, err
	}
	return receive(stream, messages)
}

func upload(channel *grpc.ClientConn, body []byte, messages int) (uint64, error) {
	stream, err := channel.NewStream(context.Background(), wire.StreamDesc(wire.Upload), wire.Upload)
	if err != nil {
		return 0, err
	}
	if err := send(stream, body, messages); err != nil {
		return 0, err
	}
	received := new(wire.Received)
	if err := stream.RecvMsg(received); err != nil {
		return 0, err
	}
	return received.GetValue(), expect("messages", int(received.GetValue()), messages)
}

func echo(channel *grpc.ClientConn, body []byte, messages int) (uint64, error) {
	stream, err := channel.NewStream(context.Background(), wire.StreamDesc(wire.Echo), wire.Echo)
	if err != nil {
		return 0, err
	}
	// What cannot be sent is not echoed, and is missed there.
	go func() { _ = send(stream, body, messages) }()
	return receive(stream, messages)
}

func send(stream grpc.ClientStream, body []byte, messages int) error {
	for range messages {
		if err := stream.SendMsg(&wire.Chunk{Value: body}); err != nil {
			return err
		}
	}
	return stream.CloseSend()
}

func receive(stream grpc.ClientStream, messages int) (uint64, error) {
	for came := 0; ; came++ {
		err := stream.RecvMsg(new(wire.Chunk))
		if err == io.EOF {
			return uint64(came), expect("messages", came, messages)
		}
		if err != nil {
			return 0, err
		}
	}
}

func expect(what string, came, wanted int) error {
	if came != wanted {
		return fmt.Errorf("%d %s came, and %d should have", came, what, wanted)
	}
	return nil
}
