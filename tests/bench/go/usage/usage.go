// Package usage tells what this process has used so far, as the other servers and clients tell it.
package usage

import (
	"fmt"
	"os"
	"strings"
	"syscall"
)

// CPUNanoseconds is the user and system time of all threads.
func CPUNanoseconds() int64 {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return 0
	}
	return used.Utime.Nano() + used.Stime.Nano()
}

// ResidentKiB is what is in memory; 0 where there is no procfs.
func ResidentKiB() int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		var kib int64
		if _, err := fmt.Sscanf(line, "VmRSS: %d kB", &kib); err == nil {
			return kib
		}
	}
	return 0
}
