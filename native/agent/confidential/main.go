// The agent of confidential boxes: process 1 of a measured guest. It takes one launch spec, checks
// it against the guest's own report, runs the box, and serves relying parties itself.
// docs/development/guest-protocol.md is its contract with the host, which it does not trust.
package main

import (
	"errors"
	"os"
	"runtime/debug"
	"time"

	"a3s.dev/box/agent/boot"
	"a3s.dev/box/agent/box"
	"a3s.dev/box/agent/control"
	"a3s.dev/box/agent/httpstream"
	"a3s.dev/box/agent/launch"
	"a3s.dev/box/agent/secrets"
	"a3s.dev/box/agent/server"
	// Runs instead of main in a stage.
	_ "a3s.dev/box/agent/stage"
	"a3s.dev/box/agent/tee"
)

// version is set by the linker.
var version = "0.0.0"

// Times that a guest has: for the port of its simulated processor to appear, and for the host to
// ask why there is no box.
const (
	portDeadline   = 30 * time.Second
	brokenDeadline = time.Minute
)

// heap is the size from which the agent collects garbage more often: it serves strangers, in memory
// that the box lacks.
const heap = 24 << 20

func main() { boot.Main(version, run) }

// run serves the host. It returns only when something failed.
func run(g *boot.Guest) error {
	debug.SetMemoryLimit(heap)
	cmdline, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return serveBroken(g, err)
	}
	kind, processor, err := open(g, string(cmdline))
	if err != nil {
		return serveBroken(g, err)
	}
	b := box.New(g.Reaper, g.Cgroup, g.Binary, g.Drivers)
	// The workload's memory holds secrets.
	b.ForbidCoreDumps()
	l := &launch.Launch{Box: b, Kind: kind, Processor: processor, Privileged: tee.IsPrivileged(string(cmdline)), Report: boot.Report, FindDisks: boot.FindDisks}
	l.Offer = func(born *launch.Born) (*launch.Services, error) { return offer(kind, processor, born) }
	end := func() { boot.PowerOff(errors.Join(l.Close(), b.Close())) }
	l.End = func() {
		if b.Stop() {
			end()
		}
	}
	s := &server.Server{Box: b, Version: version, PowerOff: end, Confidential: l}
	h := (&httpstream.Server{Handler: s.Handler()}).HTTP()
	go func() { g.Failed <- h.Serve(g.Control) }()
	return <-g.Failed
}

// open opens the secure processor that the command line names.
func open(g *boot.Guest, cmdline string) (tee.Kind, tee.Processor, error) {
	if err := secrets.Guard(); err != nil {
		return "", nil, err
	}
	kind, err := tee.KindOf(cmdline)
	if err != nil {
		return "", nil, unavailable(err)
	}
	if kind == tee.SNP {
		if err := g.Load(string(tee.SNP)); err != nil {
			return "", nil, unavailable(err)
		}
		if err := boot.MountConfigfs(); err != nil {
			return "", nil, unavailable(err)
		}
	}
	processor, err := tee.Open(kind, func() (string, error) { return control.Find(tee.PortName, portDeadline) })
	if err != nil {
		return "", nil, unavailable(err)
	}
	return kind, processor, nil
}

func unavailable(err error) error {
	return &server.Error{Code: "tee-unavailable", Message: "secure processor: " + err.Error()}
}

// serveBroken reports to the host what is wrong. A confidential guest has no console to print it
// on.
func serveBroken(g *boot.Guest, cause error) error {
	h := (&httpstream.Server{Handler: server.Broken(cause, func() { boot.Fail(cause) })}).HTTP()
	go func() { g.Failed <- h.Serve(g.Control) }()
	select {
	case err := <-g.Failed:
		return errors.Join(cause, err)
	case <-time.After(brokenDeadline):
		return cause
	}
}
