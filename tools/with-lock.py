"""usage: with-lock.py LOCKFILE COMMAND [ARGUMENT...]

Runs the command while holding an exclusive lock on the file. The kernel lets go of it when the command and its children end,
however they end, so a killed build leaves no lock behind. (flock(1) does not exist on macOS.)
"""

import fcntl
import os
import sys

lock = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o644)
try:
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    print(f"waiting for another build ({sys.argv[1]})", file=sys.stderr)
    fcntl.flock(lock, fcntl.LOCK_EX)
os.set_inheritable(lock, True)
os.execvp(sys.argv[2], sys.argv[2:])
