// The agent of confidential boxes: process 1 of a measured guest, which takes one launch spec, checks it against the guest's own report,
// runs the box, and answers relying parties itself. docs/guest-protocol.md is its contract with the host, whom it does not trust.
package main

import (
	"a3s.dev/box/agent/boot"
	"a3s.dev/box/agent/box"
	"a3s.dev/box/agent/server"
	// Runs instead of main in a stage.
	_ "a3s.dev/box/agent/stage"
)

// version is set by the linker.
var version = "0.0.0"

func main() { boot.Main(version, run) }

// run serves the host. It returns only when something failed.
func run(g *boot.Guest) error {
	b := box.New(g.Reaper, g.Cgroup, g.Binary, g.Drivers)
	s := &server.Server{Box: b, Version: version, PowerOff: func() { boot.PowerOff(b.Close()) }}
	go func() { g.Failed <- s.HTTP().Serve(g.Control) }()
	return <-g.Failed
}
