"""Runs a program, and all that it starts, without transparent huge pages.

    small-pages.py PROGRAM [ARGUMENT...]

QEMU asks for them for the memory of a guest and for the code that it translates. Where the machine is
itself a guest that hands free memory back to its host, as CI's is, a huge page is one that was handed
back: 200 MiB took 2.1 s to touch, and 0.2 s in small pages. Each boot of a test touches as much.
"""

import ctypes
import os
import sys

# <linux/prctl.h>; kept over fork(2) and execve(2).
PR_SET_THP_DISABLE = 41

if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) != 0:
    error = os.strerror(ctypes.get_errno())
    print(f"small-pages.py: huge pages stay on: {error}", file=sys.stderr)
os.execvp(sys.argv[1], sys.argv[1:])
