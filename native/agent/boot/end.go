package boot

import (
	"os"
	"syscall"
)

// Fail is called for every failure of the agent: it prints the failure on the console and ends the
// guest.
func Fail(err error) {
	Report("a3s-agent failed: " + err.Error())
	PowerOff(nil)
}

// PowerOff ends the guest; an error on the way is printed, and changes nothing.
func PowerOff(err error) {
	if err != nil {
		Report("a3s-agent: power off: " + err.Error())
	}
	syscall.Sync()
	if err := syscall.Reboot(end); err != nil {
		// Process 1 must not return; its end makes the kernel panic, which ends the microVM too.
		Report("a3s-agent: power off: " + err.Error())
		os.Exit(1)
	}
	select {}
}

// Report writes to the console, and to the kernel's log, which may be shown elsewhere.
func Report(message string) {
	// No caller is left that could be given these errors.
	_, _ = os.Stderr.WriteString(message + "\n")
	_ = os.WriteFile("/dev/kmsg", []byte("<2>"+message+"\n"), 0)
}
