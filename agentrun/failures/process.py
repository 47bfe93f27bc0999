"""Rules for how a process ended: signals, reserved exit codes, sysexits, codes of curl and rsync.

Owns what an ending says by itself. Exit 1 says nothing (it occurs with every kind), so it is not
here; neither is exit 2, which is usage for one half of all programs and anything for the other.
"""

from agentrun.core.failure import Category, Kind
from agentrun.failures.rules import Level, Rule

RULES: tuple[Rule, ...] = (
    # somebody asked it to stop
    Rule(
        "process.host_reclaimed",
        Kind.CANCELLED,
        words="the runner has received a shutdown signal | the hosted runner lost communication"
        " | the self-hosted runner lost communication"
        " | lost communication with the server. anything in your workflow that terminates"
        " | spot instance interruption | spot instance termination"
        " | instance was preempted | the job was not acquired by runner"
        " | the node was low on resource"
        " | job was terminated because the node was reclaimed",
        unless="ephemeral-storage",
        pattern=r"\b(?:preempted by|due to preemption"
        "|slurmstepd: error: .{0,200} due to (?:preemption|node fail))",
        level=Level.DECISIVE,
        category=Category.TRANSIENT,
    ),
    Rule(
        "process.cpu_time_limit",
        Kind.TIMEOUT,
        words="cpu time limit exceeded | due to time limit"
        " | exceeded the maximum execution time | has timed out after",
        level=Level.DECISIVE,
    ),
    Rule(
        "git.exit.usage",
        Kind.INVALID_CONFIG,
        pattern="^usage: ",
        exit_codes=(129,),
        level=Level.DECISIVE,
    ),
    Rule(
        "process.signal.stop",
        Kind.CANCELLED,
        signals=("SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"),
        unless="^usage: |due to time limit|exceeded the maximum execution time|has timed out after",
        level=Level.DECISIVE,
    ),
    Rule(
        "process.child_stopped",
        Kind.CANCELLED,
        pattern=r"(?:signal|received|killed by|terminated by|with)\W{0,3}sig(?:int|term|hup"
        r"|quit)\b|^(?:error: )?interrupted(?: by (?:the )?user)?[.!]?$|^\^c"
        r"|<signals\.sig(?:int|term|hup|quit)"
        r"|^(?:error: )?received (?:an )?interrupt|\bsignal: (?:interrupt|terminated"
        r"|hangup)\b",
        channels=("subprocess",),
    ),
    Rule("process.exit.timed_out", Kind.TIMEOUT, pattern="cancell?ed|abort", exit_codes=(124,)),
    # agentrun ended it
    Rule(
        "process.flood",
        Kind.LOGIC,
        pattern=r"^it printed more than \d+ mib to stdout and was ended;",
        level=Level.DECISIVE,
    ),
    # it died
    Rule(
        "process.c_assert",
        Kind.LOGIC,
        pattern=r"assertion [`'\"(].{1,300} failed",
        unless=r"\bfatal python error|sigsegv",
        level=Level.DECISIVE,
        channels=("subprocess",),
    ),
    Rule(
        "process.signal.died",
        Kind.CRASH,
        signals=("SIGSEGV", "SIGABRT", "SIGBUS", "SIGILL", "SIGFPE", "SIGSYS", "SIGTRAP"),
    ),
    Rule(
        "process.child_died",
        Kind.CRASH,
        pattern=r"<signals\.sig(?:segv|abrt|bus|ill|fpe|trap)|\bexit(?:ed)?(?: with)?(?: code"
        r"| status)?"
        r"[: ]{1,2}(?:-107374\d{4}|322122\d{4}|0xc0000[0-9a-f]{3})\b",
    ),
    Rule("process.signal.killed", Kind.OUT_OF_MEMORY, signals=("SIGKILL",)),
    Rule("process.signal.cpu", Kind.TIMEOUT, signals=("SIGXCPU", "SIGALRM")),
    Rule("process.signal.file_size", Kind.DISK_FULL, signals=("SIGXFSZ",)),
    Rule(
        "process.exit.timed_out_connecting",
        Kind.NETWORK,
        words="fetch failed | connection error | connection failed | unable to connect",
        exit_codes=(124,),
    ),
    Rule("process.exit.timeout", Kind.TIMEOUT, exit_codes=(124,), level=Level.GENERAL),
    # it never started
    Rule(
        "process.bad_interpreter",
        Kind.MISSING_DEPENDENCY,
        pattern="bad interpreter: no such file|cannot execute: required file not found"
        "|^(?:/usr/bin/)?env: .{1,80}: no such file",
    ),
    Rule(
        "process.exec_format",
        Kind.INVALID_CONFIG,
        words="exec format error | cannot execute binary file | bad cpu type in executable",
    ),
    Rule(
        "process.exit.no_script",
        Kind.NOT_FOUND,
        pattern=r"^(?:\S{1,200}: )?(?:line \d+: )?(?:\d+: )?\.{0,2}/\S{1,200}: (?:no such file or "
        "directory|not found)$",
        exit_codes=(127,),
        unless="^(?:/usr/bin/)?env: |bad interpreter",
    ),
    Rule(
        "process.exit.not_found",
        Kind.MISSING_DEPENDENCY,
        exit_codes=(127,),
        unless="^(?:(?:ba|z"
        r"|da)?sh: )(?:line \d+: )?(?:\d+: )?\.{0,2}/\S{1,200}: (?:no such file or "
        "directory|not found)$",
    ),
    Rule("process.exit.not_executable", Kind.PERMISSION, exit_codes=(126,), level=Level.DEFAULT),
    # BSD sysexits
    Rule("process.sysexits.usage", Kind.INVALID_CONFIG, exit_codes=(64, 78), level=Level.DEFAULT),
    Rule("process.sysexits.data", Kind.INPUT_FORMAT, exit_codes=(65,), level=Level.DEFAULT),
    Rule("process.sysexits.no_input", Kind.NOT_FOUND, exit_codes=(66, 72), level=Level.DEFAULT),
    Rule("process.sysexits.no_host", Kind.NETWORK, exit_codes=(68, 76), level=Level.DEFAULT),
    Rule("process.sysexits.unavailable", Kind.OVERLOADED, exit_codes=(69, 75), level=Level.DEFAULT),
    Rule("process.sysexits.software", Kind.LOGIC, exit_codes=(70,), level=Level.DEFAULT),
    Rule(
        "process.sysexits.no_permission",
        Kind.PERMISSION,
        exit_codes=(73, 77),
        level=Level.DEFAULT,
    ),
    Rule("process.exit.panic", Kind.LOGIC, exit_codes=(101,), level=Level.DEFAULT),
    # curl: the code is documented, the words vary by build
    *(
        Rule(
            f"curl.exit.{code}",
            kind,
            pattern=rf"^curl: \({code}\)",
            level=Level.GENERAL if code in {22, 23, 37} else Level.SPECIFIC,
        )
        for codes, kind in (
            ((1, 2, 3, 4, 5, 43, 48, 53, 54, 59, 66, 71, 80, 81), Kind.INVALID_CONFIG),
            ((6, 7, 8, 16, 18, 35, 45, 52, 55, 56, 81, 92, 95, 96), Kind.NETWORK),
            ((9,), Kind.PERMISSION),
            ((19, 36, 37, 78), Kind.NOT_FOUND),
            ((67, 94), Kind.AUTH),
            ((27,), Kind.OUT_OF_MEMORY),
            ((28,), Kind.TIMEOUT),
            ((26, 37), Kind.NOT_FOUND),
            ((33, 47, 58, 77), Kind.INVALID_CONFIG),
            ((51, 60, 82, 83, 90, 91), Kind.SECURITY),
            ((61, 63), Kind.INPUT_FORMAT),
            ((70,), Kind.DISK_FULL),
            ((23,), Kind.DISK_FULL),
        )
        for code in codes
    ),
    *(
        Rule(
            f"{program}.code.{code}",
            kind,
            exit_codes=(code,),
            programs=(program,),
            level=Level.DEFAULT,
        )
        for program, table in {
            "curl": {
                3: Kind.INVALID_CONFIG,
                5: Kind.NETWORK,
                6: Kind.NETWORK,
                7: Kind.NETWORK,
                18: Kind.NETWORK,
                28: Kind.TIMEOUT,
                35: Kind.NETWORK,
                47: Kind.INVALID_CONFIG,
                51: Kind.SECURITY,
                52: Kind.NETWORK,
                55: Kind.NETWORK,
                56: Kind.NETWORK,
                60: Kind.SECURITY,
                67: Kind.AUTH,
                78: Kind.NOT_FOUND,
                92: Kind.NETWORK,
            },
            "rsync": {
                1: Kind.INVALID_CONFIG,
                2: Kind.INVALID_CONFIG,
                3: Kind.NOT_FOUND,
                5: Kind.INVALID_CONFIG,
                10: Kind.NETWORK,
                11: Kind.DISK_FULL,
                12: Kind.NETWORK,
                20: Kind.CANCELLED,
                22: Kind.OUT_OF_MEMORY,
                24: Kind.RESOURCE_CONFLICT,
                30: Kind.TIMEOUT,
                35: Kind.TIMEOUT,
            },
            "wget": {
                2: Kind.INVALID_CONFIG,
                3: Kind.DISK_FULL,
                4: Kind.NETWORK,
                5: Kind.SECURITY,
                6: Kind.AUTH,
                7: Kind.NETWORK,
            },
            "ssh": {255: Kind.NETWORK},
            "scp": {255: Kind.NETWORK},
            "pytest": {
                1: Kind.LOGIC,
                2: Kind.LOGIC,
                4: Kind.INVALID_CONFIG,
                5: Kind.INVALID_CONFIG,
            },
        }.items()
        for code, kind in table.items()
    ),
)
