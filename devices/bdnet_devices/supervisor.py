"""The shell that a command on a board runs under, so that nothing of it outlives its client.

A process started through ssh goes on when its client dies. This shell relays the channel's
standard input to the command and takes its end, which comes however the client ended, kill -9
included, as the order to end the command: a second of grace, for a command that ends by itself
when its input does, then TERM for its process group, and KILL two seconds later.
"""

from __future__ import annotations

import shlex

# In a session of its own: $$ is the process group. On the left of the pipe the relay, which ends
# the group and ignores the TERM that it sends. On the right the command and what waits for it,
# which tells its status and then ends whatever is left, with KILL: it cannot be lost between a fork
# and what the child does first. The shells' own words about killed jobs are for nobody.
_SESSION = """
exec 2>/dev/null;
{ cat <&3; exec >&-; sleep 1; trap "" TERM; kill -s TERM -- -$$; sleep 2; kill -s KILL -- -$$; } |
{ exec 6<&0 </dev/null; trap : TERM;
sh -c "$1" <&6 >&5 2>&4 3<&- 4>&- 5>&- 6<&- & p=$!; exec 3<&- 6<&-;
wait $p; r=$?; while kill -s 0 $p; do wait $p; r=$?; done;
echo $r; kill -s KILL -- -$$; }
"""

# Outside of it, with the channel's input, errors and output as 3, 4 and 5.
_OUTSIDE = f"""
exec 3<&0 4>&2 5>&1 </dev/null 2>/dev/null;
r=$(exec setsid sh -c {shlex.quote(" ".join(_SESSION.split()))} sh "$1" 2>&4);
exit ${{r:-$?}}
"""


def supervise(command: str) -> str:
    """The line for a board's shell, whichever that is, that runs the POSIX sh ``command``.

    Its status is that of ``command``, and its standard input reaches ``command``.
    """
    return shlex.join(["sh", "-c", " ".join(_OUTSIDE.split()), "sh", command])
