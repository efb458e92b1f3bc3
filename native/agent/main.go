// The agent is process 1 of a guest. It boots the guest, takes one box spec from the host, runs the
// box, and serves the host over one virtio-serial port. docs/development/guest-protocol.md is its
// contract.
package main

import (
	"a3s.dev/box/agent/boot"
	"a3s.dev/box/agent/box"
	"a3s.dev/box/agent/http2"
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
	h := &http2.Server{Handler: s.Handler()}
	go func() { g.Failed <- h.Serve(g.Control) }()
	return <-g.Failed
}
