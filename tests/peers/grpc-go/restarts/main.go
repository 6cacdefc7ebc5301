// A grpc-go client under load, of a server that restarts gracefully again and again (restarting_server of this repository): no
// call that reached a server is lost, and none that failed was seen by one.
//
// Usage: restarts --server PORT | --kept PORT    each of which has rows of its own
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const (
	unary   = "/callwright.tests.Echo/UnaryUnary"
	stream  = "/callwright.tests.Echo/StreamStream"
	timeout = 60 * time.Second
	workers = 100
	// How many calls of each worker have to succeed.
	calls = 40
	// How many streams there are, and how many messages each has.
	streams, messages = 30, 100
	// How many servers have to go while this lasts.
	restarts = 5
)

func main() {
	server := flag.Int("server", 0, "the port of servers that each bind it")
	kept := flag.Int("kept", 0, "the port of servers that hand their socket on")
	wanted := flag.String("case", "", "the row, or the start of rows' names; all if empty")
	flag.Parse()
	passed := true
	row := func(name string, check func() error) {
		if *wanted != "" && name != *wanted && !strings.HasPrefix(name, *wanted+"/") {
			return
		}
		if err := check(); err != nil {
			passed = false
			fmt.Printf("FAIL %s: %s\n", name, strings.ReplaceAll(err.Error(), "\n", " "))
			return
		}
		fmt.Printf("PASS %s\n", name)
	}
	row("restarts/wait_for_ready", func() error { return unaries(*server, "wait", true, false) })
	row("restarts/fail_fast", func() error { return unaries(*server, "fast", false, true) })
	row("restarts/streams", func() error { return bidis(*server) })
	row("restarts/kept_socket", func() error { return unaries(*kept, "kept", false, false) })
	if !passed {
		os.Exit(1)
	}
}

func dial(port int) *grpc.ClientConn {
	soon := backoff.Config{BaseDelay: 5 * time.Millisecond, Multiplier: 1.6, MaxDelay: 20 * time.Millisecond}
	channel, err := grpc.NewClient(
		fmt.Sprintf("passthrough:///127.0.0.1:%d", port),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithConnectParams(grpc.ConnectParams{Backoff: soon, MinConnectTimeout: 20 * time.Second}),
	)
	if err != nil {
		log.Fatal(err)
	}
	return channel
}

// outcomes are what became of calls, by their names: nil is success.
type outcomes struct {
	lock sync.Mutex
	all  map[string]error
}

func (o *outcomes) add(name string, err error) {
	o.lock.Lock()
	defer o.lock.Unlock()
	o.all[name] = err
}

// unaries makes calls from many workers until each has had enough of them succeed, and compares what both sides saw.
func unaries(port int, prefix string, wait, mayFail bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	_, before, err := report(ctx, port, prefix)
	if err != nil {
		return err
	}
	channel := dial(port)
	defer channel.Close()
	seen := &outcomes{all: map[string]error{}}
	var group sync.WaitGroup
	for worker := range workers {
		group.Go(func() {
			succeeded := 0
			for number := 0; succeeded < calls && ctx.Err() == nil; number++ {
				name := fmt.Sprintf("%s-%d-%d", prefix, worker, number)
				var reply wrapperspb.BytesValue
				err := channel.Invoke(ctx, unary, wrapperspb.Bytes([]byte(name)), &reply, grpc.WaitForReady(wait))
				if err == nil && string(reply.Value) != name {
					err = fmt.Errorf("another call's reply: %q", reply.Value)
				}
				seen.add(name, err)
				if err == nil {
					succeeded++
				} else {
					time.Sleep(5 * time.Millisecond)
				}
			}
		})
	}
	group.Wait()
	return compare(ctx, port, prefix, seen.all, before, mayFail)
}

// bidis has streams under way while servers go: each goes on to its end.
func bidis(port int) error {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	_, before, err := report(ctx, port, "streams")
	if err != nil {
		return err
	}
	channel := dial(port)
	defer channel.Close()
	load, stop := context.WithCancel(ctx)
	defer stop()
	var loading, group sync.WaitGroup
	// What has the servers go.
	for range workers {
		loading.Go(func() {
			for load.Err() == nil {
				var reply wrapperspb.BytesValue
				_ = channel.Invoke(load, unary, wrapperspb.Bytes([]byte("load")), &reply, grpc.WaitForReady(true))
			}
		})
	}
	seen := &outcomes{all: map[string]error{}}
	for number := range streams {
		group.Go(func() {
			name := fmt.Sprintf("streams-%d", number)
			seen.add(name, bidi(ctx, channel, name))
		})
	}
	group.Wait()
	stop()
	loading.Wait()
	return compare(ctx, port, "streams", seen.all, before, false)
}

func bidi(ctx context.Context, channel *grpc.ClientConn, name string) error {
	both := &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}
	call, err := channel.NewStream(ctx, both, stream, grpc.WaitForReady(true))
	if err != nil {
		return err
	}
	for range messages {
		if err := call.SendMsg(wrapperspb.Bytes([]byte(name))); err != nil {
			return err
		}
		var reply wrapperspb.BytesValue
		if err := call.RecvMsg(&reply); err != nil {
			return err
		}
		time.Sleep(5 * time.Millisecond)
	}
	if err := call.CloseSend(); err != nil {
		return err
	}
	var rest wrapperspb.BytesValue
	if err := call.RecvMsg(&rest); !errors.Is(err, io.EOF) {
		return fmt.Errorf("at the end: %w", err)
	}
	return nil
}

// compare asserts that each call which succeeded was seen once, and each that failed not at all; and that enough servers have
// gone since there were so many.
func compare(
	ctx context.Context, port int, prefix string, outcomes map[string]error, before int, mayFail bool,
) error {
	seen, busy, err := report(ctx, port, prefix)
	if err != nil {
		return err
	}
	if busy-before < restarts {
		return fmt.Errorf("%d servers have gone with calls under way", busy-before)
	}
	failed := 0
	for name, err := range outcomes {
		switch {
		case err == nil && seen[name] != 1:
			return fmt.Errorf("%s succeeded, and was seen %d times", name, seen[name])
		case err == nil:
		case !mayFail:
			return fmt.Errorf("%s failed: %w", name, err)
		case status.Code(err) != codes.Unavailable:
			return fmt.Errorf("%s failed otherwise: %w", name, err)
		case seen[name] != 0:
			return fmt.Errorf("%s was seen, and is lost: %w", name, err)
		default:
			failed++
		}
	}
	fmt.Printf("%s: %d calls, %d of them failed and were never seen\n", prefix, len(outcomes), failed)
	return nil
}

// report gives how often the servers saw each call of this prefix, and how many of them have gone that had calls under way, when
// all have gone that were told to.
func report(ctx context.Context, port int, prefix string) (map[string]int, int, error) {
	channel := dial(port)
	defer channel.Close()
	var reply wrapperspb.BytesValue
	asking := metadata.AppendToOutgoingContext(ctx, "x-report", "1")
	if err := channel.Invoke(asking, unary, wrapperspb.Bytes(nil), &reply, grpc.WaitForReady(true)); err != nil {
		return nil, 0, err
	}
	seen := map[string]int{}
	told, gone, busy := 0, 0, 0
	for line := range strings.Lines(string(reply.Value)) {
		words := strings.Fields(line)
		number, err := strconv.Atoi(words[len(words)-1])
		if err != nil {
			return nil, 0, err
		}
		switch words[0] {
		case "told":
			told = number
		case "gone":
			gone++
			if number > 0 {
				busy++
			}
		case "call":
			if strings.HasPrefix(words[1], prefix+"-") {
				seen[words[1]] = number
			}
		}
	}
	if told != gone {
		return nil, 0, fmt.Errorf("%d of %d servers have gone", gone, told)
	}
	return seen, busy, nil
}
