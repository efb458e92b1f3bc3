package boot

import "runtime"

// The main goroutine keeps the process's first thread. A thread that a goroutine has locked ends
// with the goroutine, and a mount namespace that it alone was in ends with it. The first thread
// does not: Go parks it for ever. Its namespace would keep mounted what was mounted there, the
// writable layer among it, and be what /proc/self shows.
func init() { runtime.LockOSThread() }
