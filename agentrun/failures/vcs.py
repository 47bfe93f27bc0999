"""Rules for version control and what carries it: git, gh, glab, ssh, scp, rsync.

Owns git's sentences. Its exit 128 occurs with most kinds, so only its words decide.
"""

from agentrun.core.failure import Kind
from agentrun.failures.rules import Level, Rule

RULES: tuple[Rule, ...] = (
    Rule(
        "git.corrupt",
        Kind.CRASH,
        words="object file | loose object | bad object header | index file corrupt"
        " | bad index file | bad signature 0x | index file smaller than expected"
        " | packfile",
        pattern="object file .{1,200} is empty|loose object .{1,200} is corrupt",
        unless=r"\A(?!(?s:.*)(?:corrupt|is empty|bad index|bad signature|smaller than expected"
        "|bad object header))|early eof|out of memory",
    ),
    Rule(
        "git.trust",
        Kind.SECURITY,
        words="detected dubious ownership | is owned by someone else | push protection | gh013"
        " | contains secrets | push cannot contain secrets | repository rule violations"
        " | gpg failed to sign | no signature found | signature verification failed"
        " | gitleaks | transport 'file' not allowed | transport 'ext' not allowed"
        " | secret detected | leaks found",
        unless="gpg failed to sign|protected branch",
    ),
    Rule(
        "git.protected",
        Kind.PERMISSION,
        words="protected branch | gh006 | pre-receive hook declined"
        " | you are not allowed to push | not allowed to push"
        " | write access to repository not granted | denying non-fast-forward"
        " | deploy key | must have admin rights | must have push access"
        " | resource not accessible by | resource protected by organization saml"
        " | your token has not been granted the required scopes"
        " | is archived so it is read-only | marked as read only | missing required scope"
        " | refusing to allow | requires the following scopes"
        " | to a ref that is checked out",
        pattern=r"permission to \S{1,200} denied to|remote: permission to"
        "|403 .{0,40}resource not accessible",
    ),
    Rule(
        "git.auth",
        Kind.AUTH,
        words="could not read username | could not read password | authentication failed for"
        " | invalid username or password | invalid username or token"
        " | support for password authentication was removed | http basic: access denied"
        " | permission denied (publickey | permission denied (keyboard-interactive"
        " | permission denied (password | terminal prompts disabled | bad credentials"
        " | to get started with github cli, please run | gh auth login"
        " | gh_token environment variable | too many authentication failures"
        " | no supported authentication methods | the token in default is invalid"
        " | enter passphrase | agent refused operation | load key | sign_and_send_pubkey"
        " | requested url returned error: 401",
        pattern=r"permission denied, please try again\.|remote: http basic",
        unless="load key .{1,100}: permission denied$",
        level=Level.DECISIVE,
    ),
    Rule(
        "git.repository",
        Kind.NOT_FOUND,
        words="repository not found | does not appear to be a git repository"
        " | could not read from remote repository | not a git repository"
        " | couldn't find remote ref | could not find remote branch | remote branch"
        " | unknown revision or path | did not match any file(s) known to git | pathspec"
        " | bad revision | not a valid object name | not a valid ref"
        " | fatal: invalid reference | no such remote | does not have any commits yet"
        " | no such ref | ambiguous argument | needed a single revision"
        " | could not resolve to a | no pull requests found | release not found"
        " | unable to read tree | bad object | no such branch"
        " | there is no tracking information | couldn't find any revision"
        " | reference is not a tree | no stash entries found"
        " | upstream branch of your current branch | no such submodule | src refspec"
        " | no configured push destination | no git remotes found | no upstream branch"
        " | your current branch | workflow not found | could not find any workflows"
        " | unable to find current revision",
        unless="(?:host key|permission denied|connection (?:refused|reset|closed|timed)"
        "|could not resolve hostname|timed out|network is unreachable|kex_exchange"
        "|patch failed|broken pipe)|remote branch .{1,80} already exists"
        "|your current branch is behind|has no upstream branch|no tracking information"
        "|no configured push",
    ),
    Rule(
        "git.setup",
        Kind.INVALID_CONFIG,
        words="please tell me who you are | unable to auto-detect email address"
        " | empty ident name | has no upstream branch | no upstream configured | bad config line"
        " | bad config value | bad numeric config value"
        " | there is no tracking information | no configured push destination"
        " | need to specify how to reconcile divergent branches | bad config file"
        " | key does not contain a section | not a git command | nothing to commit"
        " | no changes added to commit | must be run in a work tree | gpg failed to sign"
        " | is not a valid branch name | bad configuration option | you must specify"
        " | aborting commit due to empty commit message | nothing added to commit"
        " | is outside repository | no names found, cannot describe anything"
        " | unsupported ssl backend"
        " | unable to find remote helper",
        pattern=r"repository name is invalid|no commits between|\bbad owner or permissions on",
        unless="unable to find remote helper for 'https?'",
    ),
    Rule(
        "git.index_lock",
        Kind.LOCK,
        words="index.lock | head.lock | config.lock | packed-refs.lock | shallow.lock"
        " | another git process seems to be running | cannot lock ref | unable to lock",
        pattern=r"\.lock': file exists",
        unless="is at [0-9a-f]{7,40} but expected|exists; cannot create|permission denied"
        "|read-only file system|no space left",
        level=Level.DECISIVE,
    ),
    Rule(
        "git.ref_moved",
        Kind.LOCK,
        pattern="cannot lock ref .{1,200} is at [0-9a-f]{7,40} but expected|failed to update ref"
        "|reference already locked|incorrect old value provided",
    ),
    Rule(
        "git.conflict",
        Kind.RESOURCE_CONFLICT,
        words="non-fast-forward | fetch first | updates were rejected | automatic merge failed"
        " | merge conflict | conflict (content) | conflict (add/add)"
        " | conflict (modify/delete) | could not apply | would be overwritten by merge"
        " | would be overwritten by checkout | overwritten by"
        " | already exists and is not an empty directory | already checked out at"
        " | is already used by worktree | not possible to fast-forward | unmerged files"
        " | unmerged paths | you have not concluded your merge | unresolved conflict"
        " | a pull request for branch | refusing to merge unrelated histories"
        " | there is already a rebase-merge directory | rebase in progress"
        " | you have unstaged changes | please commit or stash"
        " | contains modified or untracked files | local changes to the following files"
        " | is not fully merged | exists; cannot create | stale info"
        " | pull request is not mergeable | is not mergeable | needs merge"
        " | a cherry-pick or revert is already in progress | [rejected]"
        " | name already exists on this account | cannot delete branch"
        " | cannot delete checked out branch",
        pattern="fatal: (?:a branch named|tag|remote|destination path|branch"
        r"|a tag named) .{1,200} already exists|error: remote \S{1,200} already exists",
    ),
    Rule(
        "git.patch",
        Kind.INPUT_FORMAT,
        words="patch does not apply | corrupt patch | patch failed | unrecognized input"
        " | no valid patches in input | patch with only garbage | hunk failed"
        " | hunks failed | exceeds github's file size limit | gh001"
        " | large files detected | invalid object | malformed patch"
        " | patch format detection failed | file size limit of 100 | patch fragment without header"
        " | can't find file to patch | only garbage was found in the patch",
    ),
    Rule(
        "git.lfs",
        Kind.MISSING_DEPENDENCY,
        words="git-lfs: command not found | git-lfs' was not found | 'lfs' is not a git command"
        " | git-lfs filter-process",
        pattern=r"(?:pre-commit|husky).{0,80}not found|\.git/hooks/\S{1,60}: .{0,60}not found",
    ),
    Rule(
        "git.hook",
        Kind.LOGIC,
        pattern=r"\bhook id: |husky - \S{1,40} (?:script|hook) (?:failed|exited)"
        "|pre-commit hook (?:failed|exited)",
    ),
    Rule(
        "git.wire",
        Kind.NETWORK,
        pattern="unable to access 'https?://",
        words="rpc failed | early eof | remote end hung up unexpectedly"
        " | unexpected disconnect while reading sideband | could not resolve hostname"
        " | could not read from remote | kex_exchange_identification"
        " | ssh_exchange_identification | connection closed by"
        " | connection to github.com closed | client_loop: send disconnect"
        " | ssh: connect to host | banner exchange | bad packet length"
        " | ssh_dispatch_run_fatal | rsync: connection unexpectedly closed"
        " | connection unexpectedly closed | rsync: failed to connect"
        " | error in rsync protocol data stream | error in socket io"
        " | the remote end hung up",
        unless=r"timed out|timeout|error: [45]\d\d\b|certificate"
        "|repository '?.{1,120}'? not found|does not appear to be a git"
        r"|permission denied \(|correct access rights|could not resolve host: "
        "|no such file or directory|command not found|permission denied|no space left"
        "|unable to access '/|http 413|authentication failed|not logged in"
        "|could not read username",
    ),
    Rule(
        "ssh.setup",
        Kind.INVALID_CONFIG,
        words="no matching key exchange method | no matching host key type | no matching cipher"
        " | unable to negotiate | bad port | identity file | unprotected private key file"
        " | bad permissions | are too open | protocol mismatch",
        unless="identity file .{1,200} not accessible(?!.{0,500}no such)",
        level=Level.GENERAL,
    ),
    Rule("rsync.vanished", Kind.RESOURCE_CONFLICT, words="file has vanished | some files vanished"),
    Rule(
        "git.timeout",
        Kind.TIMEOUT,
        words="operation timed out | connection timed out | timeout, server | operation too slow",
        pattern="ssh: connect to host .{1,200}timed out|connection timed out",
    ),
)
