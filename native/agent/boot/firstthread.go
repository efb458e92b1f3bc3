package boot

import "runtime"

// The main goroutine keeps the process's first thread. A thread that a goroutine has locked ends
// with the goroutine, and a mount namespace with no other member ends with it. The first thread
// does not end: Go parks it. Its namespace would then keep its mounts, among them the writable
// layer, and /proc/self would show it.
func init() { runtime.LockOSThread() }
