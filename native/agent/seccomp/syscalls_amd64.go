package seccomp

import _ "embed"

//go:embed syscalls_amd64.txt
var syscallTable string

const archNative, archCompat = auditX8664, auditI386

// allowedHere are calls that other architectures do not have; the common list has those of x86.
const allowedHere = ""
