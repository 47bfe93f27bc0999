"""Ends the processes of this run when agentrun itself dies without a chance to do so.

Owns one tiny companion process, started with the first child: a shell that reads from a pipe which
groups are alive. `kill -9` of agentrun closes the pipe; the companion then ends every group left.

PR_SET_PDEATHSIG was measured and left: it reaches only the leader of a group (the programs that a
script started live on), fires when the *thread* that forked ends, and needs code between fork and
exec, which makes a start 2.0 times as slow (4.6 times with 100 MB in use), or `setpriv`, 1.7 times.
The companion costs one `sh` for a whole run, and works on every POSIX system.

A pid is taken off the list before it is reaped, so the companion can't meet one used again.
"""

import atexit
import contextlib
import os
import subprocess

_SCRIPT = """
trap '' INT TERM HUP QUIT
groups=' '
while read -r change group; do
  case $change in
    +) groups="$groups$group " ;;
    -) groups="${groups%% $group *} ${groups#* $group }" ;;
  esac
done
left=''
for group in $groups; do kill -s TERM -- "-$group" 2>/dev/null && left="$left $group"; done
tries=0
while [ -n "$left" ] && [ $tries -lt 20 ]; do
  sleep 0.1; tries=$((tries + 1)); still=''
  for group in $left; do kill -s 0 -- "-$group" 2>/dev/null && still="$still $group"; done
  left=$still
done
for group in $left; do kill -s KILL -- "-$group" 2>/dev/null; done
"""
_ENVIRONMENT = {"PATH": "/usr/bin:/bin"}


class Guard:
    """The companion of this process. Without `sh` there is none; a resume finds what is left."""

    def __init__(self) -> None:
        self._companion: subprocess.Popen[bytes] | None = None
        self._pipe = -1
        self._owner = 0

    def watch(self, group: int) -> None:
        """End this group if agentrun dies."""
        if self._owner != os.getpid():
            self._start()
        self._tell(f"+ {group}\n")

    def release(self, group: int) -> None:
        """Forget this group; called before its leader is reaped."""
        self._tell(f"- {group}\n")

    def stop(self) -> None:
        """Let the companion go; it ends what is still on its list."""
        if self._owner != os.getpid() or self._companion is None:
            return
        os.close(self._pipe)
        self._companion.wait()
        self._companion, self._pipe, self._owner = None, -1, 0

    def _start(self) -> None:
        self._owner = os.getpid()
        with contextlib.suppress(OSError):
            read_end, self._pipe = os.pipe()
            os.set_blocking(self._pipe, False)
            try:
                self._companion = subprocess.Popen(
                    ["/bin/sh", "-c", _SCRIPT],
                    stdin=read_end,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                    env=_ENVIRONMENT,
                    cwd="/",
                )
            finally:
                os.close(read_end)
            atexit.register(self.stop)

    def _tell(self, line: str) -> None:
        # a companion that was killed or is stuck must not disturb the run
        with contextlib.suppress(OSError):
            os.write(self._pipe, line.encode())


GUARD = Guard()
