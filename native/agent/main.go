// The agent is process 1 of a guest: it boots it, takes one box spec from the host, runs the box, and answers
// the host over one virtio-serial port. docs/guest-protocol.md is its contract.
package main

import (
	"errors"
	"os"
	"runtime/debug"
	"syscall"
	"time"

	"a3s.dev/box/agent/box"
	"a3s.dev/box/agent/control"
	"a3s.dev/box/agent/linux"
	"a3s.dev/box/agent/reaper"
	"a3s.dev/box/agent/server"
	// Runs instead of main in a stage.
	_ "a3s.dev/box/agent/stage"
)

// version is set by the linker.
var version = "0.0.0"

// portDeadline is the time that the control port has to appear.
const portDeadline = 30 * time.Second

// garbagePercent lets the heap grow from 4 MiB, Go's smallest, to as many times more.
const garbagePercent = 400

func main() {
	if os.Getpid() != 1 {
		os.Stderr.WriteString("a3s-agent " + version + " is process 1 of a guest and nothing else\n")
		os.Exit(2)
	}
	fail(run())
}

// run boots the guest and serves the host. It returns only when something failed.
func run() error {
	// The keyboard of a virtual machine has no business with its power.
	if err := syscall.Reboot(syscall.LINUX_REBOOT_CMD_CAD_OFF); err != nil {
		return &stepError{"disable ctrl-alt-del", err}
	}
	// What a short run leaves behind is not worth a collection.
	debug.SetGCPercent(garbagePercent)
	// Everything below reads /proc, /sys or /dev.
	if err := createAll(tree); err != nil {
		return err
	}
	common, err := openModules(modulesDir, "order")
	if err != nil {
		return err
	}
	forNIC, err := openModules(modulesDir, "order.nic")
	if err != nil {
		return err
	}
	if err := loadModules(common); err != nil {
		return err
	}
	binary, err := openBinary()
	if err != nil {
		return &stepError{"open the agent", err}
	}
	// What remains of the initrd lies under every root that the guest ever has.
	if err := emptyInitrd(); err != nil {
		return &stepError{"empty the initrd", err}
	}
	cgroup, err := box.NewCgroup()
	if err != nil {
		return &stepError{"make control groups", err}
	}
	r := reaper.New()
	failed := make(chan error, 1)
	go func() { failed <- r.Run() }()
	port, err := control.Find(portDeadline)
	if err != nil {
		return &stepError{"find the port " + control.Name, err}
	}
	listener, err := control.Listen(port)
	if err != nil {
		return &stepError{"open the control port", err}
	}
	b := box.New(r, cgroup, binary, func(nic bool) error {
		if !nic {
			return errors.Join(closeModules(forNIC), createAll(sealing))
		}
		return errors.Join(loadModules(forNIC), createAll(sealing))
	})
	s := &server.Server{Box: b, Version: version, PowerOff: func() { powerOff(b.Close()) }}
	go func() { failed <- s.HTTP().Serve(listener) }()
	return <-failed
}

const binaryPath = "/init"

// openBinary answers the file that stages are executed from: the very one that this process runs, whose pages are
// in memory, and under emulation translated, already.
//
// A box can have this file executed as its own program ("/proc/self/exe", as Docker's CVE-2019-5736 did), and then open it by way
// of /proc/PID/exe. It cannot write to it: such a link leads back to the mount that the file was executed from, and
// emptyInitrd makes that read-only. Only who is in the agent's mount namespace could change that, and nothing of a box ever is.
// Besides, the kernel lets nobody write to a program that runs, and process 1 always does.
func openBinary() (int, error) {
	return linux.OpenAt(-1, binaryPath, syscall.O_RDONLY, 0, 0)
}

// emptyInitrd leaves nothing but directories to mount on, and a mount that nobody can write to.
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

// fail is what every failure of the agent comes to: it is told on the console, and the guest ends.
func fail(err error) {
	report("a3s-agent failed: " + err.Error())
	powerOff(nil)
}

// powerOff ends the guest; an error on the way is told, and changes nothing.
func powerOff(err error) {
	if err != nil {
		report("a3s-agent: power off: " + err.Error())
	}
	syscall.Sync()
	if err := syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF); err != nil {
		// Process 1 must not return; its end makes the kernel panic, which ends the machine too.
		report("a3s-agent: power off: " + err.Error())
		os.Exit(1)
	}
	select {}
}

// report writes to the console, and to the kernel's log, which may be shown elsewhere.
func report(message string) {
	// There is nobody else to tell when these fail.
	_, _ = os.Stderr.WriteString(message + "\n")
	_ = os.WriteFile("/dev/kmsg", []byte("<2>"+message+"\n"), 0)
}
