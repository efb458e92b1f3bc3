#include "textflag.h"

// initCode is all that process 1 of a box does whose main process is its child: docs/development/guest-protocol.md, "The init". It is executed from
// an image of its own, without anything of Go, so nothing but registers, the image and its stack are used; those
// are where newInitImage puts them. Every signal of a box's init is blocked already, also those that came before;
// those of a pod's reaper are blocked here.
TEXT ·initCode(SB), NOSPLIT|NOFRAME, $0-0
	// The child, and a place for the signals, a status and a siginfo.
	MOVL $0x4000b0, AX
	MOVL (AX), R12
	MOVQ SP, BX
	SUBQ $512, BX
	MOVQ $-1, AX
	MOVQ AX, (BX)
	// rt_sigprocmask(SIG_SETMASK, all, NULL, 8)
	MOVL $2, DI
	MOVQ BX, SI
	XORL DX, DX
	MOVL $8, R10
	MOVL $14, AX
	SYSCALL
	// prctl(PR_SET_NAME, "init")
	MOVL $15, DI
	MOVL $0x4000b8, SI
	MOVL $157, AX
	SYSCALL
	// What ended before has sent its signal to a process that was another one.
	JMP  reap

wait:
	// rt_sigtimedwait(all, &info, NULL, 8)
	MOVQ  BX, DI
	LEAQ  64(BX), SI
	XORL  DX, DX
	MOVL  $8, R10
	MOVL  $128, AX
	SYSCALL
	TESTQ AX, AX
	JLE   wait
	CMPL  AX, $17
	JEQ   reap
	// kill(child, signal)
	MOVL  R12, DI
	MOVL  AX, SI
	MOVL  $62, AX
	SYSCALL
	JMP   wait

reap:
	// wait4(-1, &status, WNOHANG | __WALL, NULL)
	MOVQ  $-1, DI
	LEAQ  8(BX), SI
	MOVL  $0x40000001, DX
	XORL  R10, R10
	MOVL  $61, AX
	SYSCALL
	TESTQ AX, AX
	JLE   wait
	CMPL  AX, R12
	JNE   reap
	// The child's exit code, or 128 and its signal.
	MOVL  8(BX), AX
	MOVL  AX, DI
	ANDL  $0x7f, DI
	JNE   signalled
	MOVL  AX, DI
	SHRL  $8, DI
	ANDL  $0xff, DI
	JMP   exit

signalled:
	ADDL $128, DI

exit:
	// exit_group; with process 1 end all others.
	MOVL $231, AX
	SYSCALL
	JMP  exit

// initEnd only says where initCode ends.
TEXT ·initEnd(SB), NOSPLIT|NOFRAME, $0-0
	RET

// func initBounds() (start, end uintptr)
TEXT ·initBounds(SB), NOSPLIT, $0-16
	LEAQ ·initCode(SB), AX
	MOVQ AX, start+0(FP)
	LEAQ ·initEnd(SB), AX
	MOVQ AX, end+8(FP)
	RET
