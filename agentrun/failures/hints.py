"""What a person should do next: one line per kind, a better one where the rule knows more."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from agentrun.core.failure import Kind, Verdict
from agentrun.failures.rules import Rule

_BY_KIND: Mapping[Kind, str] = MappingProxyType(
    {
        Kind.NETWORK: "Check that the host is right and reachable from here; then resume.",
        Kind.TIMEOUT: "Give the step a longer `timeout`, or less to do in one attempt.",
        Kind.RATE_LIMIT: "Wait as asked, and lower `limits` for this component.",
        Kind.OVERLOADED: "The other side lacks capacity; resume later, or declare a `fallback`.",
        Kind.LOCK: "Find out who holds it; end that process or wait for it, then resume.",
        Kind.OUTPUT_FORMAT: "Tighten the prompt or the schema, or raise the model's output limit.",
        Kind.INPUT_FORMAT: "Look at what the step was given and repair it before the next attempt.",
        Kind.CONTEXT_OVERFLOW: "Give the model less, or choose one with a larger context.",
        Kind.MISSING_DEPENDENCY: "Install or start what is missing, or declare a remedy.",
        Kind.RESOURCE_CONFLICT: "Remove what is in the way, or choose another name or port.",
        Kind.DISK_FULL: "Free space (or inodes) on the disk named in the message, then resume.",
        Kind.LOGIC: "Read the error above: the code, the test or the command needs a change.",
        Kind.AUTH: "Set the right key or log in again; retrying before that is no use.",
        Kind.PERMISSION: "Ask for the right, or run as someone who has it.",
        Kind.SECURITY: "A policy or a trust check refused this; a person decides.",
        Kind.QUOTA: "Top up or raise the plan's limit, or wait for its reset.",
        Kind.NOT_FOUND: "Check the name, path or version: it is not there.",
        Kind.INVALID_CONFIG: "Correct the option or setting named in the message.",
        Kind.CRASH: "Look for the crashed program's log or core dump; update it.",
        Kind.OUT_OF_MEMORY: "Give it more memory, or lower its parallelism or batch size.",
        Kind.CANCELLED: "It was stopped on purpose; resume when you want it to go on.",
        Kind.UNKNOWN: "Nothing in the output names a cause; see the attempt's log.",
    }
)

_BY_RULE: Mapping[str, str] = MappingProxyType(
    {
        "process.host_reclaimed": "The machine was taken away; resume on another one.",
        "process.flood": "Write large results to a file and print its name.",
        "process.signal.killed": "Most likely killed for memory: give it more, or do less at once.",
        "git.index_lock": "If no git process runs there, remove the lock file it names.",
        "git.trust": "Remove the secret from the commits, or mark the folder as safe.",
        "git.conflict": "Fetch and rebase or merge first; then push again.",
        "git.setup": "Set what git names in the message, for example `git config user.email`.",
        "ssh.host_key": "Check the host's key with its owner before you accept it.",
        "tls.untrusted": "Trust the right authority, or find out who sits in between.",
        "docker.daemon": "Start the Docker daemon, or point DOCKER_HOST at one that runs.",
        "docker.toomany": "Log in to the registry or use a mirror; the limit is per address.",
        "packages.lock": "Another package manager is at work; wait until it is done.",
        "packages.integrity": "A download does not match its hash: do not install it unseen.",
        "packages.resolution": "Loosen the version constraints that contradict each other.",
        "packages.unknown": "Check the package's name and version against the registry.",
        "browser.absent": "Install the browser, for example `playwright install --with-deps`.",
        "aws.no_credentials": "Set AWS credentials, or log in with `aws sso login`.",
        "llm.quota_code": "The account's money or plan is used up; retrying is no use.",
        "llm.model_not_found": "Check the model's name and that this key may use it.",
        "agent.plan_limit": "The plan is used up; resume after its reset, or use another agent.",
        "agent.version": "Install the version named above, or describe this one under `cli:`.",
        "agent.login": "Log the agent in again, or set its API key.",
        "agent.trust": "Trust the folder explicitly if you do trust it.",
        "terraform.lock": "See who holds the lock; force-unlock only if that run is dead.",
        "inotify": "Raise fs.inotify.max_user_watches, or watch fewer files.",
    }
)


def hint_for(verdict: Verdict, extra_rules: Sequence[Rule] = ()) -> str:
    """Say in one line what to do next; a project's own rule may bring its own hint."""
    own = next((rule.hint for rule in extra_rules if rule.id == verdict.rule and rule.hint), "")
    return own or _BY_RULE.get(verdict.rule, _BY_KIND[verdict.kind])
