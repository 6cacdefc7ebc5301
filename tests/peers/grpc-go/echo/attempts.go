package main

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// attempts are what the server saw of calls that have a name, and answered as it was asked to.
type attempts struct {
	began time.Time
	lock  sync.Mutex
	calls map[string][]*attempt
}

type attempt struct {
	at            time.Duration
	previous, end string
}

func newAttempts() *attempts {
	return &attempts{began: time.Now(), calls: map[string][]*attempt{}}
}

// answer notes an attempt, and ends it as the metadata says.
func (a *attempts) answer(ctx context.Context, name string) error {
	seen, number := a.note(name, asked(ctx, "grpc-previous-rpc-attempts"))
	answers := strings.Split(asked(ctx, "x-answers"), ",")
	answer := answers[min(number, len(answers)-1)]
	if answer == "never" {
		<-ctx.Done()
		a.ended(seen, "cancelled")
		return status.FromContextError(ctx.Err()).Err()
	}
	a.ended(seen, answer)
	code, err := strconv.Atoi(answer)
	if err != nil {
		return err
	}
	if pushback := asked(ctx, "x-pushback"); pushback != "" && code != 0 {
		if err := grpc.SetTrailer(ctx, metadata.Pairs("grpc-retry-pushback-ms", pushback)); err != nil {
			return err
		}
	}
	return status.Error(codes.Code(code), "as asked")
}

func (a *attempts) note(name, previous string) (*attempt, int) {
	a.lock.Lock()
	defer a.lock.Unlock()
	if previous == "" {
		previous = "-"
	}
	seen := &attempt{at: time.Since(a.began), previous: previous, end: "running"}
	a.calls[name] = append(a.calls[name], seen)
	return seen, len(a.calls[name]) - 1
}

func (a *attempts) ended(seen *attempt, how string) {
	a.lock.Lock()
	defer a.lock.Unlock()
	seen.end = how
}

// report tells the attempts of a call, one a line.
func (a *attempts) report(name string) string {
	a.lock.Lock()
	defer a.lock.Unlock()
	var lines strings.Builder
	for _, seen := range a.calls[name] {
		fmt.Fprintf(&lines, "%d %s %s\n", seen.at.Microseconds(), seen.previous, seen.end)
	}
	return lines.String()
}
