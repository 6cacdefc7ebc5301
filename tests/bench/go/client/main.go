// The client of grpc-go, with those flags of ours that mean something here.
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"callwright.invalid/tests/bench/go/usage"
	"callwright.invalid/tests/bench/go/wire"
	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
)

var (
	host        = flag.String("host", "127.0.0.1", "where the server is")
	port        = flag.Int("port", 50051, "its port")
	connections = flag.Int("connections", 1, "how many connections")
	concurrency = flag.Int("concurrency", 1, "how many calls are in flight on each")
	duration    = flag.Float64("duration", 5, "how many seconds are measured")
	warmup      = flag.Float64("warmup", 0, "how many seconds of load come before")
	mode        = flag.String("mode", "unary", "unary, server_stream, client_stream or bidi")
	size        = flag.Int("size", 100, "how large a message is")
	messages    = flag.Int("messages", 1000, "how many messages a stream has")
	threads     = flag.Int("threads", 1, "GOMAXPROCS")
)

// What one worker has counted.
type worker struct {
	latencies []time.Duration
	messages  uint64
	err       error
}

func main() {
	flag.Parse()
	runtime.GOMAXPROCS(*threads)
	job, err := newJob(*mode, *size, *messages)
	if err != nil {
		log.Fatal(err)
	}
	channels := make([]*grpc.ClientConn, *connections)
	for number := range channels {
		if channels[number], err = connect(); err != nil {
			log.Fatalf("connection %d: %v", number+1, err)
		}
	}
	from := time.Now().Add(time.Duration(*warmup * float64(time.Second)))
	until := from.Add(time.Duration(*duration * float64(time.Second)))
	workers := make([]worker, *connections**concurrency)
	var running sync.WaitGroup
	for number := range workers {
		running.Go(func() { workers[number].run(job, channels[number%len(channels)], from, until) })
	}
	time.Sleep(time.Until(from))
	fmt.Println("measuring")
	started, before := time.Now(), usage.CPUNanoseconds()
	time.Sleep(time.Until(until))
	elapsed, used := time.Since(started), usage.CPUNanoseconds()-before
	fmt.Println("measured")
	running.Wait()
	if !report(workers, elapsed, used) {
		os.Exit(1)
	}
}

func connect() (*grpc.ClientConn, error) {
	channel, err := grpc.NewClient(
		fmt.Sprintf("dns:///%s:%d", *host, *port),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(
			grpc.MaxCallRecvMsgSize(wire.MaxMessageBytes),
			grpc.MaxCallSendMsgSize(wire.MaxMessageBytes),
		),
	)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	channel.Connect()
	for state := channel.GetState(); state != connectivity.Ready; state = channel.GetState() {
		if !channel.WaitForStateChange(ctx, state) {
			return nil, fmt.Errorf("%s after 10 seconds", state)
		}
	}
	return channel, nil
}

// One call after the other, until the time is over or one fails.
func (w *worker) run(job job, channel *grpc.ClientConn, from, until time.Time) {
	for now := time.Now(); now.Before(until); {
		started := now
		count, err := job.call(channel)
		if err != nil {
			w.err = err
			return
		}
		now = time.Now()
		if now.After(from) && now.Before(until) {
			w.latencies = append(w.latencies, now.Sub(started))
			w.messages += count
		}
	}
}

func report(workers []worker, elapsed time.Duration, used int64) bool {
	var latencies []time.Duration
	var messages uint64
	var failed atomic.Int64
	var first error
	for _, w := range workers {
		latencies = append(latencies, w.latencies...)
		messages += w.messages
		if w.err != nil {
			failed.Add(1)
			first = w.err
		}
	}
	slices.Sort(latencies)
	calls, seconds := len(latencies), elapsed.Seconds()
	fmt.Printf("calls: %d\nmessages: %d\nerrors: %d\nseconds: %.3f\n", calls, messages, failed.Load(), seconds)
	fmt.Printf("calls/s: %.1f\nmessages/s: %.1f\n", float64(calls)/seconds, float64(messages)/seconds)
	fmt.Printf("bytes/s: %.0f\n", float64(messages)*float64(*size)/seconds)
	for _, quantile := range []struct {
		name string
		at   float64
	}{{"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}, {"max", 1}} {
		if calls > 0 {
			latency := latencies[min(calls-1, int(quantile.at*float64(calls)))]
			fmt.Printf("%s: %.1f us\n", quantile.name, float64(latency)/1e3)
		}
	}
	fmt.Printf("cpu_ns: %d\ncpu: %.3f us/call\nrss_kib: %d\n", used, float64(used)/1e3/float64(max(calls, 1)), usage.ResidentKiB())
	if first != nil {
		fmt.Fprintln(os.Stderr, first)
	}
	return first == nil
}
