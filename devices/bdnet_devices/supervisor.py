"""The shell that a command on a board runs under, so that nothing of it outlives its client.

A process started through ssh goes on when its client dies. This shell relays the channel's
standard input to the command and takes its end, which comes however the client ended, kill -9
included, as the order to end the command: a second of grace, for a command that ends by itself
when its input does, then TERM for its process group, and KILL two seconds later.
"""

from __future__ import annotations

import shlex

# In a session of its own: $$ is the process group. On the left the relay, which ends the group; it
# ignores the TERM that it sends. On the right the command, with what waits for it: where that was
# ended, the relay goes at once, and otherwise by a TERM that leaves the status as it is.
# Descriptor 4 is the command's standard error: what the shells say of killed jobs is not for it.
_SESSION = """
exec 4>&2 2>/dev/null; trap : TERM;
{ cat <&3; exec >&-; sleep 1; trap "" TERM; kill -s TERM -- -$$; sleep 2; kill -s KILL -- -$$; } |
{ exec 3<&0 </dev/null; s=TERM; trap s=KILL TERM; sh -c "$1" <&3 3<&- 2>&4 4>&- & p=$!; exec 3<&-;
wait $p; r=$?; while kill -s 0 $p; do wait $p; r=$?; done;
kill -s $s -- -$$; exit $r; };
exit $?
"""

# Outside of it: whatever of the group is left when the command has ended goes with it.
_OUTSIDE = f"""
exec 3<&0;
setsid sh -c {shlex.quote(" ".join(_SESSION.split()))} sh "$1" & g=$!;
exec 3<&-; wait $g; r=$?; kill -s KILL -- -$g 2>/dev/null;
exit $r
"""


def supervise(command: str) -> str:
    """The line for a board's shell, whichever that is, that runs the POSIX sh ``command``.

    Its status is that of ``command``, and its standard input reaches ``command``.
    """
    return shlex.join(["sh", "-c", " ".join(_OUTSIDE.split()), "sh", command])
