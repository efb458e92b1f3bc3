#include "textflag.h"

// initCode does what that of init_amd64.s does, under the same conditions.
TEXT ·initCode(SB), NOSPLIT|NOFRAME, $0-0
	// The child, and a place for the signals, a status and a siginfo.
	MOVD  $0x400000, R21
	MOVWU 0xb0(R21), R19
	MOVD  RSP, R20
	SUB   $512, R20
	MOVD  $-1, R1
	MOVD  R1, (R20)
	// rt_sigprocmask(SIG_SETMASK, all, NULL, 8)
	MOVD  $2, R0
	MOVD  R20, R1
	MOVD  $0, R2
	MOVD  $8, R3
	MOVD  $135, R8
	SVC
	// prctl(PR_SET_NAME, "init")
	MOVD  $15, R0
	ADD   $0xb8, R21, R1
	MOVD  $167, R8
	SVC
	// What ended before has sent its signal to a process that was another one.
	B     reap

wait:
	// rt_sigtimedwait(all, &info, NULL, 8)
	MOVD  R20, R0
	ADD   $64, R20, R1
	MOVD  $0, R2
	MOVD  $8, R3
	MOVD  $137, R8
	SVC
	CMP   $0, R0
	BLE   wait
	CMP   $17, R0
	BEQ   reap
	// kill(child, signal)
	MOVD  R0, R1
	MOVD  R19, R0
	MOVD  $129, R8
	SVC
	B     wait

reap:
	// wait4(-1, &status, WNOHANG | __WALL, NULL)
	MOVD  $-1, R0
	ADD   $8, R20, R1
	MOVD  $0x40000000, R2
	ORR   $1, R2
	MOVD  $0, R3
	MOVD  $260, R8
	SVC
	CMP   $0, R0
	BLE   wait
	CMP   R19, R0
	BNE   reap
	// The child's exit code, or 128 and its signal.
	MOVWU 8(R20), R1
	AND   $0x7f, R1, R0
	CBNZ  R0, signalled
	LSR   $8, R1, R0
	AND   $0xff, R0
	B     exit

signalled:
	ADD   $128, R0

exit:
	// exit_group; with process 1 end all others.
	MOVD  $94, R8
	SVC
	B     exit

// initEnd only says where initCode ends.
TEXT ·initEnd(SB), NOSPLIT|NOFRAME, $0-0
	RET

// func initBounds() (start, end uintptr)
TEXT ·initBounds(SB), NOSPLIT, $0-16
	MOVD $·initCode(SB), R0
	MOVD R0, start+0(FP)
	MOVD $·initEnd(SB), R0
	MOVD R0, end+8(FP)
	RET
