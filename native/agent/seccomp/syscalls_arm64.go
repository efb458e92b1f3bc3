package seccomp

import _ "embed"

//go:embed syscalls_arm64.txt
var syscallTable string

const archNative, archCompat = auditARM64, auditARM

// allowedHere are the calls of the same profile that x86 does not have: all are of 32-bit programs.
const allowedHere = `arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush recv send set_tls sync_file_range2 `
