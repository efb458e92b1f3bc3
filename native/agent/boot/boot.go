// Package boot is what both agents do before they differ: everything from the first instruction to
// the control port, and the guest's end.
package boot

import (
	"errors"
	"net"
	"os"
	"runtime/debug"
	"syscall"
	"time"

	"a3s.dev/box/agent/box/cgroup"
	"a3s.dev/box/agent/control"
	"a3s.dev/box/agent/linux"
	"a3s.dev/box/agent/reaper"
)

// portDeadline is the time that the control port has to appear.
const portDeadline = 30 * time.Second

// garbagePercent lets the heap grow from 4 MiB, Go's smallest, to as many times more.
const garbagePercent = 400

// Guest is a microVM that has booted and has no box yet.
type Guest struct {
	Reaper *reaper.Reaper
	Cgroup *cgroup.Cgroup
	// Binary is open on this program.
	Binary int
	// Control accepts the host's connections.
	Control net.Listener
	// Failed takes what ends the guest.
	Failed chan error

	uses map[string][]module
}

// Main runs an agent, and ends the guest with it. It does not return.
func Main(version string, run func(*Guest) error) {
	if os.Getpid() != 1 {
		os.Stderr.WriteString("a3s-agent " + version + " is process 1 of a guest and nothing else\n")
		os.Exit(2)
	}
	g, err := start()
	if err == nil {
		err = run(g)
	}
	Fail(err)
}

// start boots the guest.
func start() (*Guest, error) {
	// The keyboard of a virtual machine has no business with its power.
	if err := syscall.Reboot(syscall.LINUX_REBOOT_CMD_CAD_OFF); err != nil {
		return nil, &StepError{"disable ctrl-alt-del", err}
	}
	// What a short run leaves behind is not worth a collection.
	debug.SetGCPercent(garbagePercent)
	// Everything below reads /proc, /sys or /dev.
	if err := createAll(tree); err != nil {
		return nil, err
	}
	g := &Guest{Failed: make(chan error, 1)}
	if err := g.load(); err != nil {
		return nil, err
	}
	var err error
	if g.Binary, err = openBinary(); err != nil {
		return nil, &StepError{"open the agent", err}
	}
	// What remains of the initrd lies under every root that the guest ever has.
	if err := emptyInitrd(); err != nil {
		return nil, &StepError{"empty the initrd", err}
	}
	if g.Cgroup, err = cgroup.New(); err != nil {
		return nil, &StepError{"make control groups", err}
	}
	g.Reaper = reaper.New()
	go func() { g.Failed <- g.Reaper.Run() }()
	if g.Control, err = control.Open(portDeadline); err != nil {
		return nil, &StepError{"open the control stream", err}
	}
	return g, nil
}

// load loads the modules that every box needs, and opens the others.
func (g *Guest) load() error {
	common, err := openModules(modulesDir, orderName)
	if err != nil {
		return err
	}
	if g.uses, err = openUses(modulesDir); err != nil {
		return err
	}
	if err := loadModules(common); err != nil {
		return err
	}
	return g.loadPlatform()
}

// Load loads the modules of a use. The guest must have some for it.
func (g *Guest) Load(use string) error {
	modules, ok := g.uses[use]
	if !ok {
		return &StepError{"load modules for " + use, os.ErrNotExist}
	}
	delete(g.uses, use)
	return loadModules(modules)
}

// Drivers loads the modules of these uses, and sees that no other is ever loaded.
func (g *Guest) Drivers(uses ...string) error {
	var errs []error
	for _, use := range uses {
		errs = append(errs, g.Load(use))
	}
	for _, modules := range g.uses {
		errs = append(errs, closeModules(modules))
	}
	g.uses = nil
	return errors.Join(append(errs, createAll(sealing))...)
}

const binaryPath = "/init"

// openBinary opens the file that stages are executed from: the same file that this process runs,
// whose pages are in memory already and, under emulation, translated.
//
// A box can have this file executed as its own program ("/proc/self/exe", as Docker's CVE-2019-5736
// did), and then open it through /proc/PID/exe. It cannot write to it: the link leads to the mount
// that the file was executed from, and emptyInitrd makes that mount read-only. Only a process in
// the agent's mount namespace could change that, and no process of a box is ever in it. Besides,
// the kernel refuses to open a running program for writing, and process 1 always runs.
func openBinary() (int, error) {
	return linux.OpenAt(-1, binaryPath, syscall.O_RDONLY, 0, 0)
}

// emptyInitrd leaves only directories to mount on, and a mount that no process can write to.
func emptyInitrd() error {
	if err := os.RemoveAll(modulesDir); err != nil {
		return err
	}
	if err := os.Remove(binaryPath); err != nil {
		return err
	}
	root, err := linux.OpenAt(-1, "/", linux.OPath|syscall.O_DIRECTORY, 0, 0)
	if err != nil {
		return err
	}
	return errors.Join(linux.SetAttributes(root, linux.Readonly, false), syscall.Close(root))
}
