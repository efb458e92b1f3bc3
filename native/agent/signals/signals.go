// Package signals has the names of signals, as Docker and kill(1) write them.
package signals

import (
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// signalNames are in the order of their numbers on x86, from 1.
var signalNames = []string{
	"HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM",
	"STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR",
	"SYS",
}

// The first real-time signal that the C library leaves to programs, and the last signal.
const (
	firstRealtime = 34
	lastSignal    = 64
)

// Parse reads a name such as SIGTERM, SIGRTMIN+3 or SIGRTMAX-1, or a number from 1 to 64.
func Parse(text string) (syscall.Signal, bool) {
	name, named := strings.CutPrefix(text, "SIG")
	if !named {
		return number(text, 1, lastSignal)
	}
	if index := slices.Index(signalNames, name); index >= 0 {
		return syscall.Signal(index + 1), true
	}
	switch {
	case name == "RTMIN":
		return firstRealtime, true
	case name == "RTMAX":
		return lastSignal, true
	case strings.HasPrefix(name, "RTMIN+"):
		n, ok := number(name[len("RTMIN+"):], 1, lastSignal-firstRealtime)
		return firstRealtime + n, ok
	case strings.HasPrefix(name, "RTMAX-"):
		n, ok := number(name[len("RTMAX-"):], 1, lastSignal-firstRealtime)
		return lastSignal - n, ok
	}
	return 0, false
}

func number(text string, low, high int) (syscall.Signal, bool) {
	n, err := strconv.Atoi(text)
	return syscall.Signal(n), err == nil && n >= low && n <= high && strconv.Itoa(n) == text
}

// Name returns the name that Parse reads as this signal.
func Name(signal syscall.Signal) string {
	n := int(signal)
	switch {
	case n >= 1 && n <= len(signalNames):
		return "SIG" + signalNames[n-1]
	case n == firstRealtime:
		return "SIGRTMIN"
	case n > firstRealtime && n <= lastSignal:
		return "SIGRTMIN+" + strconv.Itoa(n-firstRealtime)
	default:
		return "SIG" + strconv.Itoa(n)
	}
}
