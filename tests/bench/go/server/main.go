// The server of grpc-go, doing what ours does.
package main

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"runtime"
	"strings"
	"time"

	"callwright.invalid/tests/bench/go/usage"
	"callwright.invalid/tests/bench/go/wire"
	"google.golang.org/grpc"
)

// A server that was forgotten ends.
const longest = time.Hour

type servicer struct{}

func (servicer) SayHello(_ context.Context, request *wire.HelloRequest) (*wire.HelloReply, error) {
	return &wire.HelloReply{Value: request.GetValue()}, nil
}

func (servicer) Download(wanted *wire.Wanted, stream grpc.ServerStreamingServer[wire.Chunk]) error {
	body := bytes.Repeat([]byte("x"), int(wanted.GetNanos()))
	for range wanted.GetSeconds() {
		if err := stream.Send(&wire.Chunk{Value: body}); err != nil {
			return err
		}
	}
	return nil
}

func (servicer) Upload(stream grpc.ClientStreamingServer[wire.Chunk, wire.Received]) error {
	var messages uint64
	for {
		_, err := stream.Recv()
		if err == io.EOF {
			return stream.SendAndClose(&wire.Received{Value: messages})
		}
		if err != nil {
			return err
		}
		messages++
	}
}

func (servicer) Echo(stream grpc.BidiStreamingServer[wire.Chunk, wire.Chunk]) error {
	for {
		chunk, err := stream.Recv()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := stream.Send(chunk); err != nil {
			return err
		}
	}
}

func main() {
	port := flag.Int("port", 50051, "the port")
	threads := flag.Int("threads", 1, "GOMAXPROCS")
	control := flag.Bool("control", false, "answers each line `report` on stdin, and ends at its end")
	flag.Parse()
	runtime.GOMAXPROCS(*threads)
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", *port))
	if err != nil {
		log.Fatal(err)
	}
	if *control {
		go answer()
	} else {
		time.AfterFunc(longest, func() { os.Exit(0) })
	}
	server := grpc.NewServer(
		grpc.MaxConcurrentStreams(wire.MaxConcurrentStreams),
		grpc.MaxRecvMsgSize(wire.MaxMessageBytes),
		grpc.MaxSendMsgSize(wire.MaxMessageBytes),
	)
	wire.Register(server, servicer{})
	log.Fatal(server.Serve(listener))
}

func answer() {
	lines, reports := bufio.NewScanner(os.Stdin), 0
	for lines.Scan() {
		if strings.TrimSpace(lines.Text()) == "report" {
			reports++
			cpu, rss := usage.CPUNanoseconds(), usage.ResidentKiB()
			fmt.Printf("cpu_ns=%d allocations=0 rss_kib=%d report=%d\n", cpu, rss, reports)
		}
	}
	os.Exit(0)
}
